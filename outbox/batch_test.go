package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// several are events with the given ids, each of its own key and with its place as N.
func (w *inboxWorld) several(h *leat.Handler, ids ...string) []*leat.Envelope {
	var all []*leat.Envelope
	for i, id := range ids {
		all = append(all, leat.NewEnvelope(wire(w.t, "things", int64(i), id, "k"+id, fmt.Sprintf(`{"key":"k%s","n":%d}`, id, i)), &h.Kind, nil, 1))
	}
	return all
}

func ids(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint("id-", i))
	}
	return all
}

// effectsOf is the handler of a whole batch: one statement for all of it, and an event for each.
func effectsOf(ctx context.Context, tx *outbox.Tx, events []*leat.Event[moved]) error {
	for _, e := range events {
		if err := effect(leat.NewContext(ctx, e.Envelope), tx, e); err != nil {
			return err
		}
	}
	return nil
}

// eachWay runs body for both ways to handle events together, on both databases.
func eachWay(t *testing.T, body func(t *testing.T, w *inboxWorld, h leat.Handler)) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		for name, of := range map[string]func(leat.Topic) leat.Handler{
			"batch":    func(topic leat.Topic) leat.Handler { return outbox.OnceBatch(topic, effectsOf) },
			"together": func(topic leat.Topic) leat.Handler { return outbox.Once(topic, effect, outbox.Together(500)) },
		} {
			t.Run(name, func(t *testing.T) {
				w := newInboxWorld(t, data)
				body(t, w, w.bind(of(w.topic)))
			})
			for _, clear := range []string{`drop table effect`, `delete from ` + inboxOf(data), `delete from leat_outbox`, `delete from leat_fence`} {
				data.Exec(t, clear)
			}
		}
	})
}

// Batches with events that were handled before, alone or in other batches and also at the same time,
// and with the same event twice, take each effect once.
func TestARepeatInABatchTakesNoSecondEffect(t *testing.T) {
	eachWay(t, func(t *testing.T, w *inboxWorld, h leat.Handler) {
		if err := h.Handle(t.Context(), w.several(&h, "id-7")[0]); err != nil {
			t.Error(err)
		}
		var together sync.WaitGroup
		for i := range 6 {
			together.Go(func() {
				all := append(ids(0, 100), ids(40, 60)...)
				rand.New(rand.NewPCG(uint64(i), 1)).Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
				if err := h.Batch(t.Context(), w.several(&h, all...)); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
		if err := h.Batch(t.Context(), w.several(&h, ids(90, 110)...)); err != nil {
			t.Error(err)
		}
		if n, rows := w.effects(), w.data.Int(t, `select count(*) from leat_outbox`); n != 110 || rows != 110 {
			t.Errorf("%d effects and %d events of 110", n, rows)
		}
	})
}

// Faults by index: what failed leaves nothing behind, no inbox row either, and the rest is committed
// at once.
func TestAFaultOfABatchRollsBackItsEventOnly(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		no := errors.New("no")
		h := w.bind(outbox.OnceBatch(w.topic, func(ctx context.Context, tx *outbox.Tx, events []*leat.Event[moved]) error {
			if err := effectsOf(ctx, tx, events); err != nil {
				return err
			}
			var faults []error
			for i, e := range events {
				switch e.Data.N {
				case 3:
					faults = append(faults, leat.FaultAt(i, leat.Permanent(no)))
				case 5:
					faults = append(faults, leat.FaultAt(i, leat.Skip("old")))
				case 8:
					if len(events) < 10 { // seen only when the first two are out
						faults = append(faults, leat.FaultAt(i, no))
					}
				}
			}
			return errors.Join(faults...)
		}))
		all := w.several(&h, ids(0, 11)...)
		all[1] = leat.NewEnvelope(wire(t, "things", 1, "id-1", "k", `{no json`), &h.Kind, nil, 1)
		faults, told := leat.Faults(h.Batch(t.Context(), all))
		if _, skipped := leat.SkipReason(faults[5]); !told || len(faults) != 4 || !leat.IsPermanent(faults[3]) || !skipped || !errors.Is(faults[8], no) || !leat.IsPermanent(faults[1]) {
			t.Errorf("faults %v", faults)
		}
		if n, rows, out := w.effects(), w.remembered(), w.data.Int(t, `select count(*) from leat_outbox`); n != 7 || rows != 7 || out != 7 {
			t.Errorf("%d effects, %d inbox rows and %d events, want 7 of each", n, rows, out)
		}
	})
}

func TestABatchThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		no := errors.New("no")
		bad := true
		h := w.bind(outbox.OnceBatch(w.topic, func(ctx context.Context, tx *outbox.Tx, events []*leat.Event[moved]) error {
			if err := effectsOf(ctx, tx, events); err != nil || !bad {
				return err
			}
			return no
		}))
		all := w.several(&h, ids(0, 10)...)
		if err := h.Batch(t.Context(), all); !errors.Is(err, no) {
			t.Errorf("%v", err)
		}
		if n, rows := w.effects(), w.remembered(); n != 0 || rows != 0 {
			t.Errorf("%d effects and %d inbox rows of a batch that failed", n, rows)
		}
		bad = false
		if err := h.Handle(t.Context(), all[2]); err != nil {
			t.Error(err)
		}
		if err := h.Batch(t.Context(), all); err != nil {
			t.Error(err)
		}
		if n := w.effects(); n != 10 {
			t.Errorf("%d effects of 10 events", n)
		}
	})
}

// An event that fails among others, also by a statement that aborts the transaction on PostgreSQL, is
// tried alone, so that its error is its own, and the others are committed together.
func TestAnEventThatFailsTogetherWithOthersIsTriedAlone(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		w.data.Exec(t, `create unique index effect_n on effect (n)`)
		w.data.Exec(t, `insert into effect (key, n) values ('before', 4)`)
		runs := map[string]int{}
		h := w.bind(outbox.Once(w.topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
			runs[e.Key()]++
			if leat.FromContext(ctx).ID() != e.ID() {
				t.Errorf("%s runs under the context of %s", e.ID(), leat.FromContext(ctx).ID())
			}
			switch {
			case e.Data.N == 6:
				return leat.Skip("old")
			case e.Data.N == 8 && runs[e.Key()] == 1:
				return errors.New("only in company")
			}
			return effect(ctx, tx, e)
		}, outbox.Together(50)))
		faults, told := leat.Faults(h.Batch(t.Context(), w.several(&h, ids(0, 12)...)))
		_, skipped := leat.SkipReason(faults[6])
		if !told || len(faults) != 2 || !skipped || faults[4] == nil || leat.IsUnavailable(faults[4]) {
			t.Errorf("faults %v", faults)
		}
		if n, rows := w.effects(), w.remembered(); n != 11 || rows != 10 {
			t.Errorf("%d effects and %d inbox rows, want 10 and the one that was there, and 10", n, rows)
		}
		if n := runs["kid-0"]; n > 5 {
			t.Errorf("an event without fault ran %d times", n)
		}
	})
}

func TestABatchUnderAnOlderClaimTakesNoEffect(t *testing.T) {
	eachWay(t, func(t *testing.T, w *inboxWorld, h leat.Handler) {
		other := claim(3)
		other.Partition++
		for _, f := range []leat.Fence{claim(5), other} {
			if err := h.Fence(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		before := w.effects()
		ctx := leat.WithFences(t.Context(), []leat.Fence{other, claim(4)})
		if err := h.Batch(ctx, w.several(&h, ids(200, 210)...)); !leat.IsUnavailable(err) {
			t.Errorf("%v", err)
		}
		if n := w.effects(); n != before {
			t.Errorf("%d effects under a claim that is over", n-before)
		}
		ctx = leat.WithFences(t.Context(), []leat.Fence{other, claim(5)})
		if err := h.Batch(ctx, w.several(&h, ids(200, 210)...)); err != nil {
			t.Error(err)
		}
		if n := w.effects(); n != before+10 {
			t.Errorf("%d effects of 10 events", n-before)
		}
	})
}

func TestTroubleOfTheDatabaseHoldsForTheWholeBatch(t *testing.T) {
	eachWay(t, func(t *testing.T, w *inboxWorld, h leat.Handler) {
		w.db.Close()
		if err := h.Batch(t.Context(), w.several(&h, ids(0, 3)...)); !leat.IsUnavailable(err) {
			t.Errorf("%v", err)
		}
	})
}

func TestOptionsForEventsTogetherAreChecked(t *testing.T) {
	t.Parallel()
	w := newInboxWorld(t, sql.SQLite(t))
	for name, h := range map[string]leat.Handler{
		"together one":      outbox.Once(w.topic, effect, outbox.Together(1)),
		"no function":       outbox.OnceBatch[moved](w.topic, nil),
		"consumer's end":    outbox.OnceBatch(w.topic, effectsOf, consumer.OnExhausted(func(context.Context, *leat.Event[moved], error) error { return nil })),
		"together on an On": consumer.On(w.topic, func(context.Context, *leat.Event[moved]) error { return nil }, outbox.Together(5)),
	} {
		if bound, err := w.box.Bind(h); err == nil && bound[0].Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Members come and go, handlers fail by index, as a whole and by panic, the database is cut off once:
// each event takes effect once and those of a key in order, batches or together.
func TestBatchesTakeEffectOnceWhileMembersComeAndGo(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		const keys, n = 40, 20
		w.data.Exec(t, `create table effect (number `+map[bool]string{true: "bigint generated always as identity", false: "integer primary key autoincrement"}[w.data.IsPostgres()]+`, key text, n integer)`)
		send(t, w, keys, n)
		var calls atomic.Int64
		h := outbox.OnceBatch(w.topic, func(ctx context.Context, tx *outbox.Tx, events []*leat.Event[moved]) error {
			for _, e := range events {
				if _, err := tx.Exec(ctx, `insert into effect (key, n) values ($1, $2)`, e.Key(), e.Data.N); err != nil {
					return err
				}
			}
			switch at := int(calls.Add(1)); {
			case at%7 == 3:
				return leat.FaultAt(at%len(events), errors.New("not yet"))
			case at%7 == 5:
				return errors.New("not yet")
			case at%14 == 6 && len(events) > 1: // alone, two in a row would end the event
				panic("not yet")
			}
			return nil
		}, consumer.BatchOf(10, 5*time.Millisecond), consumer.WithRetry(leat.Retry{Attempts: -1, Base: time.Millisecond, Max: 5 * time.Millisecond}))
		bound, err := w.box.Bind(h)
		if err != nil {
			t.Fatal(err)
		}
		group := w.b.Name("batches")
		start := func() (stop func()) {
			c, err := consumer.New(consumer.Config{Group: group, Kafka: w.kafka(), Handlers: bound, Logger: quiet(), CommitInterval: 20 * time.Millisecond, SessionTimeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			stop = sync.OnceFunc(func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
			t.Cleanup(stop)
			return stop
		}
		has := func(want int64) {
			leattest.Eventually(t, fmt.Sprint(want, " effects"), func() error {
				if got := w.data.Int(t, `select count(*) from effect`); got < want {
					return fmt.Errorf("%d", got)
				}
				return nil
			})
		}
		first := start()
		has(100)
		second := start()
		has(300)
		first()
		start()
		has(500)
		second()
		has(keys * n)
		leattest.Eventually(t, "all is committed", func() error {
			var sum int64
			for _, at := range w.b.Committed(t, group, w.topic.Name) {
				sum += at
			}
			if sum < keys*n { // and the markers of transactions
				return fmt.Errorf("%d", sum)
			}
			return nil
		})
		if total := w.data.Int(t, `select count(*) from effect`); total != keys*n {
			t.Errorf("%d effects of %d events", total, keys*n)
		}
		if bad := w.data.Int(t, `select count(*) from effect a join effect b on a.key = b.key and a.n < b.n and a.number > b.number`); bad != 0 {
			t.Errorf("%d pairs of a key out of order", bad)
		}
	})
}

// send writes n events of each key to the topic, in order.
func send(t *testing.T, w *world, keys, n int) {
	t.Helper()
	var events []any
	for i := range n {
		for k := range keys {
			events = append(events, moved{Key: fmt.Sprint("k", k), N: i})
		}
	}
	w.relay()
	for some := range slices.Chunk(events, 200) {
		w.publish(some...)
	}
	w.empty()
}

// A handler hangs in its transaction and ignores the end of its time. When it comes back and says that
// all is well, nothing of it is committed, and nobody had to wait for its locks.
func TestAHungHandlerCanNeverCommit(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		wrote, hang := make(chan struct{}), make(chan struct{})
		h := w.bind(outbox.Once(w.topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
			err := effect(ctx, tx, e)
			if e.Attempt() == 1 {
				close(wrote)
				<-hang
			}
			return err
		}))
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Handle(ctx, w.event(&h, 1, "id-1")) }()
		<-wrote
		cancel(context.DeadlineExceeded)
		again := leat.NewEnvelope(wire(t, "things", 1, "id-1", "k", `{"key":"k","n":1}`), &h.Kind, nil, 2)
		if err := h.Handle(t.Context(), again); err != nil { // as its partition's next owner does
			t.Error(err)
		}
		close(hang)
		if err := <-ended; err == nil {
			t.Error("the hung handler committed")
		}
		if n := w.effects(); n != 1 {
			t.Errorf("%d effects of one event", n)
		}
	})
}
