package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// once is one inline attempt: what fails parks.
var onceInline = consumer.WithRetry(leat.Retry{Attempts: 1})

// failing fails the first n attempts of chosen events, and writes down when each attempt was made.
type failing struct {
	*ledger
	mu    sync.Mutex
	left  map[string]int
	tried map[string][]time.Time
}

func newFailing(left map[string]int) *failing {
	return &failing{ledger: newLedger(), left: left, tried: map[string][]time.Time{}}
}

func (f *failing) handle(_ context.Context, e *leat.Event[Placed]) error {
	f.enter(e.Key())
	defer f.leave(e.Key())
	name := fmt.Sprintf("%s/%d", e.Key(), e.Data.N)
	f.mu.Lock()
	f.tried[name] = append(f.tried[name], time.Now())
	fails := f.left[name] > 0
	if fails {
		f.left[name]--
	}
	f.mu.Unlock()
	if fails {
		return errors.New("not yet")
	}
	f.add(e.Key(), e.Data.N)
	return nil
}

// first is when the first attempt on an event was made.
func (f *failing) first(name string) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tried[name][0]
}

// waits are the pauses between the attempts on an event.
func (f *failing) waits(name string) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var waits []time.Duration
	for i := 1; i < len(f.tried[name]); i++ {
		waits = append(waits, f.tried[name][i].Sub(f.tried[name][i-1]))
	}
	return waits
}

func (r *rig) parking(p leat.Parking, fn func(context.Context, *leat.Event[Placed]) error, options ...leat.HandlerOption) consumer.Config {
	return r.config(consumer.On(r.topic, fn, append([]leat.HandlerOption{onceInline, consumer.Park(p)}, options...)...))
}

func TestAKeyWaitsInTheParkTopicWhileOthersRun(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(3, 5)...)
		f := newFailing(map[string]int{"k1/0": 2, "k1/3": 1})
		m := r.start(r.parking(leat.Parking{}, f.handle))
		began := time.Now()
		f.await(t, 10)
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("the other keys took %v", took)
		}
		r.awaitCommitted(15)
		leattest.Eventually(t, "five are parked", func() error {
			if s := m.Stats().Partitions[0]; s.ParkedKeys != 1 || s.ParkedEvents != 5 {
				return fmt.Errorf("%d keys, %d events", s.ParkedKeys, s.ParkedEvents)
			}
			return nil
		})
		failed := f.first("k1/0")
		time.Sleep(30 * time.Second)
		if got, want := m.Stats().Partitions[0].ParkedFor, time.Since(failed); got < want-time.Second || got > want+time.Second {
			t.Errorf("what is parked has failed for %v, %v since its first attempt", got, want)
		}
		f.awaitIn(t, 5*time.Minute, 15)
		f.inOrder(t, 3, 5)
		near(t, f.waits("k1/0"), 10*time.Second, time.Minute)
		near(t, f.waits("k1/3"), 10*time.Second)
		leattest.Eventually(t, "nothing is parked", func() error {
			if s := m.Stats().Partitions[0]; s.ParkedKeys != 0 || s.ParkedEvents != 0 || s.ParkedFor != 0 {
				return fmt.Errorf("%d keys, %d events, for %v", s.ParkedKeys, s.ParkedEvents, s.ParkedFor)
			}
			return nil
		})
		r.send(Placed{Key: "k1", N: 5})
		f.await(t, 16)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		if n := len(r.deadLetters()); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// awaitIn is await with more time.
func (l *ledger) awaitIn(t *testing.T, limit time.Duration, n int) {
	t.Helper()
	leattest.Within(t, limit, fmt.Sprintf("%d effects", n), func() error {
		if got := l.len(); got < n {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
}

// near fails unless the waits are those wanted, and up to a second more.
func near(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = got[i] >= want[i]-20*time.Millisecond && got[i] < want[i]+time.Second
	}
	if !ok {
		t.Errorf("waits %v, want %v", got, want)
	}
}

func TestTiersUsedUpEndInOneDeadLetterWithAllAttempts(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 3)...)
		f := newFailing(map[string]int{"k0/0": 99})
		m := r.start(r.parking(leat.Parking{Tiers: []time.Duration{5 * time.Second, 30 * time.Second}}, f.handle, consumer.WithRetry(leat.Retry{Attempts: 3, Base: time.Millisecond, Max: time.Millisecond})))
		f.awaitIn(t, 5*time.Minute, 5)
		r.awaitCommitted(6)
		letters := r.deadLetters()
		if len(letters) != 1 {
			t.Fatalf("%d dead letters, want 1", len(letters))
		}
		d := letters[0]
		if d.Reason != consumer.ReasonExhausted || d.Attempts != 5 || d.Source.Offset != 0 || d.Error != "not yet" || d.Handler != "test.order.placed.v1" {
			t.Errorf("dead letter %+v", d.DeadLetter)
		}
		if wait := d.LastFailure.Sub(d.FirstFailure); wait < 35*time.Second || wait > 37*time.Second {
			t.Errorf("from the first failure to the last %v", wait)
		}
		if got := f.byKey["k0"]; !slices.Equal(got, []int{1, 2}) {
			t.Errorf("effects of the key: %v", got)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}
