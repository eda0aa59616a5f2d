package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/leatdev/leat/sqldb"
)

// ask says how many shards this relay wants, where it is another number than the last that was asked
// for.
func (r *Relay) ask(ctx context.Context) error {
	err := r.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `update leat_outbox_meta set shards_wanted = $1 where shards_wanted <> $1`, r.cfg.Shards)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for %d shards: %w", r.cfg.Shards, err)
	}
	return nil
}

// reshard changes the number of shards. A key then belongs to another shard, so nothing may be in
// hand anywhere: the process that does it holds the leases of all shards, has fenced their relays off
// and has settled what they sent. A relay that wakes up later and still has the old number finds the
// new one after its own fence, and stops.
func (r *Relay) reshard(stop context.Context, m meta) error {
	r.generation(nil, nil)
	ctx, end := context.WithCancel(stop)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer end()
	watch.Go(func() {
		if r.watch(ctx, m) {
			end() // another process was faster
		}
	})
	leases := make([]*sqldb.Lease, 0, m.shards)
	for i := range m.shards { // in order, or two would wait for one another
		s := r.newShard(i, m.shards)
		setup, err := s.inspect(ctx)
		if err != nil {
			return unlessEnded(ctx, err)
		}
		defer setup.client.Close()
		t, err := s.await(ctx, nil)
		if err != nil {
			return unlessEnded(ctx, err)
		}
		defer t.end()
		leases = append(leases, t.lease)
		if err := s.conclude(t.ctx, setup); err != nil {
			return unlessEnded(ctx, fmt.Errorf("end shard %d of %d: %w", i, m.shards, err))
		}
	}
	err := r.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		for _, l := range leases { // nobody can take one over before the commit, and then finds the new number
			if err := l.Guard(ctx, tx); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `update leat_outbox_meta set shards = $2 where shards = $1`, m.shards, m.wanted)
		return err
	})
	if err != nil {
		return unlessEnded(ctx, fmt.Errorf("change %d shards to %d: %w", m.shards, m.wanted, err))
	}
	r.log.InfoContext(ctx, "the outbox has another number of shards", "was", m.shards, "shards", m.wanted)
	return nil
}

// unlessEnded is err, or nil where it came of the end of ctx.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// conclude fences the shard's earlier relays off and settles what they sent.
func (s *shard) conclude(ctx context.Context, setup *setup) error {
	w, err := s.open(ctx, setup)
	if err != nil {
		return err
	}
	defer w.close()
	g := &reign{shard: s, setup: setup, way: w}
	return g.takeOver(ctx)
}

// errResharded says that the number of shards has changed since this relay read it.
var errResharded = errors.New("the number of shards has changed")
