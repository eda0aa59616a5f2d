package outbox

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Three things are at work at once on PostgreSQL: a batch is sent, those before it are deleted, and
// where it was full the one after it is read. What holds them together:
//
//   - A read passes over the rows that were taken and are not settled: they may still be visible.
//   - A batch is committed in Kafka only when each one before it is deleted, or named by its position: a
//     takeover deletes what the last position names, and nothing else.
//   - Any error ends the reign, and with it the batch that was read ahead.

// result is a batch that was read ahead.
type result struct {
	batch *batch
	err   error
}

// pass relays one batch, empty where nothing waits.
func (g *reign) pass(ctx context.Context) (*batch, error) {
	b, err := g.take(ctx)
	if err == nil {
		err = g.reap(ctx)
	}
	if err != nil {
		return nil, err
	}
	if b.behind > 0 {
		g.counts.stragglers.Add(float64(b.behind))
		g.log.ErrorContext(ctx, "the outbox's sweep found rows below the mark: they go late, and maybe after later ones of their keys", "rows", b.behind, "row", b.rows[0].id)
	}
	if len(b.rows) == 0 {
		g.reader.sent(b)
		return b, nil
	}
	g.cfg.Hook("relay.selected")
	messages, out, letters := g.sort(ctx, b)
	earlier, named := g.unsettled(b)
	p := g.pos.next(b, out, earlier, time.Now().UTC())
	if b.streamed {
		p.Slot = g.reader.stream.slot
	}
	if err := g.parkSaid(ctx, b, out); err != nil {
		return nil, err
	}
	started := time.Now()
	flushed := g.flush(ctx, b)
	g.readAhead(ctx, b)
	ready := func() error {
		if err := <-flushed; err != nil || named {
			return err
		}
		return g.settled(ctx)
	}
	if err := g.way.send(ctx, &p, messages, letters, ready); err != nil {
		return nil, errors.Join(g.refused(ctx, b, err), g.settlePart(ctx, b, out, err))
	}
	g.pos, g.ended = p, time.Now()
	g.reader.sent(b)
	g.counts.transaction.Since(started)
	g.cfg.Hook("relay.committed")
	g.hurdle.passed(b, messages)
	g.settle(ctx, &p, b, len(messages))
	if !g.overlaps() {
		return b, g.settled(ctx)
	}
	return b, nil
}

// promote lets delayed events into the outbox that are due.
func (g *reign) promote(ctx context.Context) (err error) {
	if time.Now().Before(g.due) {
		return nil
	}
	if g.number != 0 { // one does it for all
		g.due = time.Now().Add(time.Hour)
		return nil
	}
	g.due, err = promote(ctx, g.db, g.cfg.Mode.table(), g.cfg.PollMax)
	return err
}

// overlaps says whether this reign reads and settles beside the sending.
func (g *reign) overlaps() bool { return g.setup.transactional && g.reader.fenced }

// take is the batch that was read ahead, or the next one.
func (g *reign) take(ctx context.Context) (*batch, error) {
	if ahead := g.ahead; ahead != nil {
		g.ahead = nil
		r := <-ahead
		return g.took(r.batch, r.err)
	}
	g.hold(time.Now())
	return g.took(g.reader.next(ctx, g.taken, g.kept))
}

func (g *reign) took(b *batch, err error) (*batch, error) {
	if err == nil && len(b.rows) > 0 {
		g.taken = append(g.taken, b.ids)
	}
	return b, err
}

// readAhead begins to read what comes after b, if b was full: of a batch that was not, the next one
// takes more along the later it is read.
func (g *reign) readAhead(ctx context.Context, b *batch) {
	if !b.full || !g.overlaps() {
		return
	}
	g.hold(time.Now())
	ahead, taken, kept := make(chan result, 1), slices.Clone(g.taken), g.kept
	g.ahead = ahead
	g.helpers.Go(func() {
		next, err := g.reader.next(ctx, taken, kept)
		ahead <- result{next, err}
	})
}

// flush sees to it that what b has read is on the database's disk.
func (g *reign) flush(ctx context.Context, b *batch) <-chan error {
	done := make(chan error, 1)
	if b.log == "" {
		done <- nil
		return done
	}
	g.helpers.Go(func() { done <- flushed(ctx, g.db, b.log) })
	return done
}
