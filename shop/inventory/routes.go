package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

// Count is the body of PUT /stock/{sku}.
type Count struct {
	Quantity *int64 `json:"quantity"`
}

// maxStock bounds what one article can be counted as.
const maxStock = 1_000_000_000_000

func routes(s *service.Service) service.Routes {
	h := handlers{s}
	log := s.Logger()
	return ledger.Routes(s, service.Routes{
		"PUT /stock/{sku}":  api.Handle(log, h.count),
		"GET /stock/{sku}":  api.Handle(log, h.show),
		"GET /stock":        api.Handle(log, h.stock),
		"GET /reservations": api.Handle(log, h.reservations),
	}, "reservation")
}

type handlers struct{ s *service.Service }

func (h handlers) count(w http.ResponseWriter, r *http.Request) error {
	sku := r.PathValue("sku")
	if err := contract.ValidSKU(sku); err != nil {
		return api.Refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	var body Count
	if err := api.Read(w, r, &body); err != nil {
		return err
	}
	if body.Quantity == nil || *body.Quantity < 0 || *body.Quantity > maxStock {
		return api.Refuse(http.StatusUnprocessableEntity, "send quantity, the number of pieces for sale, 0 to %d", int64(maxStock))
	}
	var a Article
	err := h.s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) (err error) {
		a, err = count(ctx, tx.Tx, sku, *body.Quantity)
		return err
	})
	if err != nil {
		return err
	}
	return api.Write(w, http.StatusOK, a)
}

func (h handlers) show(w http.ResponseWriter, r *http.Request) error {
	a := Article{SKU: r.PathValue("sku")}
	err := h.s.View(r.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select available, taken, counted from stock where sku = $1`, a.SKU).Scan(&a.Available, &a.Taken, &a.Counted)
	})
	if errors.Is(err, sqldb.ErrNoRows) {
		return api.Refuse(http.StatusNotFound, "article %q was never counted", a.SKU)
	}
	if err != nil {
		return fmt.Errorf("read stock: %w", err)
	}
	return api.Write(w, http.StatusOK, a)
}

func (h handlers) stock(w http.ResponseWriter, r *http.Request) error {
	return api.List(h.s, w, r, `select sku, available, taken, counted from stock where sku > $1 order by sku limit $2`,
		func(rows *sqldb.Rows) (a Article, err error) {
			return a, rows.Scan(&a.SKU, &a.Available, &a.Taken, &a.Counted)
		}, func(a Article) string { return a.SKU })
}

// View is a reservation as HTTP shows it.
type View struct {
	OrderID string          `json:"order_id"`
	State   State           `json:"state"`
	Lines   []contract.Line `json:"lines"`
}

func (h handlers) reservations(w http.ResponseWriter, r *http.Request) error {
	return api.List(h.s, w, r, `select order_id, state, lines from reservation where order_id > $1 order by order_id limit $2`,
		func(rows *sqldb.Rows) (v View, err error) {
			var lines string
			if err := rows.Scan(&v.OrderID, &v.State, &lines); err != nil {
				return v, err
			}
			return v, json.Unmarshal([]byte(lines), &v.Lines)
		}, func(v View) string { return v.OrderID })
}
