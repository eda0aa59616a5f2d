package payment

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/sqldb"
)

// caller asks the gateway for the charges that wait for it.
type caller struct {
	cfg     Config
	s       *service.Service
	gateway Gateway
}

// alarmAfter is how many attempts at giving money back go by before the log calls for a person.
const alarmAfter = 10

func (c caller) claim(ctx context.Context, n int) (rows []row, err error) {
	err = c.s.DB().Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		// Whoever dies with a claimed charge in hand leaves it due again after this long.
		rows, err = claim(ctx, tx, n, time.Now(), c.cfg.Timeout+2*time.Second)
		return err
	})
	return rows, err
}

// call asks the gateway once, outside of any transaction, and writes the outcome.
func (c caller) call(ctx context.Context, r row) error {
	asking, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	outcome, err := c.ask(asking, r)
	cancel()
	if outcome == nil {
		return c.later(ctx, r, err)
	}
	return c.s.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		_, err := move(ctx, tx, r.OrderID, outcome, nil)
		return err
	})
}

// ask is the remote call. No outcome means that it is to be asked again.
func (c caller) ask(ctx context.Context, r row) (outcome any, err error) {
	if r.State != Pending {
		if err := c.gateway.Return(ctx, r.OrderID); err != nil {
			return nil, err
		}
		return Returned{}, nil
	}
	if c.cfg.Retry.Exhausted(int(r.attempts - 1)) { // whoever made the last attempt died before it could say so
		return GaveUp{}, nil
	}
	reference, err := c.gateway.Capture(ctx, r.OrderID, r.CustomerID, r.Amount)
	switch {
	case err == nil:
		return Captured{Reference: reference}, nil
	case errors.Is(err, ErrDeclined):
		return Declined{Reason: "declined"}, nil
	case leat.IsUnavailable(err): // the sandbox's own database is away: not the gateway's fault
		return nil, err
	case c.cfg.Retry.Exhausted(int(r.attempts)):
		return GaveUp{}, nil
	}
	return nil, err
}

// later says when the charge is called for again.
func (c caller) later(ctx context.Context, r row, cause error) error {
	if r.State != Pending && r.attempts%alarmAfter == 0 {
		c.s.Logger().ErrorContext(ctx, "money is not given back yet: ask the gateway", "order", r.OrderID, "attempt", r.attempts, "error", cause)
	} else {
		c.s.Logger().DebugContext(ctx, "the gateway is asked again", "attempt", r.attempts, "error", cause)
	}
	due := time.Now().Add(c.cfg.Retry.Delay(int(r.attempts), rand.Float64()))
	return c.s.DB().Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return putOff(ctx, tx, r, due) })
}
