package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// starts are the times at which attempts began, by class.
type starts struct {
	mu sync.Mutex
	at map[string][]time.Time
}

func (s *starts) add(class string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[string][]time.Time{}
	}
	s.at[class] = append(s.at[class], time.Now())
}

// check holds every stretch of a class against the bucket.
func (s *starts) check(t *testing.T, class string, perSecond float64, burst int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at[class]
	for i := range at {
		for j := i + 1; j < len(at); j++ {
			if most := float64(burst) + perSecond*at[j].Sub(at[i]).Seconds() + 1e-3; float64(j-i+1) > most+1 {
				t.Fatalf("%s: %d attempts within %v, at most %v", class, j-i+1, at[j].Sub(at[i]), most)
			}
		}
	}
}

func TestAHandlerMayHaveMoreInFlightThanTheDefaultOfAll(t *testing.T) {
	t.Parallel()
	const n = 600
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(n, 1)...)
		var begun sync.WaitGroup
		begun.Add(n)
		r.start(r.config(consumer.On(r.topic, func(context.Context, *leat.Event[Placed]) error {
			begun.Done()
			begun.Wait() // for all of them: they are in flight at once, or none ever ends
			return nil
		}, consumer.Parallel(n), consumer.Timeout(-1))))
		r.awaitCommitted(n)
	})
}

func TestTheRateOfAHandlerIsKept(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(20, 10)...)
		done, s := newLedger(), new(starts)
		began := time.Now()
		r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			s.add("")
			if e.Data.N%5 == 0 && e.Attempt() == 1 {
				return errors.New("not yet") // another attempt is another call
			}
			return done.note(ctx, e)
		}, consumer.Limit(leat.RateLimit{PerSecond: 20, Burst: 5}))))
		r.awaitCommitted(200)
		done.inOrder(t, 20, 10)
		s.check(t, "", 20, 5)
		if took := time.Since(began); took < 11*time.Second || took > 15*time.Second {
			t.Errorf("240 attempts at 20 per second took %v", took)
		}
	})
}

// One class waits for its turn for long; it holds no worker, so the others are through at once.
func TestAClassThatWaitsForItsRateHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(4, 20)...)
		done, s := newLedger(), new(starts)
		limit := leat.RateLimit{PerSecond: 1, Burst: 1, Class: func(e *leat.Envelope) string {
			if e.Key() == "k3" {
				panic("no class")
			}
			return e.Key()
		}}
		r.start(r.config(
			consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error { s.add(e.Key()); return done.note(ctx, e) }, consumer.Limit(limit), consumer.Parallel(1)),
			consumer.On(r.topic, func(_ context.Context, e *leat.Event[Paid]) error { done.add("paid", e.Data.N); return nil }),
		))
		leattest.Eventually(t, "one of each", func() error {
			if done.len() < 4 {
				return errors.New("not yet")
			}
			return nil
		})
		for i := range 50 {
			r.send(Paid{Key: fmt.Sprint("p", i), N: i})
		}
		began := time.Now()
		leattest.Eventually(t, "the other handler is through", func() error {
			if len(done.of("paid")) < 50 {
				return errors.New("not yet")
			}
			return nil
		})
		if took := time.Since(began); took > time.Second {
			t.Errorf("another handler's events took %v", took)
		}
		r.awaitCommitted(130)
		for k := range 4 {
			s.check(t, fmt.Sprint("k", k), 1, 1)
		}
	})
}

func TestTheRateChangesAtRunTime(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(200, 5)...)
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, done.note)))
		typ := Placed{}.EventType()
		if err := m.SetRate("nowhere", "", 5); err == nil {
			t.Error("a rate for a topic without handlers was taken")
		}
		if err := m.SetRate(r.topic.Name, typ, -1); err == nil {
			t.Error("a negative rate was taken")
		}
		if err := m.SetRate(r.topic.Name, typ, 1); err != nil {
			t.Fatal(err)
		}
		before := done.len()
		time.Sleep(20 * time.Second)
		if n := done.len() - before; n > 21 {
			t.Errorf("%d attempts in 20 s at 1 per second", n)
		}
		if err := m.SetRate(r.topic.Name, "", 100); err != nil {
			t.Fatal(err)
		}
		before = done.len()
		time.Sleep(4 * time.Second)
		if n := done.len() - before; n < 350 || n > 420 {
			t.Errorf("%d attempts in 4 s at 100 per second", n)
		}
		if err := m.SetRate(r.topic.Name, typ, 0); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		r.awaitCommitted(1000)
		if took := time.Since(began); took > time.Second {
			t.Errorf("without a limit the rest took %v", took)
		}
		done.inOrder(t, 200, 5)
	})
}

// Events wait at the gate when their partition goes to another member: they are that one's, and the
// tokens are for those that stay.
func TestEventsThatWaitForTheRateGoWithTheirPartition(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(100, 2)...)
		done := newLedger()
		a, stop := r.audit()
		cfg := r.config(consumer.On(r.topic, slowly(done, a, time.Millisecond), consumer.Limit(leat.RateLimit{PerSecond: 10, Burst: 1})))
		first := r.start(cfg)
		done.await(t, 20)
		second := r.start(cfg)
		began := time.Now()
		r.awaitCommitted(200)
		if took := time.Since(began); took > 14*time.Second {
			t.Errorf("two members took %v for 180 events at 10 per second each", took)
		}
		stop()
		done.soundPerKey(t, 100, 2)
		for _, m := range []*member{first, second} {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestEventsOfABatchCountForItsRateOneByOne(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(100, 1)...)
		got := new(batches)
		began := time.Now()
		r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			got.add(events)
			return nil
		}, consumer.BatchOf(50, 500*time.Millisecond), consumer.Limit(leat.RateLimit{PerSecond: 20, Burst: 10}))))
		r.awaitCommitted(100)
		if took := time.Since(began); took < 4*time.Second || took > 8*time.Second {
			t.Errorf("100 events at 20 per second took %v", took)
		}
		if n := got.largest(); n < 5 || n > 20 {
			t.Errorf("the largest batch has %d events", n)
		}
	})
}
