package inventory

import (
	"context"
	"embed"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Service is the inventory service.
func Service() service.Config {
	return service.Config{
		Name:       "inventory",
		Owns:       []leat.Topic{contract.Inventory},
		Migrations: ledger.Migrations(migrations),
		Handlers: []leat.Handler{
			takes[contract.PaymentSucceeded](contract.Payments),
			takes[contract.OrderCancelled](contract.Orders),
		},
		Routes: routes,
	}
}

func takes[T contract.Event](topic leat.Topic) leat.Handler {
	return ledger.Once(topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[T]) (string, error) {
		r, err := move(ctx, tx, e.Data.EventKey(), e.Data)
		return string(r.State), err
	})
}
