package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
)

// warm starts a group whose handler has shown that it is quick, so that workers take its events in runs.
// What comes then, from Placed.N 0 on, goes to handle.
func (r *rig) warm(handle func(context.Context, *leat.Event[Placed]) error, options ...leat.HandlerOption) *member {
	r.t.Helper()
	const first = 500
	m := r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
		if e.Data.N < 0 {
			return nil
		}
		return handle(ctx, e)
	}, options...)))
	r.send(numbered(first, func(i int) Placed { return Placed{Key: fmt.Sprint(i), N: -1} })...)
	r.awaitCommitted(first)
	return m
}

func numbered(n int, at func(i int) Placed) (events []any) {
	for i := range n {
		events = append(events, at(i))
	}
	return events
}

// Events of other keys that a worker has taken along go on elsewhere, and what it has done counts.
func TestASlowEventHoldsUpNoneOfItsRun(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		const n, slow = 400, 211
		var done atomic.Int64
		release := make(chan struct{})
		r.warm(func(_ context.Context, e *leat.Event[Placed]) error {
			if e.Data.N == slow {
				<-release
			}
			done.Add(1)
			return nil
		})
		r.send(numbered(n, func(i int) Placed { return Placed{Key: fmt.Sprint(i), N: i} })...)
		r.awaitCommitted(500 + slow)
		if got := done.Load(); got != n-1 {
			t.Errorf("%d events are handled beside the slow one, want %d", got, n-1)
		}
		close(release)
		r.awaitCommitted(500 + n)
	})
}

// Whichever event of a run is slow: when the run is shortened to it, it takes one of the handler's places.
func TestASlowEventOfARunCountsForParallel(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		const n, parallel = 400, 3
		var now, most atomic.Int32
		m := r.warm(func(_ context.Context, e *leat.Event[Placed]) error {
			if e.Data.N%10 != 9 {
				return nil
			}
			raise(&most, now.Add(1))
			defer now.Add(-1)
			time.Sleep(10 * time.Millisecond)
			return nil
		}, consumer.Parallel(parallel))
		r.send(numbered(n, func(i int) Placed { return Placed{Key: fmt.Sprint(i), N: i} })...)
		r.awaitCommitted(500 + n)
		if got := most.Load(); got != parallel {
			t.Errorf("%d slow events at once, want %d", got, parallel)
		}
		if out := m.Stats().InFlight; out != 0 {
			t.Errorf("%d events in flight when all are done", out)
		}
	})
}

// A drain begins while a worker has others in its hands than the one that it attempts: none begins.
func TestADrainBeginsNoneOfARun(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		const n, slow = 400, 211
		var late atomic.Int64
		entered, release := make(chan struct{}), make(chan struct{})
		m := r.warm(func(_ context.Context, e *leat.Event[Placed]) error {
			switch {
			case e.Data.N == slow:
				close(entered)
				<-release
			case e.Data.N > slow:
				select {
				case <-release:
					late.Add(1)
				default:
				}
			}
			return nil
		})
		r.send(numbered(n, func(i int) Placed { return Placed{Key: fmt.Sprint(i), N: i} })...)
		<-entered
		var stopped sync.WaitGroup
		stopped.Go(func() { _ = m.stop() })
		synctest.Wait() // the drain waits for the slow event, and no time has passed
		close(release)
		stopped.Wait()
		if got := late.Load(); got > 0 {
			t.Errorf("%d events began in the drain", got)
		}
	})
}

// Whatever becomes of an event, it is the only one of its run to which it happens.
func TestFaultsInARunAreThoseOfTheirEvents(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		const n, keys = 400, 200
		l := newLedger()
		var mu sync.Mutex
		attempts := map[int]int{}
		r.warm(func(_ context.Context, e *leat.Event[Placed]) error {
			l.enter(e.Key())
			defer l.leave(e.Key())
			mu.Lock()
			attempts[e.Data.N]++
			first := attempts[e.Data.N] == 1
			mu.Unlock()
			switch {
			case e.Data.N%50 == 7 && first:
				return errors.New("once")
			case e.Data.N%50 == 17 && first:
				panic("once")
			case e.Data.N%50 == 27 && first:
				runtime.Goexit()
			case e.Data.N%50 == 37:
				return leat.Permanent(errors.New("never"))
			}
			l.add(e.Key(), e.Data.N/keys)
			return nil
		})
		r.send(numbered(n, func(i int) Placed { return Placed{Key: fmt.Sprint(i % keys), N: i} })...)
		r.awaitCommitted(500 + n)
		if got := len(r.deadLetters()); got != n/50 {
			t.Errorf("%d dead letters, want %d", got, n/50)
		}
		mu.Lock()
		defer mu.Unlock()
		for i := range n {
			want := 1
			if last := i % 50; last == 7 || last == 17 || last == 27 {
				want = 2
			}
			if attempts[i] != want {
				t.Errorf("event %d was tried %d times, want %d", i, attempts[i], want)
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for key, got := range l.byKey {
			if len(got) == 2 && (got[0] != 0 || got[1] != 1) {
				t.Errorf("key %s ran as %v", key, got)
			}
		}
		for _, f := range l.faults {
			t.Error(f)
		}
	})
}
