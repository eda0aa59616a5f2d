package outbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

func claim(epoch int64) leat.Fence {
	return leat.Fence{Group: "g", Topic: "things", Partition: 3, Epoch: epoch}
}

func TestAnOlderClaimTakesNoEffectAfterANewerOneWasRaised(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		h := w.bind(outbox.Once(w.topic, effect))
		handle := func(epoch, offset int64, id string) error {
			return h.Handle(leat.WithFence(t.Context(), claim(epoch)), w.event(&h, offset, id))
		}
		if err := handle(1, 0, "before any was raised"); err != nil {
			t.Error(err)
		}
		for _, epoch := range []int64{2, 2, 5} {
			if err := h.Fence(t.Context(), claim(epoch)); err != nil {
				t.Errorf("raise %d: %v", epoch, err)
			}
		}
		var older *leat.FencedError
		if err := handle(4, 1, "old"); !errors.As(err, &older) || older.Newest != 5 || !leat.IsUnavailable(err) {
			t.Errorf("an attempt under an older claim: %v", err)
		}
		if err := h.Fence(t.Context(), claim(4)); !errors.As(err, &older) || older.Newest != 5 {
			t.Errorf("raising an older claim: %v", err)
		}
		if err := handle(5, 2, "new"); err != nil {
			t.Error(err)
		}
		other := claim(1)
		other.Partition = 4
		if err := h.Handle(leat.WithFence(t.Context(), other), w.event(&h, 3, "another partition")); err != nil {
			t.Error(err)
		}
		if err := h.Handle(t.Context(), w.event(&h, 4, "no claim")); err != nil {
			t.Error(err)
		}
		if n := w.effects(); n != 4 {
			t.Errorf("%d effects, want 4", n)
		}
	})
}

// An older claim's transaction is under way when the newer one is raised: raising waits for its end,
// so that whoever comes after finds all that it did.
func TestRaisingAClaimWaitsForTransactionsUnderTheOlderOne(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w := newInboxWorld(t, data)
		inside, goOn := make(chan struct{}), make(chan struct{})
		h := w.bind(outbox.Once(w.topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
			close(inside)
			<-goOn
			return effect(ctx, tx, e)
		}))
		if err := h.Fence(t.Context(), claim(1)); err != nil {
			t.Fatal(err)
		}
		handled, raised := make(chan error, 1), make(chan error, 1)
		go func() { handled <- h.Handle(leat.WithFence(t.Context(), claim(1)), w.event(&h, 0, "old")) }()
		<-inside
		go func() { raised <- h.Fence(t.Context(), claim(2)) }()
		if data.IsPostgres() {
			leattest.Eventually(t, "raising waits for the lock", func() error {
				if data.Int(t, `select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`) == 0 {
					return errors.New("nobody waits")
				}
				return nil
			})
		}
		select {
		case err := <-raised:
			t.Errorf("raised while a transaction under the older claim was open: %v", err)
		default:
		}
		close(goOn)
		if err := errors.Join(<-handled, <-raised); err != nil {
			t.Error(err)
		}
		if n := w.effects(); n != 1 {
			t.Errorf("%d effects, want 1", n)
		}
	})
}

// BenchmarkFencedOnce is what the claim costs a once-handler.
func BenchmarkFencedOnce(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkFencedOnce(b, sql.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { benchmarkFencedOnce(b, sql.Postgres(b)) })
}

func benchmarkFencedOnce(b *testing.B, data *sql.Database) {
	w := newInboxWorld(b, data)
	h := w.bind(outbox.Once(w.topic, effect))
	for name, ctx := range map[string]context.Context{"plain": b.Context(), "fenced": leat.WithFence(b.Context(), claim(1))} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := h.Handle(ctx, w.event(&h, 0, leat.NewID())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
