package outbox

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// maxShards bounds the shards: keys are dealt to 256 slots.
const maxShards = 64

// shard is one of the relays that share an outbox: the events of its keys, with a lease, a
// transactional id and a partition of positions of its own.
type shard struct {
	*Relay
	number, of int
	wake       chan struct{} // full: events were committed in this process
	hurdle     hurdle        // of the goroutine that serves

	state state // guarded by Relay.mu
}

func (r *Relay) newShard(number, of int) *shard {
	s := &shard{Relay: r, number: number, of: of, wake: make(chan struct{}, 1), hurdle: newHurdle()}
	s.state.err = errors.New("the relay has not started")
	return s
}

// name is what is shard's alone, among those of an outbox. Shard 0 is the one relay of an outbox
// without shards.
func (s *shard) name(prefix string) string {
	if s.number == 0 {
		return prefix
	}
	return prefix + "-" + strconv.Itoa(s.number)
}

// serve runs the shards that are in force until ctx ends or their number is to change, and then
// changes it.
func (r *Relay) serve(ctx context.Context) error {
	m, err := readMeta(ctx, r.db, 0)
	if err != nil {
		return err
	}
	if m.shards != m.wanted {
		return r.reshard(ctx, m)
	}
	shards := make([]*shard, m.shards)
	for i := range shards {
		shards[i] = r.newShard(i, m.shards)
	}
	r.generation(shards, nil)
	defer r.generation(nil, nil)
	var work sync.WaitGroup
	defer work.Wait()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	share := newShare(len(shards))
	lead := func(s *shard) {
		if err := r.persist(ctx, s.note, func(ctx context.Context) error { return s.serve(ctx, share) }); err != nil {
			stop(err)
		}
	}
	work.Go(func() { r.spread(ctx, shards) })
	if r.db.Dialect() == sqldb.Postgres { // SQLite has one shard for ever
		work.Go(func() {
			if r.watch(ctx, m) {
				stop(nil)
			}
		})
	}
	for _, s := range shards[1:] {
		work.Go(func() { lead(s) })
	}
	if len(shards) > 1 {
		work.Go(func() { share.keep(ctx, r) })
	}
	lead(shards[0])
	work.Wait()
	if setup, ok := errors.AsType[*SetupError](context.Cause(ctx)); ok {
		return setup
	}
	return nil
}

// spread wakes all shards when events were committed.
func (r *Relay) spread(ctx context.Context, shards []*shard) {
	for {
		select {
		case <-r.box.wake:
		case <-ctx.Done():
			return
		}
		for _, s := range shards {
			select {
			case s.wake <- struct{}{}:
			default: // it knows
			}
		}
	}
}

// watch returns true when the number of shards is not m's any more, or another one is wanted.
func (r *Relay) watch(ctx context.Context, m meta) bool {
	for sleep(ctx, r.cfg.LeaseTTL/5) == nil {
		if now, err := readMeta(ctx, r.db, 0); err == nil && (now.shards != m.shards || now.wanted != m.wanted) {
			return true
		}
	}
	return false
}

// serve waits for the lease and then leads until something goes wrong or ctx ends. The order is
// lease, fence, position, work: fencing first would make every standby end the leader's work.
func (s *shard) serve(ctx context.Context, share *share) error {
	setup, err := s.inspect(ctx)
	if err != nil {
		return err
	}
	defer setup.client.Close()
	lease, err := s.await(ctx, share)
	if err != nil {
		return err
	}
	defer share.leave(s.number)
	defer lease.end()
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	share.enter(s.number, cancel)
	err = s.lead(lease.ctx, stop, setup)
	if err != nil && lease.ctx.Err() == nil {
		err = errors.Join(err, s.tell(lease.ctx, err.Error()))
	}
	return err
}

// share is how many of the shards this process may lead: its part of them.
type share struct {
	mu    sync.Mutex
	limit int
	leads map[int]context.CancelFunc // shard -> ends its leading; nil while it tries to
}

func newShare(limit int) *share { return &share{limit: limit, leads: map[int]context.CancelFunc{}} }

// may says whether the process may try to lead one more, and counts it as one that it leads.
func (h *share) may(number int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.leads) >= h.limit {
		return false
	}
	h.leads[number] = nil
	return true
}

func (h *share) enter(number int, end context.CancelFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leads[number] = end
}

func (h *share) leave(number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.leads, number)
}

// bound sets the limit and ends the leading of those that are above it.
func (h *share) bound(limit int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit = limit
	stay := 0
	for number, end := range h.leads {
		if end == nil {
			continue // it is trying, or on its way out
		}
		if stay++; stay > limit {
			end()
			h.leads[number] = nil
		}
	}
}

// memberLeases are the names by which the processes that relay an outbox are counted.
const memberLeases = "outbox relay member "

// keep says that this process is there, as long as its relays do well, and takes its part of the
// shards: as many as there are, divided by the processes and rounded up.
func (h *share) keep(ctx context.Context, r *Relay) {
	self := &member{db: r.db, holder: r.cfg.Holder, ttl: r.cfg.LeaseTTL}
	defer func() {
		release, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		self.leave(release)
	}()
	for {
		number := self.count(ctx, r.Ready() == nil)
		if number > 0 {
			of := r.number()
			h.bound((of + number - 1) / number)
		}
		if sleep(ctx, r.cfg.LeaseTTL/4) != nil {
			return
		}
	}
}
