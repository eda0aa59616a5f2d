package outbox

import (
	"context"
	"fmt"
	"slices"
)

// Batches that are committed in Kafka go out of the database behind the sending, as many at once as
// have come meanwhile. Until that is known to be done, the positions of later batches name them too.

// sent is a batch that is committed in Kafka.
type sent struct {
	departure
	cursor   *cursor // to be moved with it; nil: it has no rows of leat_outbox_kept
	messages int
}

// settlement is batches on their way out of the database, in one transaction.
type settlement struct {
	batches int // so many of the oldest
	done    chan error
}

// A position names earlier batches within these bounds; beyond them a batch waits for those before it.
const (
	maxEarlier     = 64
	maxEarlierRuns = 1000
)

// unsettled are the batches that the position of b is to name, and whether that is all of them.
func (g *reign) unsettled(b *batch) (earlier []departure, all bool) {
	runs, rows := 0, int64(0)
	for i := range g.behind {
		s := &g.behind[i]
		if s.cursor != nil || len(s.Parked) > 0 {
			return nil, false
		}
		runs, rows = runs+len(s.Rows), rows+s.Rows.count()
		earlier = append(earlier, s.departure)
	}
	if len(b.kept) > 0 && len(earlier) > 0 || len(earlier) > maxEarlier || runs > maxEarlierRuns || rows > 2*int64(g.cfg.BatchRows) {
		return nil, false
	}
	return earlier, true
}

// settle ends the rows of a batch that is committed, behind those before it.
func (g *reign) settle(ctx context.Context, p *position, b *batch, messages int) {
	s := sent{departure: p.departure, messages: messages}
	if len(b.kept) > 0 {
		next := g.kept.with(b.kept, b.floor)
		s.cursor, g.kept = &next, &next
	}
	g.behind = append(g.behind, s)
	g.settleNext(ctx)
}

// settleNext begins to end the rows of all batches behind, unless some are under way. A move of the
// cursor is a transaction of its own.
func (g *reign) settleNext(ctx context.Context) {
	if g.settling != nil || len(g.behind) == 0 {
		return
	}
	s, all, c := &settlement{batches: 1, done: make(chan error, 1)}, g.behind[0].departure, g.behind[0].cursor
	for _, next := range g.behind[1:] {
		if c != nil || next.cursor != nil {
			break
		}
		all.Rows, all.Parked = all.Rows.union(next.Rows), slices.Concat(all.Parked, next.Parked)
		s.batches++
	}
	g.settling = s
	g.helpers.Go(func() { s.done <- settle(ctx, g.db, all, c) })
}

// reap takes in what is settled by now, and goes on with the rest.
func (g *reign) reap(ctx context.Context) error {
	if g.settling == nil {
		return nil
	}
	select {
	case err := <-g.settling.done:
		return g.reaped(ctx, err)
	default:
		return nil
	}
}

// settled waits until all batches that are committed are out of the database.
func (g *reign) settled(ctx context.Context) error {
	for g.settling != nil {
		if err := g.reaped(ctx, <-g.settling.done); err != nil {
			return err
		}
	}
	return nil
}

func (g *reign) reaped(ctx context.Context, err error) error {
	if err != nil {
		return fmt.Errorf("settle sent events: %w", err)
	}
	n := g.settling.batches
	for _, s := range g.behind[:n] {
		g.cfg.Hook("relay.deleted")
		g.counts.published.Add(float64(s.messages))
		g.counts.parked.Add(float64(len(s.Parked)))
	}
	g.taken, g.behind, g.settling = slices.Delete(g.taken, 0, n), slices.Delete(g.behind, 0, n), nil
	g.settleNext(ctx)
	return nil
}
