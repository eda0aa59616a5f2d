package shipping

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Service is the shipping service.
func Service() service.Config {
	return service.Config{
		Name:       "shipping",
		Owns:       []leat.Topic{contract.Shipments},
		Migrations: ledger.Migrations(migrations),
		Handlers: []leat.Handler{
			takes[contract.InventoryReserved](contract.Inventory),
			takes[contract.OrderCancelRequested](contract.Orders),
		},
		Routes: routes,
	}
}

func takes[T contract.Event](topic leat.Topic) leat.Handler {
	return ledger.Once(topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[T]) (string, error) {
		s, err := move(ctx, tx, e.Data.EventKey(), e.Data)
		return string(s.State), err
	})
}

// move takes an event to the shipment of an order and publishes what the shop is told.
func move(ctx context.Context, tx *outbox.Tx, orderID string, in any) (Shipment, error) {
	was, err := load(ctx, tx.Tx, orderID)
	if err != nil {
		return Shipment{}, err
	}
	next, events := was.Next(in)
	if next.State == was.State {
		return next, nil
	}
	lines, err := json.Marshal(next.Lines)
	if err != nil {
		return Shipment{}, fmt.Errorf("encode lines: %w", err)
	}
	_, err = tx.Exec(ctx, `update shipment set state = $2, lines = $3, tracking = $4 where order_id = $1`, orderID, next.State, string(lines), next.Tracking)
	if err != nil {
		return Shipment{}, fmt.Errorf("store shipment %s: %w", orderID, err)
	}
	return next, tx.Publish(ctx, events...)
}

// load reads and locks the shipment of an order, which begins as a row without a state: the first
// of its two events makes it, and the other waits for the row.
func load(ctx context.Context, tx *sqldb.Tx, orderID string) (Shipment, error) {
	_, err := tx.Exec(ctx, `insert into shipment (order_id, state, lines, tracking) values ($1, '', 'null', '') on conflict (order_id) do nothing`, orderID)
	if err != nil {
		return Shipment{}, fmt.Errorf("open shipment %s: %w", orderID, err)
	}
	query := `select state, tracking from shipment where order_id = $1`
	if tx.Dialect() == sqldb.Postgres {
		query += ` for update`
	}
	s := Shipment{OrderID: orderID}
	if err := tx.QueryRow(ctx, query, orderID).Scan(&s.State, &s.Tracking); err != nil {
		return Shipment{}, fmt.Errorf("read shipment %s: %w", orderID, err)
	}
	return s, nil
}

// View is a shipment as HTTP shows it.
type View struct {
	OrderID  string          `json:"order_id"`
	State    State           `json:"state"`
	Lines    []contract.Line `json:"lines"`
	Tracking string          `json:"tracking,omitempty"`
}

func routes(s *service.Service) service.Routes {
	return ledger.Routes(s, service.Routes{
		"GET /shipments": api.Handle(s.Logger(), func(w http.ResponseWriter, r *http.Request) error {
			return api.List(s, w, r, `select order_id, state, lines, tracking from shipment where order_id > $1 order by order_id limit $2`,
				func(rows *sqldb.Rows) (v View, err error) {
					var lines string
					if err := rows.Scan(&v.OrderID, &v.State, &lines, &v.Tracking); err != nil {
						return v, err
					}
					return v, json.Unmarshal([]byte(lines), &v.Lines)
				}, func(v View) string { return v.OrderID })
		}),
	}, "shipment")
}
