package order

import (
	"context"
	"errors"
	"net/http"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

func routes(s *service.Service) service.Routes {
	h := handlers{s: s, streams: make(chan struct{}, maxStreams)}
	log := s.Logger()
	return ledger.Routes(s, service.Routes{
		"POST /orders":              api.Handle(log, h.place),
		"GET /orders":               api.Handle(log, h.list),
		"GET /orders/{id}":          api.Handle(log, h.show),
		"GET /orders/{id}/timeline": api.Handle(log, h.stream),
		"POST /orders/{id}/cancel":  api.Handle(log, h.cancel),
	}, "orders")
}

type handlers struct {
	s       *service.Service
	streams chan struct{} // one token per open stream
}

// accepted is the answer to a command.
type accepted struct {
	OrderID string `json:"order_id"`
	State   State  `json:"state"`
}

func accept(w http.ResponseWriter, id string, state State) error {
	w.Header().Set("Location", "/orders/"+id)
	return api.Write(w, http.StatusAccepted, accepted{id, state})
}

func (h handlers) place(w http.ResponseWriter, r *http.Request) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	var req Request
	if err := api.Read(w, r, &req); err != nil {
		return err
	}
	o, err := req.order(leat.NewID())
	if err != nil {
		return err
	}
	hash, err := req.hash()
	if err != nil {
		return err
	}
	var got placed
	err = h.s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		got, err = place(ctx, tx, o, req.Items, key, hash)
		return err
	})
	if err != nil {
		return err
	}
	if got.hash != hash {
		return api.Refuse(http.StatusUnprocessableEntity, "the Idempotency-Key belongs to another order, %s: send a fresh one", got.id)
	}
	return accept(w, got.id, Placed)
}

func (h handlers) cancel(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var state State
	err := h.s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		o, err := load(ctx, tx.Tx, id, true)
		if err != nil {
			return err
		}
		state = o.State
		if o.State.Ended() {
			return nil
		}
		next, events := o.Next(CancelRequest{})
		state = next.State
		return store(ctx, tx, o, next, events)
	})
	if err != nil {
		return missing(id, err)
	}
	if state == Completed {
		return api.Refuse(http.StatusConflict, "order %s is completed: its goods are on their way", id)
	}
	return accept(w, id, state)
}

// shown is the answer of GET /orders/{id}.
type shown struct {
	View
	Timeline []ledger.Entry `json:"timeline"`
}

func (h handlers) show(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var out shown
	err := h.s.View(r.Context(), func(ctx context.Context, tx *sqldb.Tx) (err error) {
		out.View, err = scanView(tx.QueryRow(ctx, `select `+viewColumns+` from orders where id = $1`, id))
		if err != nil {
			return err
		}
		out.Timeline, err = ledger.Of(ctx, tx, id, 0)
		return err
	})
	if err != nil {
		return missing(id, err)
	}
	return api.Write(w, http.StatusOK, out)
}

func (h handlers) list(w http.ResponseWriter, r *http.Request) error {
	limit, err := api.Limit(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	f := filter{customer: q.Get("customer"), state: q.Get("state"), after: q.Get("after"), limit: limit}
	switch State(f.state) {
	case "", Placed, Cancelling, Completed, Cancelled:
	default:
		return api.Refuse(http.StatusBadRequest, "state is %q: placed, cancelling, completed and cancelled are known", f.state)
	}
	var views []View
	err = h.s.View(r.Context(), func(ctx context.Context, tx *sqldb.Tx) (err error) {
		views, err = list(ctx, tx, f)
		return err
	})
	if err != nil {
		return err
	}
	return api.Write(w, http.StatusOK, api.PageOf(views, limit, func(v View) string { return v.OrderID }))
}

// missing turns no rows into 404.
func missing(id string, err error) error {
	if errors.Is(err, sqldb.ErrNoRows) {
		return api.Refuse(http.StatusNotFound, "there is no order %q", id)
	}
	return err
}
