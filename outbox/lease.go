package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// throne is the lease as one reign holds it.
type throne struct {
	ctx   context.Context // ends when the lease is lost, or DrainTimeout after Run's context
	end   func()          // gives the lease back and waits for the keeper
	lease *sqldb.Lease
}

// await waits until this relay has the lease. It alone decides who leads: relays that took over
// whenever they were fenced off would end each other's work in turns.
// It waits for its turn too, where share says that others are to lead this one; nil: it does not.
func (r *shard) await(stop context.Context, share *share) (*throne, error) {
	lease := r.db.Lease(sqldb.LeaseConfig{Name: r.name("outbox relay"), Holder: r.cfg.Holder, TTL: r.cfg.LeaseTTL})
	for told := false; ; {
		if share == nil || share.may(r.number) {
			_, err := lease.Acquire(stop)
			if err == nil {
				return r.hold(stop, lease), nil
			}
			if share != nil {
				share.leave(r.number)
			}
			if !errors.Is(err, sqldb.ErrLeaseHeld) {
				return nil, fmt.Errorf("acquire the relay's lease: %w", err)
			}
		}
		if share == nil && !told {
			told = true
			r.log.InfoContext(stop, "another number of shards waits for the end of a relay", "shard", r.number)
		}
		r.standsBy(r.heard(stop))
		if err := sleep(stop, lease.TTL()/5); err != nil {
			return nil, err
		}
	}
}

// hold keeps the lease until end is called.
func (r *shard) hold(stop context.Context, lease *sqldb.Lease) *throne {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(stop))
	var keeper sync.WaitGroup
	keeper.Go(func() { r.renew(ctx, cancel, lease) })
	keeper.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-stop.Done():
		}
		if sleep(ctx, r.cfg.DrainTimeout) == nil {
			cancel(fmt.Errorf("the work in hand did not end within %v", r.cfg.DrainTimeout))
		}
	})
	return &throne{ctx: ctx, lease: lease, end: func() {
		cancel(context.Canceled)
		keeper.Wait()
		release, done := context.WithTimeout(context.WithoutCancel(stop), time.Second)
		defer done()
		if err := lease.Release(release); err != nil {
			r.log.WarnContext(release, "the relay's lease runs out by itself", "error", err)
		}
	}}
}

// renew keeps the lease alive; once it can't any more, ctx ends before another may lead.
func (r *shard) renew(ctx context.Context, cancel context.CancelCauseFunc, lease *sqldb.Lease) {
	good := time.Now()
	for sleep(ctx, lease.TTL()/4) == nil {
		asked := time.Now()
		bounded, done := context.WithTimeout(ctx, lease.TTL()/2)
		err := lease.Renew(bounded)
		done()
		switch {
		case err == nil:
			good = asked
		case errors.Is(err, sqldb.ErrLeaseLost), time.Since(good) > lease.TTL():
			cancel(fmt.Errorf("%w: %w", errLost, err))
			return
		}
	}
}
