package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
)

// parkRequests counts the requests that carry records of the kind into park topics.
func (r *rig) parkRequests(kind string) *atomic.Int32 {
	n := new(atomic.Int32)
	r.b.Cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.b.Cluster.KeepControl()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				if bytes.Contains(p.Records, []byte(" "+kind+" epoch=")) {
					n.Add(1)
				}
			}
		}
		return nil, nil, false
	})
	return n
}

// awaitTried waits for the first attempt on an event.
func (f *failing) awaitTried(t *testing.T, name string) {
	t.Helper()
	leattest.Eventually(t, "the first attempt on "+name, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.tried[name]) == 0 {
			return errors.New("none yet")
		}
		return nil
	})
}

func TestWhatIsParkedAtAboutTheSameTimeTravelsTogether(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		requests := r.parkRequests("park")
		f := newFailing(map[string]int{"k0/0": 1})
		m := r.start(r.parking(leat.Parking{}, f.handle))
		const events = 50
		parked := func(want int) func() error {
			return func() error {
				if s := m.Stats().Partitions[0]; s.ParkedEvents != want {
					return fmt.Errorf("%d events", s.ParkedEvents)
				}
				return nil
			}
		}
		r.send(Placed{Key: "k0"})
		f.awaitTried(t, "k0/0")
		leattest.Eventually(t, "the first is parked", parked(1))
		cl := r.b.Client(t, kgo.ProducerLinger(0))
		for i := 1; i < events; i++ {
			cl.Produce(t.Context(), r.records(Placed{Key: "k0", N: i})[0], nil)
			time.Sleep(time.Millisecond)
		}
		leattest.Eventually(t, "all are parked", parked(events))
		if n := requests.Load(); n > events/5 {
			t.Errorf("%d requests for %d events that came one a millisecond", n, events)
		}
		f.awaitIn(t, 5*time.Minute, events)
		f.inOrder(t, 1, events)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// All are parked, so that none of them waits for a record that is in no hurry.
func TestADecisionThatItsKeyWaitsForTravelsAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		const events = 50
		var first, last atomic.Int64 // of those that were given up
		var parked atomic.Bool
		m := r.start(r.parking(leat.Parking{}, func(context.Context, *leat.Event[Placed]) error {
			if !parked.Load() {
				return errors.New("not yet")
			}
			first.CompareAndSwap(0, time.Now().UnixNano())
			last.Store(time.Now().UnixNano())
			return leat.Permanent(errors.New("never"))
		}))
		r.send(placed(1, events)...)
		waiting := func(n int) func() error {
			return func() error {
				if s := m.Stats().Partitions[0]; s.ParkedEvents != n {
					return fmt.Errorf("%d events", s.ParkedEvents)
				}
				return nil
			}
		}
		leattest.Eventually(t, "all are parked", waiting(events))
		parked.Store(true)
		leattest.Eventually(t, "all are given up", waiting(0))
		if n := len(r.deadLetters()); n != events {
			t.Errorf("%d dead letters", n)
		}
		if took := time.Duration(last.Load() - first.Load()); took > 0 {
			t.Errorf("%d events were given up in %v, each after the one before it", events, took)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The first of many fails. Until its record of the park partition is read back it is the lowest that is
// not settled, and the others are done at once.
func TestHealthyEventsRunFarAheadOfOneThatIsBeingParked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events int
		pauses bool
	}{
		"beyond MaxSpan":       {20, false},
		"four times as far":    {60, true},
		"not as far as either": {5, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, 1, func(t *testing.T, r *rig) {
				failed := make(chan struct{}, 1)
				cfg := r.parking(leat.Parking{}, func(_ context.Context, e *leat.Event[Placed]) error {
					if e.Key() != "k0" || e.Attempt() > 1 {
						return nil
					}
					failed <- struct{}{}
					return errors.New("not yet")
				})
				cfg.MaxSpan = 10
				m := r.start(cfg)
				r.send(placed(c.events, 1)...)
				<-failed
				time.Sleep(8 * time.Millisecond) // before its record goes, and after the pause that others gain by
				if p := m.Stats().Partitions[0]; p.Paused != c.pauses {
					t.Errorf("paused %t, %d are not settled", p.Paused, p.Queued)
				}
				r.awaitCommitted(int64(c.events))
				if err := m.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
