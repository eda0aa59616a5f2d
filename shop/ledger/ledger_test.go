package ledger_test

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/ledger"
	"github.com/leatdev/leat/sqldb"
)

// wire is a record in memory.
type wire struct {
	id, value string
	offset    int64
}

func (w wire) Position() leat.Position {
	return leat.Position{Topic: "shop.shipments", Partition: 3, Offset: w.offset}
}
func (w wire) Timestamp() time.Time { return time.Unix(1000, 0) }
func (w wire) Key() []byte          { return []byte("o1") }
func (w wire) Value() []byte        { return []byte(w.value) }
func (w wire) Attribute(name string) string {
	return map[string]string{"id": w.id, "source": "shipping", "type": contract.ShipmentCancelled{}.EventType()}[name]
}
func (w wire) Header(string) []byte               { return nil }
func (w wire) Headers() iter.Seq2[string, []byte] { return func(func(string, []byte) bool) {} }

type fixture struct {
	db      *sqldb.DB
	box     *outbox.Box
	handler leat.Handler
	fail    error
	handled int
}

func setup(t *testing.T) *fixture {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "t.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	box, err := outbox.New(outbox.Config{DB: db, Source: "order"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(box.Migrate(t.Context()), db.Migrate(t.Context(), "order", ledger.Migrations(embed.FS{}))); err != nil {
		t.Fatal(err)
	}
	f := &fixture{db: db, box: box}
	f.handler = f.bind(t, ledger.Once(contract.Shipments, f.do))
	return f
}

func (f *fixture) do(context.Context, *outbox.Tx, *leat.Event[contract.ShipmentCancelled]) (string, error) {
	f.handled++
	return "done", f.fail
}

func (f *fixture) bind(t *testing.T, h leat.Handler) leat.Handler {
	t.Helper()
	bound, err := f.box.Bind(h)
	if err != nil {
		t.Fatal(err)
	}
	return bound[0]
}

func (f *fixture) handle(t *testing.T, w wire) error {
	t.Helper()
	kind := f.handler.Kind
	return f.handler.Handle(t.Context(), leat.NewEnvelope(w, &kind, nil, 1))
}

func (f *fixture) entries(t *testing.T) (entries []ledger.Entry) {
	t.Helper()
	err := f.db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) (err error) {
		entries, err = ledger.Of(ctx, tx, "o1", 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestRepeatedEventLeavesOneEntry(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for offset := range int64(3) {
		if err := f.handle(t, wire{id: "e1", value: `{"order_id":"o1"}`, offset: offset}); err != nil {
			t.Fatal(err)
		}
	}
	got := f.entries(t)
	if len(got) != 1 || f.handled != 1 {
		t.Fatalf("%d entries, handled %d times", len(got), f.handled)
	}
	got[0].SeenAt = time.Time{}
	want := ledger.Entry{
		Seq: 1, Service: "shipping", Type: "shop.shipment.cancelled.v1", EventID: "e1", At: time.Unix(1000, 0).UTC(),
		Topic: "shop.shipments", Partition: 3, Offset: 0, Detail: "done",
	}
	if d := cmp.Diff(want, got[0]); d != "" {
		t.Error(d)
	}
	if err := f.handle(t, wire{id: "e2", value: `{"order_id":"o1"}`, offset: 9}); err != nil || len(f.entries(t)) != 2 {
		t.Errorf("another event: %v, %d entries", err, len(f.entries(t)))
	}
}

func TestFailedHandlingLeavesNoEntry(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fail = errors.New("no")
	if err := f.handle(t, wire{id: "e1", value: `{"order_id":"o1"}`}); !errors.Is(err, f.fail) {
		t.Errorf("got %v", err)
	}
	if n := len(f.entries(t)); n != 0 {
		t.Errorf("%d entries", n)
	}
}

func TestPayloadThatSaysNothingIsRefusedForGood(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, value := range []string{`{}`, `{"order_id":""}`, `{"order_id":"a\u0000"}`, `null`, `{"order_id":17}`, `x`} {
		if err := f.handle(t, wire{id: "e1", value: value}); !leat.IsPermanent(err) {
			t.Errorf("%s: %v", value, err)
		}
	}
	if f.handled != 0 || len(f.entries(t)) != 0 {
		t.Errorf("handled %d times, %d entries", f.handled, len(f.entries(t)))
	}
}

func TestWhatGoesFirstIsOutsideOfTheTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	away, called := errors.New("away"), 0
	f.handler = f.bind(t, ledger.OnceAfter(contract.Shipments, func(ctx context.Context, box *outbox.Box, _ *leat.Event[contract.ShipmentCancelled]) error {
		if called++; called == 1 {
			return away
		}
		return box.Tx(ctx, func(context.Context, *outbox.Tx) error { return nil }) // SQLite has one writer: this would wait for ever inside another
	}, f.do))
	e := wire{id: "e1", value: `{"order_id":"o1"}`}
	if err := f.handle(t, e); !errors.Is(err, away) || f.handled != 0 || len(f.entries(t)) != 0 {
		t.Errorf("got %v, handled %d times", err, f.handled)
	}
	for range 2 {
		if err := f.handle(t, e); err != nil {
			t.Fatal(err)
		}
	}
	if called != 3 || f.handled != 1 || len(f.entries(t)) != 1 {
		t.Errorf("called %d times, handled %d times, %d entries", called, f.handled, len(f.entries(t)))
	}
	if err := f.handle(t, wire{id: "e2", value: `{}`}); !leat.IsPermanent(err) || called != 3 {
		t.Errorf("a payload that says nothing: %v, called %d times", err, called)
	}
}

func TestMigrationsAreListedInOrder(t *testing.T) {
	t.Parallel()
	var names []string
	err := fs.WalkDir(ledger.Migrations(embed.FS{}), ".", func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if d := cmp.Diff([]string{"migrations/0001_ledger.postgres.sql", "migrations/0001_ledger.sqlite.sql"}, names); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}

func TestCauseOutlivesItsHandler(t *testing.T) {
	t.Parallel()
	m := leat.Message{}
	out := ledger.Cause{EventID: "e1", TraceParent: "00-a-b-01"}.Event(contract.ShipmentCancelled{OrderID: "o1"})
	out.Apply(&m)
	if m.CausationID != "e1" || m.TraceParent != "00-a-b-01" || m.CorrelationID != "o1" {
		t.Errorf("got %+v", m)
	}
}
