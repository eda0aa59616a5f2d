package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// What the handler calls is away for minutes and says so by plain errors. The breaker opens: hardly
// anything is tried meanwhile, no event's attempts are used up, the group's membership stays, another
// type's handler runs on, and when it is back all is handled in order.
func TestABreakerStopsTheHandlerAndNoEventPaysForIt(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		done := newLedger()
		begun := time.Now()
		back := begun.Add(4 * time.Minute)
		var failed, paid atomic.Int32
		m := r.start(r.config(
			consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
				if time.Now().Before(back) {
					failed.Add(1)
					return errors.New("away")
				}
				return done.note(ctx, e)
			}, consumer.WithRetry(leat.Retry{Attempts: 2}), consumer.Breaker(leat.Breaker{Min: 10, Pause: 15 * time.Second})),
			consumer.On(r.topic, func(context.Context, *leat.Event[Paid]) error { paid.Add(1); return nil }),
		))
		leattest.Eventually(t, "ready", m.Ready)
		member := m.Stats().Partitions[0].Epoch
		r.send(placed(12, 17)...) // few keys, so that probes come back to events that have failed
		leattest.Eventually(t, "open", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "breaker of test.order.placed.v1") {
				return fmt.Errorf("ready says %v", err)
			}
			return nil
		})
		r.send(Paid{Key: "other"})
		leattest.Eventually(t, "the other handler runs on", func() error {
			if paid.Load() != 1 {
				return errors.New("not yet")
			}
			return nil
		})
		time.Sleep(time.Until(back))
		r.awaitCommitted(205)
		done.inOrder(t, 12, 17)
		if n := failed.Load(); n < 10 || n > 150 {
			t.Errorf("%d attempts failed in four minutes", n)
		}
		if letters := r.deadLetters(); len(letters) != 0 {
			t.Errorf("%d dead letters", len(letters))
		}
		if now := m.Stats().Partitions[0].Epoch; now != member {
			t.Error("the group was left")
		}
		if err := m.Ready(); err != nil {
			t.Errorf("ready says %v", err)
		}
	})
}

// One event always fails, the others are well: the breaker that it opens closes again, and it goes to
// the dead letters like any other.
func TestAPoisonousEventDoesNotKeepTheBreakerOpen(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		done := newLedger()
		away := atomic.Bool{}
		away.Store(true)
		r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if away.Load() || e.Key() == "k0" && e.Data.N == 0 {
				return errors.New("away")
			}
			return done.note(ctx, e)
		}, quick, consumer.Breaker(leat.Breaker{Min: 5, Pause: time.Second}))))
		r.send(placed(10, 3)...)
		time.Sleep(5 * time.Second)
		away.Store(false)
		r.awaitCommitted(30)
		letters := r.deadLetters()
		if len(letters) != 1 || string(letters[0].rec.Key) != "k0" || letters[0].Attempts != 3 {
			t.Errorf("dead letters %+v", letters)
		}
	})
}

func TestABreakerStopsBatchesToo(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		done := newLedger()
		back := time.Now().Add(time.Minute)
		var failed atomic.Int32
		r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			if time.Now().Before(back) {
				failed.Add(1)
				return errors.New("away")
			}
			for _, e := range events {
				done.add(e.Key(), e.Data.N)
			}
			return nil
		}, consumer.Breaker(leat.Breaker{Min: 10}))))
		r.send(placed(50, 4)...)
		time.Sleep(time.Until(back))
		r.awaitCommitted(200)
		done.inOrder(t, 50, 4)
		if n := failed.Load(); n > 60 {
			t.Errorf("%d attempts in a minute", n)
		}
		if letters := r.deadLetters(); len(letters) != 0 {
			t.Errorf("%d dead letters", len(letters))
		}
	})
}

// A member stops while its breaker is open and events wait behind it: there is nothing in hand to wait
// for.
func TestAnOpenBreakerHoldsUpNoDrain(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		m := r.start(r.config(consumer.On(r.topic, func(context.Context, *leat.Event[Placed]) error {
			return errors.New("away")
		}, consumer.Breaker(leat.Breaker{Min: 1, Pause: time.Hour}), consumer.Parallel(1))))
		r.send(placed(10, 3)...)
		leattest.Eventually(t, "open", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "breaker") {
				return fmt.Errorf("ready says %v", err)
			}
			return nil
		})
		began := time.Now()
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}
