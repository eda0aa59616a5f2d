package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

// reign is the time from one takeover to the next error: all that the relay knows, it forgets then.
type reign struct {
	*shard
	setup  *setup
	way    way
	reader *reader
	pos    position // the last one written; its Database and Token hold for the reign
	pace   time.Duration
	upkept time.Time // when upkeep last looked
	due    time.Time // when to look for delayed events that are due
	drain  wal.LSN   // mode exact after mode message: when the stream has passed this, the slot goes; 0: it stays

	helpers  sync.WaitGroup // reads and settlements beside the sending
	taken    []ids          // batches that were read and are not settled yet, oldest first
	kept     *cursor        // when all of them but the last are settled; nil: leat_outbox_kept is not read
	ahead    chan result    // the next batch, being read; nil: none is
	behind   []sent         // batches that are committed and not known to be settled, oldest first
	settling *settlement    // of the first of them, under way or not yet looked at; nil: none is
	ended    time.Time      // when the last batch was committed

	retireAt time.Time // when to try again to take a partition away
}

// way is a way out to Kafka, open for one reign and thrown away after any error.
type way interface {
	// last is the outbox's position as Kafka has it, nil for none. It is read after all earlier
	// relays have been fenced off, so it is final.
	last(ctx context.Context) (*position, error)
	// send sends the messages and letters and, where the way keeps one, the position: all of it or
	// nothing where there are transactions. An error leaves it open whether it was sent.
	// ready, where set, is awaited when all is on its way and before it counts.
	send(ctx context.Context, p *position, messages []leat.Message, letters []leat.Message, ready func() error) error
	// tend looks after what was sent, while nothing is.
	tend(ctx context.Context) error
	close()
}

// lead takes over and relays until an error or the end of stop. work outlives stop, so that what is
// in hand is finished.
func (s *shard) lead(work, stop context.Context, set *setup) error {
	w, err := s.open(work, set)
	if err != nil {
		return err
	}
	defer w.close()
	g := &reign{shard: s, setup: set, way: w, pace: s.cfg.PollMin}
	g.reader = &reader{db: s.db, fenced: s.db.Dialect() == sqldb.Postgres, every: s.cfg.SweepEvery, look: look{rows: s.cfg.BatchRows, bytes: s.cfg.BatchBytes, shard: s.number, of: s.of}}
	defer func() {
		if g.reader.stream != nil {
			g.reader.stream.close()
		}
	}()
	if err := g.takeOver(work); err != nil {
		return fmt.Errorf("take over the outbox: %w", err)
	}
	if err := g.findKept(work); err != nil {
		return err
	}
	unheard := s.heard(work)
	s.leads(unheard)
	defer s.standsBy(nil)
	var keeper sync.WaitGroup
	defer keeper.Wait()
	keep, done := context.WithCancel(stop)
	defer done()
	if s.number == 0 {
		keeper.Go(func() { _ = s.box.KeepInbox(keep) })
	}
	defer g.helpers.Wait()
	for stop.Err() == nil && !g.drained() {
		b, err := g.pass(work)
		if err != nil {
			return err
		}
		if err := errors.Join(g.promote(work), g.upkeep(work)); err != nil {
			return err
		}
		if unheard != nil {
			unheard = s.heard(work)
			s.leads(unheard)
		}
		g.rest(stop, b)
		if err := context.Cause(work); err != nil {
			return err
		}
	}
	if err := g.settled(work); err != nil || stop.Err() != nil {
		return err
	}
	return g.silence(work)
}

// hold passes the events of blocked topics over until their next try, and then begins at the head:
// what waited goes first.
func (g *reign) hold(now time.Time) {
	g.reader.look.rows = g.cfg.BatchRows
	if g.hurdle.narrow > 0 {
		if g.reader.look.rows = g.hurdle.narrow; g.hurdle.narrow >= g.cfg.BatchRows {
			g.hurdle.narrow = 0
		}
	}
	held := g.hurdle.held(now, g.cfg.Patience)
	if !maps.Equal(held, g.reader.held) {
		g.reader.held = held
		g.reader.rewind()
	}
}

// refusedError says that a batch was refused for what is in it, and that the next try is another one.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// refused takes in that the batch was not sent.
func (g *reign) refused(ctx context.Context, b *batch, err error) error {
	err = fmt.Errorf("send %d events: %w", len(b.rows), err)
	if !g.hurdle.refused(b, g.box.cfg.Group, err, time.Now()) {
		return err
	}
	if lerr := g.relearn(ctx, b); lerr != nil {
		return errors.Join(err, lerr)
	}
	return &refusedError{err}
}

// settlePart ends those rows of a batch that a way without transactions has sent before it failed: or
// one event that can't leave would have the others sent again and again.
func (g *reign) settlePart(ctx context.Context, b *batch, out []parked, err error) error {
	partly, ok := errors.AsType[*kafka.SendError](err)
	if !ok || g.setup.transactional {
		return nil
	}
	stay := map[int64]bool{}
	for _, q := range out {
		stay[q.ID] = true // their letters come after the messages
	}
	var order []int64 // of the messages' rows
	for i := range b.rows {
		if id := b.rows[i].id; !stay[id] {
			order = append(order, id)
		}
	}
	for _, f := range partly.Failures {
		if f.Index < len(order) && partly.Sent == len(order) {
			stay[order[f.Index]] = true
		}
	}
	var left, kept ids
	for i := range b.rows {
		r := &b.rows[i]
		if r.said() || stay[r.id] {
			continue
		}
		if left = left.add(r.id); r.kept {
			kept = kept.add(r.id)
		}
	}
	var c *cursor
	if len(kept) > 0 {
		next := g.kept.with(kept, 0)
		c = &next
	}
	if err := settle(ctx, g.db, departure{Rows: left}, c); err != nil {
		return fmt.Errorf("settle those that were sent: %w", err)
	}
	return nil
}

// upkeep looks at the whole outbox every few seconds, for the metrics, and leaves word of what holds
// the head up or that nothing does.
func (g *reign) upkeep(ctx context.Context) error {
	if now := time.Now(); now.Sub(g.upkept) >= g.cfg.SweepEvery {
		g.upkept = now
		seen, err := g.box.Status(ctx)
		if err != nil {
			return err
		}
		g.mu.Lock()
		g.state.seen = seen
		g.mu.Unlock()
		if err := errors.Join(g.watch(ctx), g.checkKept(ctx), g.way.tend(ctx)); err != nil {
			return err
		}
		g.keep(ctx)
	}
	return g.tell(ctx, g.hurdle.trouble())
}

// rest waits for the next look. After a full batch it does not; after another one it lets the pause
// between two transactions pass, so that the next takes along what comes meanwhile; after none it
// waits until this process commits events, or twice as long as the last time.
func (g *reign) rest(stop context.Context, b *batch) {
	wait := g.pace
	switch {
	case b.full:
		g.pace = g.cfg.PollMin
		return
	case len(b.rows) > 0:
		g.pace = g.cfg.PollMin
		if g.setup.transactional {
			_ = sleep(stop, time.Until(g.ended.Add(g.cfg.Pause-g.reader.took)))
		}
		return
	case g.reader.streams(): // the read has waited
		select {
		case <-g.box.wake:
			g.due = time.Time{}
		default:
		}
		return
	case g.pace < g.cfg.PollMax:
		g.pace = min(2*g.pace, g.cfg.PollMax)
	}
	timer := time.NewTimer(min(wait, time.Until(g.due)))
	defer timer.Stop()
	select {
	case <-g.wake:
		g.pace, g.due = g.cfg.PollMin, time.Time{}
	case <-timer.C:
	case <-stop.Done():
	}
}

// takeOver makes this relay the only one: the way has fenced the earlier ones off, so the position
// that Kafka has is final. The rows that it names have left and go now, if they still are those rows.
func (g *reign) takeOver(ctx context.Context) error {
	g.pos.Database = g.setup.database
	last, err := g.way.last(ctx)
	if err != nil {
		return err
	}
	m, err := readMeta(ctx, g.db, g.number)
	if err != nil {
		return err
	}
	if m.shards != g.of {
		return errResharded
	}
	g.counts.takeovers.Inc()
	if !g.setup.transactional {
		return g.enslot(ctx, nil, m.slot, false)
	}
	sure := false
	switch {
	case last != nil:
		g.pos.Number = last.Number
		odd := last.strange(g.setup.database, m.token, m.before)
		if sure = odd == ""; !sure {
			g.warn(ctx, odd)
		}
		if err := g.resettle(ctx, last); err != nil {
			return err
		}
	case m.before != "":
		g.warn(ctx, fmt.Sprintf("Kafka has no position of this outbox in topic %s, and had one: the topic was deleted, or this is another cluster or prefix; the relay goes on, and sends again what had left and was not yet deleted", g.cfg.PositionTopic))
	}
	if err := g.enslot(ctx, last, m.slot, sure); err != nil {
		return err
	}
	return g.crown(ctx, last)
}

// resettle ends what the last relay sent and did not delete.
func (g *reign) resettle(ctx context.Context, last *position) error {
	for _, d := range append(last.Earlier, last.departure) {
		f, err := resettle(ctx, g.db, d)
		if err != nil {
			return fmt.Errorf("settle sent events: %w", err)
		}
		switch f {
		case settled:
			g.log.InfoContext(ctx, "rows that an earlier relay had sent are deleted", "rows", d.Rows.count())
		case foreign:
			g.warn(ctx, fmt.Sprintf("rows %v are not those that were sent with these ids: the database lost rows and gave their ids to others; they stay and are sent", d.Rows))
		}
	}
	return nil
}

// crown leaves a token of this takeover in the database and then in Kafka. The database keeps beside
// it the one that Kafka has until the second step is done, so that a crash in between is no surprise.
func (g *reign) crown(ctx context.Context, last *position) error {
	before := ""
	if last != nil {
		before = last.Token
	}
	g.pos.Token = leat.NewID()
	if err := writeTokens(ctx, g.db, g.number, g.pos.Token, before); err != nil {
		return err
	}
	p := g.pos
	p.Number, p.At, p.Digest = p.Number+1, time.Now().UTC(), newDigest().String()
	if err := g.way.send(ctx, &p, nil, nil, nil); err != nil {
		return fmt.Errorf("write the position: %w", err)
	}
	g.pos = p
	return writeTokens(ctx, g.db, g.number, g.pos.Token, g.pos.Token)
}

// errLost says that the lease could not be kept.
var errLost = errors.New("the relay's lease is lost")
