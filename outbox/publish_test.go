package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// A publishes v2 and waits, B takes the key's lock, publishes v1 and commits, A commits: v1 must
// leave first. A place drawn when the event is published would be in the wrong order.
func TestEventsGetTheirPlaceAtTheCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	published, committed := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			if err := tx.Publish(ctx, moved{Key: "k", N: 2}); err != nil {
				return err
			}
			close(published)
			<-committed
			return nil
		})
	}()
	<-published
	w.publish(moved{Key: "k", N: 1})
	close(committed)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), 2)
}

func TestARolledBackSavepointTakesItsEventsAlong(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newWorld(t, data, embedded(t, false))
		err := w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			regret := errors.New("regret")
			if err := tx.Publish(ctx, moved{Key: "k", N: 1}); err != nil {
				return err
			}
			inner := func(n int, end error) func(context.Context) error {
				return func(ctx context.Context) error { return errors.Join(tx.Publish(ctx, moved{Key: "k", N: n}), end) }
			}
			if err := tx.Savepoint(ctx, inner(99, regret)); !errors.Is(err, regret) {
				return fmt.Errorf("savepoint answered %w", err)
			}
			return tx.Savepoint(ctx, inner(2, nil))
		})
		if err != nil {
			t.Fatal(err)
		}
		w.relay()
		w.empty()
		inOrder(t, w.read(w.topic.Name), 2)
	})
}

func TestPublishRefusesAtOnceWhatCouldNeverLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.SQLite(t), embedded(t, false), func(c *outbox.Config) { c.MaxBytes = 2000 })
	err := w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		large, foreign := tx.Publish(ctx, moved{Key: "k", N: 98}, moved{Key: "k", N: 99, Pad: strings.Repeat("x", 2000)}), tx.Publish(ctx, 7)
		if e, ok := errors.AsType[*outbox.TooLargeError](large); !ok || e.Max != 2000 || e.Size < 2000 {
			t.Errorf("a large event: %v", large)
		}
		if _, ok := errors.AsType[*leat.UnknownTypeError](foreign); !ok {
			t.Errorf("an event of no topic: %v", foreign)
		}
		return tx.Publish(ctx, moved{Key: "k", N: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := w.data.Int(t, `select count(*) from leat_outbox`); n != 1 {
		t.Errorf("%d rows, want only the event of the call that succeeded", n)
	}
}

// What is published by a function that runs right before the commit is committed too.
func TestPublishBeforeCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.SQLite(t), embedded(t, false))
	err := w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		tx.BeforeCommit(func(ctx context.Context) error { return tx.Publish(ctx, moved{Key: "k", N: 2}) })
		return tx.Publish(ctx, moved{Key: "k", N: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), 2)
}

func TestJoinCarriesEventsInSomeoneElsesTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	conn, err := pgx.Connect(t.Context(), w.data.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for n, commit := range []bool{true, false, true} {
		theirs, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tx := w.box.Join(sqldb.JoinPgx(theirs))
		if err := errors.Join(tx.Publish(t.Context(), moved{Key: "k", N: n/2 + 1}), tx.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		end := theirs.Rollback
		if commit {
			end = theirs.Commit
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), 2)
}

// The envelope goes through the table and comes out as it went in.
func TestTheEnvelopeSurvivesTheTable(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newWorld(t, data, embedded(t, false))
		cause := leat.NewEnvelope(wire(t, w.topic.Name, 7, "cause-1", "k", `{}`), nil, nil, 1)
		at := time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
		err := w.box.Tx(leat.NewContext(t.Context(), cause), func(ctx context.Context, tx *outbox.Tx) error {
			return tx.Publish(ctx, leat.With(moved{Key: "k", N: 1}, leat.At(at), leat.Subject("subject"), leat.WithHeader("x", []byte("y")), leat.WithHeader("null", nil), leat.WithHeader("empty", []byte{})))
		})
		if err != nil {
			t.Fatal(err)
		}
		w.relay()
		w.empty()
		got := w.read(w.topic.Name)
		if len(got) != 1 {
			t.Fatalf("%d events", len(got))
		}
		r := got[0].rec
		for name, want := range map[string]string{
			"ce_type": "test.thing.moved.v1", "ce_source": w.name, "ce_subject": "subject", "ce_time": "2026-02-03T04:05:06.000000789Z",
			"ce_correlationid": "cause-1", "ce_causationid": "cause-1", "content-type": "application/json", "x": "y", "empty": "", "null": "",
		} {
			if got := header(r, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if parent := header(r, "traceparent"); len(parent) != 55 {
			t.Errorf("traceparent %q", parent)
		}
		for _, h := range r.Headers {
			if h.Key == "null" && h.Value != nil || h.Key == "empty" && h.Value == nil {
				t.Errorf("header %s is %v", h.Key, h.Value)
			}
		}
		if string(r.Key) != "k" {
			t.Errorf("key %q", r.Key)
		}
	})
}
