package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// One handler of a topic wants the order of the partition: it holds over all types, over what is tried
// again, and also for a handler that asks for none.
func TestTheOrderOfAPartitionIsForAllHandlersOfItsTopic(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		for i := range 30 {
			r.send(Placed{Key: fmt.Sprint("k", i%7), N: i}, Paid{Key: fmt.Sprint("k", i%5), N: i})
		}
		done := newLedger()
		step := func(e *leat.Envelope) error {
			lane := fmt.Sprint("p", e.Position().Partition)
			done.enter(lane)
			defer done.leave(lane)
			if e.Position().Offset%4 == 1 && e.Attempt() == 1 {
				return errors.New("not yet")
			}
			done.add(lane, int(e.Position().Offset))
			return nil
		}
		r.start(r.config(
			consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error { return step(e.Envelope) }, quick, consumer.ByPartition()),
			consumer.On(r.topic, func(_ context.Context, e *leat.Event[Paid]) error { return step(e.Envelope) }, quick, consumer.Unordered()),
		))
		r.awaitCommitted(60)
		for p := range 2 {
			for i, offset := range done.of(fmt.Sprint("p", p)) {
				if i != offset {
					t.Fatalf("partition %d: effect %d is of offset %d", p, i, offset)
				}
			}
		}
		if len(done.faults) > 0 {
			t.Error(done.faults[0])
		}
	})
}

// A handler without order beside one with the order of keys: it waits for nobody and holds nobody up,
// and the keys of the other stay in order.
func TestAHandlerWithoutOrderLeavesTheOrderOfTheOthersAlone(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		for i := range 20 {
			r.send(Placed{Key: fmt.Sprint("k", i%2), N: i / 2}, Paid{Key: fmt.Sprint("k", i%2), N: i})
		}
		done, hold := newLedger(), newGate(t)
		var together atomic.Int32
		r.start(r.config(
			consumer.On(r.topic, done.note),
			consumer.On(r.topic, func(context.Context, *leat.Event[Paid]) error {
				together.Add(1)
				hold.wait()
				return nil
			}, consumer.Unordered(), consumer.Timeout(-1)),
		))
		leattest.Eventually(t, "all of both are begun", func() error {
			if together.Load() != 20 || done.len() != 20 {
				return fmt.Errorf("%d and %d", together.Load(), done.len())
			}
			return nil
		})
		hold.open()
		r.awaitCommitted(40)
		done.inOrder(t, 2, 10)
	})
}

// A failing event of the head holds up its whole partition in one mode, and nothing at all in the
// other.
func TestWhatAFailingEventHoldsUpIsWhatTheOrderSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order leat.HandlerOption
		want  int
	}{"by partition": {consumer.ByPartition(), 0}, "unordered": {consumer.Unordered(), 19}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, r *rig) {
				r.send(placed(1, 20)...)
				done := newLedger()
				heal := atomic.Bool{}
				r.start(r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
					if e.Data.N == 0 && !heal.Load() {
						return errors.New("not yet")
					}
					done.add(e.Key(), e.Data.N)
					return nil
				}, consumer.WithRetry(leat.Retry{Attempts: -1}), c.order)))
				time.Sleep(5 * time.Second)
				if n := done.len(); n != c.want {
					t.Errorf("%d effects, want %d", n, c.want)
				}
				heal.Store(true)
				r.awaitCommitted(20)
			})
		})
	}
}
