package notification

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config says how customers are told.
type Config struct {
	// Sender tells them; nil: the sandbox, which tells nobody.
	Sender Sender
	// Timeout is how long one attempt may take; 0: 20 s.
	Timeout time.Duration
	// Retry is how often and how fast a notice that was not taken is tried at once; zero: 3 attempts,
	// up to 200 ms and 400 ms apart.
	Retry leat.Retry
	// Parking is how it waits after that; zero: tried again after 10 s, 1 min and then every 10 min,
	// for a day.
	Parking leat.Parking
}

// Sender hands a notice over. It answers with an outcome: [leat.Permanent] for one that nobody will
// ever take, [leat.Unavailable] where the way is closed for all.
type Sender interface {
	Send(ctx context.Context, n Notice) error
	// Channel names the way, for example "smtp".
	Channel() string
}

// Service is the notification service.
func Service(cfg Config) service.Config {
	cfg = cfg.withDefaults()
	return service.Config{
		Name:       "notification",
		Owns:       []leat.Topic{contract.Notifications},
		Migrations: ledger.Migrations(migrations),
		Handlers: []leat.Handler{
			tells[contract.OrderCompleted](cfg, contract.Orders),
			tells[contract.OrderCancelled](cfg, contract.Orders),
			tells[contract.PaymentRefunded](cfg, contract.Payments),
			tells[contract.ShipmentDispatched](cfg, contract.Shipments),
		},
		Routes: routes,
	}
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	if c.Retry == (leat.Retry{}) {
		c.Retry = leat.Retry{Attempts: 3, Base: 200 * time.Millisecond}
	}
	if c.Sender == nil {
		c.Sender = sandbox{refusals: int64(c.Retry.WithDefaults().Attempts)}
	}
	if c.Parking.MaxAge == 0 {
		c.Parking.MaxAge = 24 * time.Hour
	}
	return c
}

// parallel is how many mails of one kind are under way at once: mail servers count connections.
const parallel = 8

// tells handles an event that calls for a notice: it writes down that the customer is to be told,
// tells, and writes down that this was done. Where the notice is not taken its event is parked, and no
// other customer waits.
func tells[T contract.Event](cfg Config, topic leat.Topic) leat.Handler {
	tell := func(ctx context.Context, box *outbox.Box, e *leat.Event[T]) error {
		n, _ := Of(e.Data) // each of the four calls for one
		n.Attempt = int64(e.Attempt())
		sent, err := begin(ctx, box, n)
		if err != nil || sent {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
		defer cancel()
		return cfg.Sender.Send(ctx, n)
	}
	told := func(ctx context.Context, tx *outbox.Tx, e *leat.Event[T]) (string, error) {
		n, _ := Of(e.Data)
		return n.Reason, end(ctx, tx, n, cfg.Sender.Channel())
	}
	return ledger.OnceAfter(topic, tell, told,
		consumer.WithRetry(cfg.Retry), consumer.Park(cfg.Parking),
		consumer.Timeout(cfg.Timeout+10*time.Second), consumer.Parallel(parallel))
}

// begin stores a notice, or finds it, and counts the attempt. sent says that there is nothing to do.
func begin(ctx context.Context, box *outbox.Box, n Notice) (sent bool, err error) {
	err = box.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		var state string
		err := tx.QueryRow(ctx, `insert into notice (order_id, reason, customer_id, subject, body, state, attempts)
			values ($1, $2, $3, $4, $5, 'pending', 1) on conflict (order_id, reason) do update set attempts = notice.attempts + 1
			returning state`,
			n.OrderID, n.Reason, n.CustomerID, n.Subject, n.Text).Scan(&state)
		if err != nil {
			return fmt.Errorf("store notice: %w", err)
		}
		sent = state == "sent"
		return nil
	})
	return sent, err
}

// end stores that a notice was sent, and says so to the shop.
func end(ctx context.Context, tx *outbox.Tx, n Notice, channel string) error {
	changed, err := tx.Exec(ctx, `update notice set state = 'sent', sent_at = $3 where order_id = $1 and reason = $2 and state = 'pending'`,
		n.OrderID, n.Reason, time.Now().UnixMicro())
	if err != nil {
		return fmt.Errorf("store that a notice was sent: %w", err)
	}
	if changed == 0 {
		return nil // another event called for it
	}
	return tx.Publish(ctx, contract.NotificationSent{OrderID: n.OrderID, CustomerID: n.CustomerID, Reason: n.Reason, Channel: channel})
}

// View is a notice as HTTP shows it.
type View struct {
	Key     string `json:"key"` // order and reason, for after
	OrderID string `json:"order_id"`
	Reason  string `json:"reason"`
	State   string `json:"state"`
}

func routes(s *service.Service) service.Routes {
	return ledger.Routes(s, service.Routes{
		"GET /notifications": api.Handle(s.Logger(), func(w http.ResponseWriter, r *http.Request) error {
			return api.List(s, w, r, `select order_id, reason, state from notice
				where order_id || ' ' || reason > $1 order by order_id || ' ' || reason limit $2`,
				func(rows *sqldb.Rows) (v View, err error) {
					err = rows.Scan(&v.OrderID, &v.Reason, &v.State)
					v.Key = v.OrderID + " " + v.Reason
					return v, err
				}, func(v View) string { return v.Key })
		}),
	}, "notice")
}
