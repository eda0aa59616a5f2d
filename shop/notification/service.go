package notification

import (
	"context"
	"embed"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/work"
	"github.com/leatdev/leat/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config says how customers are told.
type Config struct {
	// Sender tells them; nil: the log.
	Sender Sender
	// Retry is how fast a notice is tried again; zero: 200 ms to 30 s apart. Attempts has no
	// meaning: a notice is tried until it is sent.
	Retry leat.Retry
	// Timeout is how long one attempt may take; 0: 20 s, with the log 1 s.
	Timeout time.Duration
}

// Sender hands a notice over.
type Sender interface {
	Send(ctx context.Context, n Notice) error
	// Channel names the way, for example "smtp".
	Channel() string
}

// Service is the notification service.
func Service(cfg Config) service.Config {
	if cfg.Retry == (leat.Retry{}) {
		cfg.Retry = leat.Retry{Base: 200 * time.Millisecond, Max: 30 * time.Second}
	}
	if cfg.Timeout == 0 && cfg.Sender == nil {
		cfg.Timeout = time.Second
	} else if cfg.Timeout == 0 {
		cfg.Timeout = 20 * time.Second
	}
	wake := make(chan struct{}, 1)
	return service.Config{
		Name:       "notification",
		Owns:       []leat.Topic{contract.Notifications},
		Migrations: ledger.Migrations(migrations),
		Handlers: []leat.Handler{
			notes[contract.OrderCompleted](contract.Orders, wake),
			notes[contract.OrderCancelled](contract.Orders, wake),
			notes[contract.PaymentRefunded](contract.Payments, wake),
			notes[contract.ShipmentDispatched](contract.Shipments, wake),
		},
		Routes: routes,
		Parts: []service.Part{{Name: "sender", Run: func(ctx context.Context, s *service.Service) error {
			p := post{cfg: cfg, s: s, sender: cfg.Sender}
			if p.sender == nil {
				p.sender = logSender{s.Logger()}
			}
			return work.Loop[row]{Claim: p.claim, Do: p.send, Wake: wake, Parallel: 8, Limit: cfg.Timeout + 20*time.Second, Logger: s.Logger()}.Run(ctx)
		}}},
	}
}

// notes stores the notice that an event calls for, once per reason.
func notes[T contract.Event](topic leat.Topic, wake chan<- struct{}) leat.Handler {
	return ledger.Once(topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[T]) (string, error) {
		n, ok := Of(e.Data)
		if !ok {
			return "", nil
		}
		cause := ledger.CauseOf(e.Envelope)
		_, err := tx.Exec(ctx, `insert into notice (order_id, reason, customer_id, subject, body, state, due_at, event_id, trace_parent)
			values ($1, $2, $3, $4, $5, 'pending', $6, $7, $8) on conflict (order_id, reason) do nothing`,
			n.OrderID, n.Reason, n.CustomerID, n.Subject, n.Text, time.Now().UnixMicro(), cause.EventID, cause.TraceParent)
		if err != nil {
			return "", fmt.Errorf("store notice: %w", err)
		}
		tx.AfterCommit(func() {
			select {
			case wake <- struct{}{}:
			default: // the loop knows
			}
		})
		return n.Reason, nil
	})
}

// row is a notice that waits to be sent.
type row struct {
	Notice
	attempts int64
	cause    ledger.Cause
}

// post sends the notices that wait.
type post struct {
	cfg    Config
	s      *service.Service
	sender Sender
}

const alarmAfter = 10 // attempts between two calls for a person

func (p post) claim(ctx context.Context, n int) (rows []row, err error) {
	err = p.s.DB().Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		rows, err = claim(ctx, tx, n, time.Now(), p.cfg.Timeout+2*time.Second)
		return err
	})
	return rows, err
}

func claim(ctx context.Context, tx *sqldb.Tx, n int, now time.Time, putOff time.Duration) ([]row, error) {
	locked := ""
	if tx.Dialect() == sqldb.Postgres {
		locked = ` for update skip locked`
	}
	rows, err := tx.Query(ctx, `with due as materialized (
			select order_id, reason from notice where state = 'pending' and due_at <= $2 order by due_at limit $3`+locked+`)
		update notice set attempts = attempts + 1, due_at = $1 where (order_id, reason) in (select order_id, reason from due)
		returning order_id, reason, customer_id, subject, body, attempts, event_id, trace_parent`,
		now.Add(putOff).UnixMicro(), now.UnixMicro(), n)
	if err != nil {
		return nil, fmt.Errorf("claim notices: %w", err)
	}
	defer rows.Close()
	var claimed []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.OrderID, &r.Reason, &r.CustomerID, &r.Subject, &r.Text, &r.attempts, &r.cause.EventID, &r.cause.TraceParent); err != nil {
			return nil, fmt.Errorf("read notice: %w", err)
		}
		claimed = append(claimed, r)
	}
	return claimed, rows.Err()
}

// send hands one notice over and writes that down.
func (p post) send(ctx context.Context, r row) error {
	sending, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	err := p.sender.Send(sending, r.Notice)
	cancel()
	if err != nil {
		return p.later(ctx, r, err)
	}
	return p.s.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		n, err := tx.Exec(ctx, `update notice set state = 'sent', sent_at = $3 where order_id = $1 and reason = $2 and state = 'pending'`,
			r.OrderID, r.Reason, time.Now().UnixMicro())
		if err != nil {
			return fmt.Errorf("store that a notice was sent: %w", err)
		}
		if n == 0 {
			return nil // someone else, who had claimed it when this attempt took too long
		}
		return tx.Publish(ctx, r.cause.Event(contract.NotificationSent{
			OrderID: r.OrderID, CustomerID: r.CustomerID, Reason: r.Reason, Channel: p.sender.Channel(),
		}))
	})
}

func (p post) later(ctx context.Context, r row, cause error) error {
	if r.attempts%alarmAfter == 0 {
		p.s.Logger().ErrorContext(ctx, "a customer can't be told: look at the mail server", "order", r.OrderID, "attempt", r.attempts, "error", cause)
	} else {
		p.s.Logger().WarnContext(ctx, "a notice is tried again", "order", r.OrderID, "attempt", r.attempts, "error", cause)
	}
	due := time.Now().Add(p.cfg.Retry.Delay(int(min(r.attempts, 64)), rand.Float64()))
	return p.s.DB().Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `update notice set due_at = $3 where order_id = $1 and reason = $2 and state = 'pending'`, r.OrderID, r.Reason, due.UnixMicro())
		if err != nil {
			return fmt.Errorf("put off a notice: %w", err)
		}
		return nil
	})
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
