package kafka

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever waits is woken when half is free, and only then.
func TestBudgetWakesAtHalf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		for range 10 {
			if err := b.take(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
		}
		taken := make(chan error, 3)
		for range 3 {
			go func() { taken <- b.take(t.Context(), 10) }()
		}
		synctest.Wait()
		b.give(40)
		synctest.Wait()
		if len(taken) != 0 {
			t.Fatal("woken with 60 of 100 in use")
		}
		b.give(10)
		synctest.Wait()
		if len(taken) == 0 {
			t.Fatal("nobody is woken with half free")
		}
		b.give(50)
		synctest.Wait()
		if len(taken) != 3 {
			t.Fatalf("%d of 3 are woken", len(taken))
		}
		if got := b.used.Load(); got != 30 {
			t.Errorf("%d in use, want 30", got)
		}
	})
}

func TestBudgetEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1)
		_ = b.take(t.Context(), 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.take(ctx, 1); err == nil || b.used.Load() != 1 {
			t.Errorf("%v with %d in use", err, b.used.Load())
		}
	})
}
