package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// quick is a retry policy for tests on real time.
var quick = consumer.WithRetry(leat.Retry{Attempts: 3, Base: 5 * time.Millisecond, Max: 20 * time.Millisecond})

func TestEachKeyIsHandledInOrderAndCommitted(t *testing.T) {
	conform(t, 3, func(t *testing.T, r *rig) {
		r.send(placed(10, 50)...)
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, done.note)))
		r.awaitCommitted(500)
		leattest.Eventually(t, "the group is ready", m.Ready)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		done.inOrder(t, 10, 50)
	})
}

func TestOrderOfAKeyHoldsUnderRetries(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(8, 30)...)
		done := newLedger()
		r.start(r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			done.enter(e.Key())
			defer done.leave(e.Key())
			if e.Data.N%3 == 0 && e.Attempt() < 3 {
				return errors.New("not yet")
			}
			done.add(e.Key(), e.Data.N)
			return nil
		}, quick)))
		r.awaitCommitted(240)
		done.inOrder(t, 8, 30)
	})
}

func TestAFailingKeyHoldsUpNoOther(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(5, 20)...)
		done, heal := newLedger(), make(chan struct{})
		r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "k0" {
				select {
				case <-heal:
				default:
					return leat.RetryAfter(errors.New("away"), 10*time.Millisecond)
				}
			}
			return done.note(ctx, e)
		}, consumer.WithRetry(leat.Retry{Attempts: -1}), consumer.Parallel(1))))
		done.await(t, 80) // all but k0, with one worker
		if sum := r.committedSum(); sum != 0 {
			t.Errorf("committed %d past the first event of k0", sum)
		}
		close(heal)
		r.awaitCommitted(100)
		done.inOrder(t, 5, 20)
	})
}

func TestTypesOfATopicShareTheLaneOfTheirKey(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		for i := range 20 {
			r.send(Placed{Key: "a", N: 2 * i}, Paid{Key: "a", N: 2*i + 1})
		}
		done := newLedger()
		step := func(e *leat.Envelope, n int) error {
			done.enter(e.Key())
			defer done.leave(e.Key())
			if n%5 == 0 && e.Attempt() == 1 {
				return errors.New("not yet")
			}
			done.add(e.Key(), n)
			return nil
		}
		r.start(r.config(
			consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error { return step(e.Envelope, e.Data.N) }, quick),
			consumer.On(r.topic, func(_ context.Context, e *leat.Event[Paid]) error { return step(e.Envelope, e.Data.N) }, quick),
		))
		r.awaitCommitted(40)
		done.inOrder(t, 1, 40)
	})
}

func TestRecordsWithoutAKeyRunSideBySideWithinParallel(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(1, 0)...)
		for i := range 40 {
			r.send(Placed{N: i})
		}
		var now, most atomic.Int32
		gate := make(chan struct{})
		r.start(r.config(consumer.On(r.topic, func(context.Context, *leat.Event[Placed]) error {
			raise(&most, now.Add(1))
			defer now.Add(-1)
			<-gate
			return nil
		}, consumer.Parallel(7))))
		leattest.Eventually(t, "seven at once", func() error {
			if n := now.Load(); n != 7 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		close(gate)
		r.awaitCommitted(40)
		if most.Load() != 7 {
			t.Errorf("%d at once, want 7", most.Load())
		}
	})
}

// raise makes most n where it is less.
func raise(most *atomic.Int32, n int32) {
	for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
	}
}

func TestByPartitionIsSerial(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(10, 5)...)
		done := newLedger()
		r.start(r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			done.enter("all")
			defer done.leave("all")
			runtime.Gosched()
			done.add("all", int(e.Position().Offset))
			return nil
		}, consumer.ByPartition())))
		r.awaitCommitted(50)
		done.inOrder(t, 1, 50)
	})
}

func TestUnorderedRunsEventsOfAKeySideBySide(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(1, 4)...)
		var now atomic.Int32
		gate := make(chan struct{})
		r.start(r.config(consumer.On(r.topic, func(context.Context, *leat.Event[Placed]) error {
			if now.Add(1) == 4 {
				close(gate)
			}
			<-gate
			return nil
		}, consumer.Unordered())))
		r.awaitCommitted(4)
	})
}

func TestSkippedEventsAndTypesWithoutAHandlerArePassedOver(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(Paid{Key: "a"}, Placed{Key: "a", N: 0}, Paid{Key: "b"}, Placed{Key: "a", N: 1})
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Data.N == 0 {
				return leat.Skip("test")
			}
			return done.note(ctx, e)
		})))
		r.awaitCommitted(4)
		if got := m.Stats().Passed; got != 2 {
			t.Errorf("passed over %d, want 2", got)
		}
		if n := done.len(); n != 1 {
			t.Errorf("%d effects, want 1", n)
		}
		if letters := r.deadLetters(); len(letters) != 0 {
			t.Errorf("dead letters: %v", letters)
		}
	})
}

func TestUnavailableInfrastructurePausesThePartitionUncounted(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(20, 2)...)
		done := newLedger()
		var away atomic.Bool
		var tries atomic.Int32
		away.Store(true)
		m := r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Attempt() != 1 {
				t.Errorf("attempt %d was counted", e.Attempt())
			}
			if away.Load() {
				tries.Add(1)
				return leat.Unavailable(errors.New("database is starting up"))
			}
			return done.note(ctx, e)
		}, consumer.Parallel(3), consumer.WithRetry(leat.Retry{Attempts: 1}))))
		leattest.Eventually(t, "tried more often than the policy allows", func() error {
			if n := tries.Load(); n < 6 {
				return fmt.Errorf("%d tries", n)
			}
			return nil
		})
		leattest.Eventually(t, "Ready tells of it", func() error {
			if err := m.Ready(); err == nil {
				return errors.New("ready")
			}
			return nil
		})
		away.Store(false)
		r.awaitCommitted(40)
		done.inOrder(t, 20, 2)
		leattest.Eventually(t, "ready again", m.Ready)
		if letters := r.deadLetters(); len(letters) != 0 {
			t.Errorf("dead letters: %v", letters)
		}
	})
}

// While the infrastructure is away only events that have met it are tried: the others of the
// partition do not start.
func TestAPartitionThatWaitsStartsNothingNew(t *testing.T) {
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(20, 1)...)
		var met nameSet
		r.start(r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			met.add(e.Key())
			return leat.Unavailable(errors.New("away"))
		}, consumer.Parallel(3))))
		time.Sleep(time.Minute)
		if n := met.len(); n > 3 {
			t.Errorf("%d keys were tried, want the 3 that were in flight", n)
		}
	})
}

func TestAnAttemptEndsWithItsTimeout(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(Placed{Key: "a"})
		r.start(r.config(consumer.On(r.topic, func(ctx context.Context, _ *leat.Event[Placed]) error {
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, consumer.ErrTimeout) {
				t.Errorf("cause %v", cause)
			}
			return ctx.Err()
		}, consumer.Timeout(20*time.Millisecond), quick)))
		r.awaitCommitted(1)
		letters := r.deadLetters()
		if len(letters) != 1 || letters[0].Reason != consumer.ReasonExhausted || letters[0].Attempts != 3 {
			t.Fatalf("dead letters %+v", letters)
		}
	})
}

func TestAHandlerThatEndsItsGoroutineIsAPanic(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 2)...)
		done := newLedger()
		r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "k0" && e.Data.N == 0 {
				runtime.Goexit()
			}
			return done.note(ctx, e)
		}, consumer.Parallel(1), quick)))
		r.awaitCommitted(4)
		letters := r.deadLetters()
		if len(letters) != 1 || letters[0].Reason != consumer.ReasonPanic || letters[0].Attempts != 2 {
			t.Fatalf("dead letters %+v", letters)
		}
		if n := done.len(); n != 3 {
			t.Errorf("%d effects, want 3", n)
		}
	})
}

func TestTheContextCarriesTheEnvelope(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(Placed{Key: "a"})
		r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if leat.FromContext(ctx) != e.Envelope {
				t.Error("FromContext is not the event's envelope")
			}
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			if derived.Err() != nil {
				t.Error("context has ended")
			}
			return nil
		})))
		r.awaitCommitted(1)
	})
}
