package main

import (
	"context"
	"embed"
	"errors"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

type OrderCreated struct {
	OrderID string `json:"order_id"`
	Cents   int64  `json:"cents"`
}

func (OrderCreated) EventType() string  { return "acme.order.created.v1" } // the contract's name
func (e OrderCreated) EventKey() string { return e.OrderID }               // partition and order

type PaymentSucceeded struct {
	OrderID string `json:"order_id"`
}

func (PaymentSucceeded) EventType() string  { return "acme.payment.succeeded.v1" }
func (e PaymentSucceeded) EventKey() string { return e.OrderID }

var (
	Orders   = leat.Topic{Name: "acme.orders", Carries: []any{OrderCreated{}}}
	Payments = leat.Topic{Name: "acme.payments", Carries: []any{PaymentSucceeded{}}}
)

//go:embed migrations/*.sql
var migrations embed.FS

func main() {
	service.Main(service.Config{ // brokers, database, telemetry, probes from flags, env, file; runs until SIGTERM
		Name:       "payment",
		Owns:       []leat.Topic{Payments},
		Migrations: migrations,
		Handlers:   []leat.Handler{outbox.Once(Orders, charge, consumer.Parallel(64))},
	})
}

// charge runs once per event: the inbox row, the charge and the event it causes commit together or not at all.
func charge(ctx context.Context, tx *outbox.Tx, e *leat.Event[OrderCreated]) error {
	if e.Data.Cents > 100_000 {
		return leat.Permanent(errors.New("over the card limit")) // to the dead letters, other keys go on
	}
	if _, err := tx.Exec(ctx, `insert into charge (order_id, cents) values ($1, $2)`, e.Data.OrderID, e.Data.Cents); err != nil {
		return err // retried in the key's lane, other keys run on
	}
	return tx.Publish(ctx, PaymentSucceeded{OrderID: e.Data.OrderID}) // its type names its topic
}
