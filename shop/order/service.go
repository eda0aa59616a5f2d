package order

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Service is the order service.
func Service() service.Config {
	return service.Config{
		Name:       "order",
		Owns:       []leat.Topic{contract.Orders},
		Migrations: ledger.Migrations(migrations),
		Handlers: []leat.Handler{
			moves[contract.PaymentFailed](contract.Payments),
			moves[contract.InventoryRejected](contract.Inventory),
			moves[contract.ShipmentDispatched](contract.Shipments),
			moves[contract.ShipmentCancelled](contract.Shipments),

			shows[contract.OrderCreated](contract.Orders),
			shows[contract.OrderCancelRequested](contract.Orders),
			shows[contract.OrderCompleted](contract.Orders),
			shows[contract.OrderCancelled](contract.Orders),
			shows[contract.PaymentSucceeded](contract.Payments),
			shows[contract.PaymentRefunded](contract.Payments),
			shows[contract.InventoryReserved](contract.Inventory),
			shows[contract.InventoryReleased](contract.Inventory),
			shows[contract.NotificationSent](contract.Notifications),
		},
		Routes: routes,
	}
}

// moves handles an event that moves the order's machine.
func moves[T contract.Event](topic leat.Topic) leat.Handler {
	return ledger.Once(topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[T]) (string, error) {
		o, err := load(ctx, tx.Tx, e.Data.EventKey(), true)
		if errors.Is(err, sqldb.ErrNoRows) {
			return "", leat.Permanent(fmt.Errorf("%s is about order %s, which was never taken here", e.Type(), e.Data.EventKey()))
		}
		if err != nil {
			return "", err
		}
		next, events := o.Next(e.Data)
		return what(e.Data), store(ctx, tx, o, next, events)
	})
}

// shows handles an event that only the timeline needs.
func shows[T contract.Event](topic leat.Topic) leat.Handler {
	return ledger.Once(topic, func(_ context.Context, _ *outbox.Tx, e *leat.Event[T]) (string, error) {
		return what(e.Data), nil
	})
}

// what is the timeline's detail of an event.
func what(in any) string {
	switch e := in.(type) {
	case contract.OrderCreated:
		return e.Total.String()
	case contract.OrderCancelled:
		return e.Reason
	case contract.PaymentSucceeded:
		return e.Amount.String()
	case contract.PaymentFailed:
		return e.Reason
	case contract.PaymentRefunded:
		return e.Amount.String()
	case contract.InventoryRejected:
		return strings.Join(e.Missing, ", ")
	case contract.ShipmentDispatched:
		return e.Tracking
	case contract.NotificationSent:
		return e.Reason
	}
	return ""
}
