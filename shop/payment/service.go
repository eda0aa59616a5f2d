package payment

import (
	"context"
	"embed"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/shop/work"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config says how the gateway is asked. The zero value is the sandbox with the defaults.
type Config struct {
	// Gateway moves the money; nil: the sandbox in the service's own database.
	Gateway Gateway
	// Retry is how often and how fast a capture is tried; zero: 8 attempts, 100 ms to 1 s apart.
	// Refunds and voids are tried without end.
	Retry leat.Retry
	// Timeout is how long one call may take; 0: 1 s.
	Timeout time.Duration
	// Parallel is how many calls are under way at once; 0: 32.
	Parallel int
}

// Service is the payment service.
func Service(cfg Config) service.Config {
	cfg = cfg.withDefaults()
	wake := make(chan struct{}, 1)
	return service.Config{
		Name:       "payment",
		Owns:       []leat.Topic{contract.Payments},
		Migrations: ledger.Migrations(migrations),
		Handlers: []leat.Handler{
			takes[contract.OrderCreated](contract.Orders, wake),
			takes[contract.OrderCancelled](contract.Orders, wake),
		},
		Routes: routes,
		Parts: []service.Part{{Name: "gateway", Run: func(ctx context.Context, s *service.Service) error {
			c := caller{cfg: cfg, s: s, gateway: cfg.Gateway}
			if c.gateway == nil {
				c.gateway = Sandbox{DB: s.DB()}
			}
			return work.Loop[row]{
				Claim: c.claim, Do: c.call, Wake: wake,
				Parallel: cfg.Parallel, Limit: cfg.Timeout + 20*time.Second, Logger: s.Logger(),
			}.Run(ctx)
		}}},
	}
}

func (c Config) withDefaults() Config {
	if c.Retry == (leat.Retry{}) {
		c.Retry = leat.Retry{Attempts: 8, Base: 100 * time.Millisecond, Max: time.Second}
	}
	if c.Timeout == 0 {
		c.Timeout = time.Second
	}
	if c.Parallel == 0 {
		c.Parallel = 32
	}
	return c
}

// takes handles an event that moves a charge. It only writes down what is to be done: a call to the
// gateway in here would hold the transaction.
func takes[T contract.Event](topic leat.Topic, wake chan<- struct{}) leat.Handler {
	return ledger.Once(topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[T]) (string, error) {
		cause := ledger.CauseOf(e.Envelope)
		c, err := move(ctx, tx, e.Data.EventKey(), e.Data, &cause)
		if err != nil {
			return "", err
		}
		if c.State.Open() {
			tx.AfterCommit(func() {
				select {
				case wake <- struct{}{}:
				default: // the loop knows
				}
			})
		}
		return string(c.State), nil
	})
}
