package outbox

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
)

// OnceBatch is Once for several events at a time: the inbox rows of the batch go in by one statement,
// and what fn writes and publishes for all of them is committed with them or not at all. fn gets the
// events that the inbox did not know, at most one of a key.
//
// A fault that fn tells by leat.FaultAt rolls the transaction back too; the others run again without
// that event, at once, and the event has the outcome that the fault says. After an error without an
// index the events are tried one by one. How large batches are says consumer.BatchOf, how many
// transactions run at once consumer.Parallel (without it 4). What fn publishes has a cause only under
// leat.NewContext(ctx, e.Envelope) of one of the events.
func OnceBatch[T any](topic leat.Topic, fn func(context.Context, *Tx, []*leat.Event[T]) error, options ...leat.HandlerOption) leat.Handler {
	h := leat.NewHandler[T](topic, options)
	if h.Err == nil && fn == nil {
		h.Err = errors.New("outbox.OnceBatch got no function")
	}
	return bindable[T](h, func(h leat.Handler, box *Box) leat.Handler {
		h.Batch = func(ctx context.Context, envelopes []*leat.Envelope) error {
			return runBatch(ctx, box, envelopes, func(ctx context.Context, tx *Tx, events []*leat.Event[T]) error { return fn(ctx, tx, events) })
		}
		h.Handle = func(ctx context.Context, e *leat.Envelope) error {
			ev, err := leat.DecodeEvent[T](e)
			if err != nil {
				return err
			}
			err = box.once(ctx, e, func(ctx context.Context, tx *Tx) error { return fn(ctx, tx, []*leat.Event[T]{ev}) })
			if faults, told := leat.Faults(err); told && !leat.IsUnavailable(err) && len(faults) == 1 && faults[0] != nil {
				return faults[0]
			}
			return err
		}
		return h
	})
}

// Together is an option of Once: up to n events of different keys run in one transaction, one after the
// other, with one statement for their inbox rows: what is gained is all but one of their commits. An
// event that fails takes nothing of the others with it: all is rolled back, they run again without it,
// and it runs alone, so that its outcome is its own. consumer.Parallel is then how many transactions
// run at once, without it 4, and Timeout bounds one transaction.
func Together(n int) leat.HandlerOption {
	return func(h *leat.Handler) {
		if n < 2 {
			h.Err = errors.Join(h.Err, fmt.Errorf("outbox.Together(%d) of the handler of %s: want at least 2", n, h.Kind.Type))
		}
		h.BatchMax, h.BatchWait = n, -1
	}
}

// together runs fn for each event of a batch in one transaction.
func together[T any](box *Box, fn func(context.Context, *Tx, *leat.Event[T]) error) func(context.Context, []*leat.Envelope) error {
	each := func(ctx context.Context, tx *Tx, events []*leat.Event[T]) error {
		var skipped []error
		for i, ev := range events {
			err := fn(leat.NewContext(ctx, ev.Envelope), tx, ev)
			if _, skip := leat.SkipReason(err); skip {
				skipped = append(skipped, leat.FaultAt(i, err))
			} else if err != nil {
				return leat.FaultAt(i, err) // behind it the transaction may be aborted
			}
		}
		return errors.Join(skipped...)
	}
	return func(ctx context.Context, envelopes []*leat.Envelope) error {
		err := runBatch(ctx, box, envelopes, each)
		faults, told := leat.Faults(err)
		if !told || leat.IsUnavailable(err) {
			return err
		}
		var own []error
		for i, fault := range faults {
			_, skip := leat.SkipReason(fault)
			if _, undecodable := errors.AsType[*leat.UndecodableError](fault); skip || undecodable {
				own = append(own, leat.FaultAt(i, fault))
				continue
			}
			own = append(own, leat.FaultAt(i, alone(ctx, box, envelopes[i], fn)))
		}
		return errors.Join(own...)
	}
}

// alone runs one event of a batch in a transaction of its own.
func alone[T any](ctx context.Context, box *Box, e *leat.Envelope, fn func(context.Context, *Tx, *leat.Event[T]) error) error {
	ev, err := leat.DecodeEvent[T](e)
	if err != nil {
		return err
	}
	ctx = leat.NewContext(ctx, e)
	return box.once(ctx, e, func(ctx context.Context, tx *Tx) error { return fn(ctx, tx, ev) })
}

// batchRounds is how often a batch is begun anew without the events that failed in it, before its events
// are tried one by one.
const batchRounds = 4

// errManyFaults is why a batch was given up.
var errManyFaults = errors.New("events of the batch failed each time that it ran without those that had failed before")

// runBatch decodes the events of a batch and runs fn on them in one transaction; events that fail are
// left out of the next try. The faults that it returns say which.
func runBatch[T any](ctx context.Context, b *Box, envelopes []*leat.Envelope, fn func(context.Context, *Tx, []*leat.Event[T]) error) error {
	var faults []error
	var places []int // of the events that are left
	events := make([]*leat.Event[T], len(envelopes))
	for i, e := range envelopes {
		ev, err := leat.DecodeEvent[T](e)
		if err != nil {
			faults = append(faults, leat.FaultAt(i, err))
			continue
		}
		events[i], places = ev, append(places, i)
	}
	for range batchRounds {
		if len(places) == 0 {
			return errors.Join(faults...)
		}
		var failed []int
		err := b.onceBatch(ctx, envelopes, places, func(ctx context.Context, tx *Tx, fresh []int) error {
			batch := make([]*leat.Event[T], len(fresh))
			for i, at := range fresh {
				batch[i] = events[at]
			}
			err := fn(ctx, tx, batch)
			failed = fresh
			return err
		})
		if err == nil {
			return errors.Join(faults...)
		}
		found, told := leat.Faults(err)
		if !told || leat.IsUnavailable(err) {
			return err
		}
		for i, fault := range found {
			if i < 0 || i >= len(failed) {
				return fmt.Errorf("the handler tells of a fault at index %d of a batch of %d: %s", i, len(failed), err)
			}
			faults = append(faults, leat.FaultAt(failed[i], fault))
			places = slices.DeleteFunc(places, func(at int) bool { return at == failed[i] })
		}
	}
	return errManyFaults
}

// onceBatch is once for the envelopes at the given places: fn gets the places of those that the inbox
// did not know.
func (b *Box) onceBatch(ctx context.Context, envelopes []*leat.Envelope, places []int, fn func(ctx context.Context, tx *Tx, fresh []int) error) error {
	entries := b.entriesOf(envelopes, places)
	repeats := 0
	attempt := func(ctx context.Context, tx *Tx, remember func(context.Context, *sqldb.Tx, []entry) ([]int, error)) error {
		if err := fenced(ctx, tx.Tx); err != nil {
			return err
		}
		fresh, err := remember(ctx, tx.Tx, entries)
		if err != nil {
			return fmt.Errorf("write inbox: %w", err)
		}
		if repeats = len(places) - len(fresh); len(fresh) == 0 {
			return nil
		}
		if err := fn(ctx, tx, fresh); err != nil {
			return err
		}
		b.cfg.Hook("once.committing")
		return nil
	}
	err := errRepeats
	if b.db.Dialect() == sqldb.Postgres && time.Since(time.UnixMicro(b.repeated.Load())) > wary {
		err = b.Tx(ctx, func(ctx context.Context, tx *Tx) error { return attempt(ctx, tx, b.rememberNew) })
	}
	if errors.Is(err, errRepeats) {
		err = b.Tx(ctx, func(ctx context.Context, tx *Tx) error { return attempt(ctx, tx, b.remember) })
	}
	if err != nil {
		return err
	}
	if repeats > 0 {
		b.repeated.Store(time.Now().UnixMicro())
	}
	b.counts.repeats.Add(float64(repeats))
	b.cfg.Hook("once.committed")
	return nil
}

// entry is what an event is in the inbox, and its place in the batch.
type entry struct {
	key        key    // on PostgreSQL
	source, id string // on SQLite
	place      int
}

// entriesOf are the events in the order in which their rows go in. On PostgreSQL that is the order of the
// keys: two members with the same events, in other batches, wait for each other and never in a circle.
func (b *Box) entriesOf(envelopes []*leat.Envelope, places []int) []entry {
	entries := make([]entry, len(places))
	if b.db.Dialect() == sqldb.SQLite {
		for i, at := range places {
			source, id := envelopes[at].Identity()
			entries[i] = entry{source: source, id: id, place: at}
		}
		return entries
	}
	keys := newKeyer(b.cfg.Group)
	for i, at := range places {
		entries[i] = entry{key: keys.of(envelopes[at].Identity()), place: at}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(bytes.Compare(a.key[:], b.key[:]), a.place-b.place) })
	return entries
}

// wary is for how long after a repeat the next batch is taken to have some too: they come in crowds,
// after a crash or a rebalance.
const wary = 10 * time.Second

// errRepeats says that the inbox knows an event of the batch.
var errRepeats = errors.New("the inbox knows an event of the batch")

// rememberNew writes the inbox rows of events that are most likely all new, on PostgreSQL: to look for
// repeats would cost a quarter of the speed. A repeat ends the transaction with errRepeats.
func (b *Box) rememberNew(ctx context.Context, tx *sqldb.Tx, entries []entry) ([]int, error) {
	if _, err := tx.Exec(ctx, rememberNew, keysOf(entries), time.Now().UnixMicro()); err != nil {
		if sqldb.IsUnique(err) {
			return nil, errRepeats
		}
		return nil, err
	}
	fresh := make([]int, len(entries))
	for i, e := range entries {
		fresh[i] = e.place
	}
	slices.Sort(fresh)
	return fresh, nil
}

const rememberNew = `insert into leat_inbox_key (key, at) select unnest($1::uuid[]), $2`

func keysOf(entries []entry) []key {
	keys := make([]key, len(entries))
	for i := range entries {
		keys[i] = entries[i].key
	}
	return keys
}

// remember writes the inbox rows and returns the places of the events that had none, in the order in
// which they came. What comes back from the database are the rows' times, each a microsecond after the
// one before: they tell which is which at the least cost.
func (b *Box) remember(ctx context.Context, tx *sqldb.Tx, entries []entry) ([]int, error) {
	fresh := make([]int, 0, len(entries))
	for some := range slices.Chunk(entries, maxRemember) {
		now := time.Now().UnixMicro()
		query, args := b.insertInboxRows(tx.Dialect(), some, now)
		rows, err := tx.Query(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var at int64
			if err := rows.Scan(&at); err != nil {
				_ = rows.Close()
				return nil, err
			}
			fresh = append(fresh, some[at-now].place)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	slices.Sort(fresh)
	return fresh, nil
}

// maxRemember bounds the rows of one statement: SQLite takes 32,766 parameters.
const maxRemember = 10_000

const rememberRows = `insert into leat_inbox_key (key, at)
	select e.key, $2 + e.n - 1 from unnest($1::uuid[]) with ordinality as e(key, n)
	on conflict do nothing returning at`

// insertInboxRows is the statement that writes the rows, the first at now and each of the others a
// microsecond later, and returns the times of those that are new.
func (b *Box) insertInboxRows(d sqldb.Dialect, entries []entry, now int64) (string, []any) {
	if d == sqldb.Postgres {
		return rememberRows, []any{keysOf(entries), now}
	}
	args := make([]any, 0, 2+2*len(entries))
	args = append(args, b.cfg.Group, now)
	var text strings.Builder
	text.WriteString(`insert into leat_inbox (consumer_group, source, id, at) values `)
	for i, e := range entries {
		args = append(args, e.source, e.id)
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `($1, $%d, $%d, $2 + %d)`, len(args)-1, len(args), i)
	}
	text.WriteString(` on conflict do nothing returning at`)
	return text.String(), args
}
