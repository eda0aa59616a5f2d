package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// wire is a record as it arrives; id "" makes it one of a foreign client.
func wire(t testing.TB, topic string, offset int64, id, key, value string) leat.Wire {
	t.Helper()
	r := &kgo.Record{Topic: topic, Partition: 3, Offset: offset, Key: []byte(key), Value: []byte(value)}
	if id != "" {
		r.Headers = []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(id)},
			{Key: "ce_source", Value: []byte("elsewhere")},
			{Key: "ce_type", Value: []byte("test.thing.moved.v1")},
		}
	}
	w, err := kafka.WireOf(r)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// inboxWorld is a box with a table of effects and a handler on it.
type inboxWorld struct {
	*world
	t testing.TB
}

func newInboxWorld(t testing.TB, data *sql.Database, change ...func(*outbox.Config)) *inboxWorld {
	t.Helper()
	w := &world{t: t, data: data, name: "svc"}
	w.topic = leat.Topic{Name: "things", Carries: []any{moved{}}, Foreign: moved{}}
	w.stray = leat.Topic{Name: "strays", Carries: []any{stray{}}}
	w.db = openDB(t, data)
	w.box = w.newBox(w.db, change...)
	if err := w.box.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	data.Exec(t, `create table effect (key text, n integer)`)
	return &inboxWorld{w, t}
}

func (w *inboxWorld) bind(h leat.Handler) leat.Handler {
	w.t.Helper()
	bound, err := w.box.Bind(h)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := bound[0].Validate(); err != nil {
		w.t.Fatal(err)
	}
	return bound[0]
}

func (w *inboxWorld) effects() int64 { return w.data.Int(w.t, `select count(*) from effect`) }

// inboxOf is the table of the inbox.
func inboxOf(data *sql.Database) string {
	if data.IsPostgres() {
		return "leat_inbox_key"
	}
	return "leat_inbox"
}

// remembered is how many events the inbox knows.
func (w *inboxWorld) remembered() int64 {
	return w.data.Int(w.t, "select count(*) from "+inboxOf(w.data))
}

func (w *inboxWorld) event(h *leat.Handler, offset int64, id string) *leat.Envelope {
	return leat.NewEnvelope(wire(w.t, "things", offset, id, "k", `{"key":"k","n":1}`), &h.Kind, nil, 1)
}

func effect(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
	if _, err := tx.Exec(ctx, `insert into effect (key, n) values ($1, $2)`, e.Data.Key, e.Data.N); err != nil {
		return err
	}
	return tx.Publish(ctx, stray{N: e.Data.N})
}

func TestARepeatTakesNoSecondEffect(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		h := w.bind(outbox.Once(w.topic, effect))
		var together sync.WaitGroup
		for i := range 8 { // at once, as after a rebalance, and at other places, as after a resend
			together.Go(func() {
				if err := h.Handle(t.Context(), w.event(&h, int64(i), "id-1")); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
		if err := h.Handle(t.Context(), w.event(&h, 9, "id-2")); err != nil {
			t.Error(err)
		}
		if n, rows := w.effects(), data.Int(t, `select count(*) from leat_outbox`); n != 2 || rows != 2 {
			t.Errorf("%d effects and %d events of two events", n, rows)
		}
	})
}

func TestAnEventWithoutAnIDIsKnownByItsPlace(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		h := w.bind(outbox.Once(w.topic, effect))
		for _, offset := range []int64{5, 6, 5, 6} {
			if err := h.Handle(t.Context(), w.event(&h, offset, "")); err != nil {
				t.Error(err)
			}
		}
		if n := w.effects(); n != 2 {
			t.Errorf("%d effects of two places", n)
		}
	})
}

// An inbox row of an event that was dead-lettered would have its redrive taken for a repeat.
func TestAFailedEventLeavesNoInboxRow(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		var fault error
		h := w.bind(outbox.Once(w.topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
			return errors.Join(effect(ctx, tx, e), fault)
		}))
		for _, fault = range []error{errors.New("no luck"), leat.Permanent(errors.New("never"))} {
			if err := h.Handle(t.Context(), w.event(&h, 5, "id-1")); !errors.Is(err, fault) {
				t.Errorf("answered %v", err)
			}
		}
		if rows, n := w.remembered(), w.effects(); rows != 0 || n != 0 {
			t.Errorf("%d inbox rows and %d effects of an event that failed", rows, n)
		}
		fault = nil // redriven
		if err := h.Handle(t.Context(), w.event(&h, 77, "id-1")); err != nil || w.effects() != 1 {
			t.Errorf("the redrive: %v, %d effects", err, w.effects())
		}
	})
}

func TestOnExhaustedEndsAnEventOnce(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		cause := errors.New("used up")
		h := w.bind(outbox.Once(
			w.topic,
			func(context.Context, *outbox.Tx, *leat.Event[moved]) error { return cause },
			outbox.OnExhausted(func(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved], err error) error {
				if !errors.Is(err, cause) {
					t.Errorf("cause %v", err)
				}
				return effect(ctx, tx, e)
			}),
		))
		for range 2 { // the second after a crash before the offset was committed
			if err := h.Exhausted(t.Context(), w.event(&h, 5, "id-1"), cause); err != nil {
				t.Error(err)
			}
		}
		if err := h.Handle(t.Context(), w.event(&h, 5, "id-1")); err != nil {
			t.Errorf("an event that was ended is tried again: %v", err)
		}
		if n := w.effects(); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

func TestOnceTellsWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	box := newInboxWorld(t, sql.SQLite(t)).box
	topic := leat.Topic{Name: "things", Carries: []any{moved{}}}
	other := outbox.OnExhausted(func(context.Context, *outbox.Tx, *leat.Event[stray], error) error { return nil })
	for name, h := range map[string]leat.Handler{
		"no function":       outbox.Once[moved](topic, nil),
		"another type":      outbox.Once(topic, effect, other),
		"not on the topic":  outbox.Once(topic, func(context.Context, *outbox.Tx, *leat.Event[stray]) error { return nil }),
		"consumer's option": outbox.Once(topic, effect, consumer.OnExhausted(func(context.Context, *leat.Event[moved], error) error { return nil })),
		"an option of Once": consumer.On(topic, func(context.Context, *leat.Event[moved]) error { return nil }, outbox.OnExhausted(func(context.Context, *outbox.Tx, *leat.Event[moved], error) error { return nil })),
		"no OnExhausted":    outbox.Once(topic, effect, outbox.OnExhausted[moved](nil)),
	} {
		bound, err := box.Bind(h)
		if err == nil {
			err = bound[0].Validate()
		}
		if err == nil {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
}

func TestSweepForgetsWhatIsOld(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data, func(c *outbox.Config) { c.InboxKeep = time.Hour })
		old, young := time.Now().Add(-2*time.Hour).UnixMicro(), time.Now().Add(-time.Minute).UnixMicro()
		err := w.db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			for i := range 2600 {
				at := old
				if i >= 2500 {
					at = young
				}
				query := `insert into leat_inbox (consumer_group, source, id, at) values ('g', 's', $1, $2)`
				if data.IsPostgres() {
					query = `insert into leat_inbox_key (key, at) values (leat_inbox_id('g', 's', $1), $2)`
				}
				if _, err := tx.Exec(ctx, query, fmt.Sprint(i), at); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n, err := w.box.Sweep(t.Context())
		if left := data.Int(t, "select count(*) from "+inboxOf(data)+" where at > $1", old); err != nil || n != 2500 || left != 100 {
			t.Errorf("swept %d, left %d, %v", n, left, err)
		}
		since, err := w.box.InboxSince(t.Context())
		if err != nil || since.UnixMicro() != young {
			t.Errorf("remembers since %v, %v", since, err)
		}
	})
}

// A database that is away is not the event's fault: it must not cost an attempt.
func TestATroubledDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		h := w.bind(outbox.Once(w.topic, effect))
		w.db.Close()
		if err := h.Handle(t.Context(), w.event(&h, 5, "id-1")); !leat.IsUnavailable(err) {
			t.Errorf("answered %v", err)
		}
	})
}
