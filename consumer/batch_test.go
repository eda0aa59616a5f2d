package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// batches notes what batch handlers got.
type batches struct {
	mu     sync.Mutex
	sizes  []int
	faults []string
}

func (b *batches) add(events []*leat.Event[Placed]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sizes = append(b.sizes, len(events))
	seen := map[string]bool{}
	for _, e := range events {
		if seen[e.Key()] {
			b.faults = append(b.faults, fmt.Sprintf("two events of %s in one batch", e.Key()))
		}
		seen[e.Key()] = true
	}
}

func (b *batches) largest() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, size := range b.sizes {
		n = max(n, size)
	}
	return n
}

func (b *batches) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		t.Error(f)
	}
}

func TestABatchHasOneEventOfAKeyAndKeepsTheOrder(t *testing.T) {
	conform(t, 3, func(t *testing.T, r *rig) {
		r.send(placed(40, 20)...)
		done, got := newLedger(), new(batches)
		m := r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			got.add(events)
			for _, e := range events {
				done.enter(e.Key())
				defer done.leave(e.Key())
				done.add(e.Key(), e.Data.N)
			}
			return nil
		}, consumer.BatchOf(25, 20*time.Millisecond))))
		r.awaitCommitted(800)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		done.inOrder(t, 40, 20)
		got.check(t)
		if n := got.largest(); n < 10 || n > 25 {
			t.Errorf("the largest batch has %d events, want 10 to 25", n)
		}
	})
}

// Each event of a batch has an outcome of its own, and the others are not held up or repeated by it.
func TestFaultsOfABatchHoldForTheirEventsOnly(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(8, 10)...)
		done := newLedger()
		var repeats atomic.Int32
		r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			var faults []error
			for i, e := range events {
				switch {
				case e.Key() == "k0" && e.Data.N == 3:
					faults = append(faults, leat.FaultAt(i, leat.Permanent(errors.New("never"))))
				case e.Key() == "k1" && e.Data.N%4 == 0 && e.Attempt() < 3:
					repeats.Add(1)
					faults = append(faults, leat.FaultAt(i, errors.New("not yet")))
				case e.Key() == "k2" && e.Data.N == 5:
					faults = append(faults, leat.FaultAt(i, leat.Skip("old")))
				case e.Key() == "k3" && e.Data.N == 2 && repeats.Load() < 2:
					faults = append(faults, leat.FaultAt(i, leat.Unavailable(errors.New("away"))))
				case e.Key() == "k4" && e.Data.N == 1 && e.Attempt() == 1:
					faults = append(faults, leat.FaultAt(i, leat.RetryAfter(errors.New("busy"), 30*time.Millisecond)))
				case e.Key() == "k5" && e.Data.N == 7:
					faults = append(faults, leat.FaultAt(i, errors.New("hopeless")))
				default:
					done.add(e.Key(), e.Data.N)
				}
			}
			return errors.Join(faults...)
		}, quick)))
		r.awaitCommitted(80)
		for key, missing := range map[string]int{"k0": 3, "k1": -1, "k2": 5, "k3": -1, "k4": -1, "k5": 7, "k6": -1, "k7": -1} {
			want := []int{}
			for n := range 10 {
				if n != missing {
					want = append(want, n)
				}
			}
			if got := done.of(key); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", key, got, want)
			}
		}
		reasons := map[string]consumer.Reason{}
		for _, l := range r.deadLetters() {
			reasons[string(l.rec.Key)] = l.Reason
		}
		if want := (map[string]consumer.Reason{"k0": consumer.ReasonPermanent, "k5": consumer.ReasonExhausted}); fmt.Sprint(reasons) != fmt.Sprint(want) {
			t.Errorf("dead letters %v, want %v", reasons, want)
		}
	})
}

// of is what was done of a key.
func (l *ledger) of(key string) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int{}, l.byKey[key]...)
}

// A batch that fails as a whole, by error or panic, says nothing of its events: each is tried alone,
// and only the bad one goes to the dead letters, with all its attempts.
func TestABatchThatFailsIsTriedOneByOne(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":     func() error { return errors.New("one of them is bad") },
		"permanent": func() error { return leat.Permanent(errors.New("one of them is bad")) },
		"panic":     func() error { panic("one of them is bad") },
		"fault outside": func() error {
			return leat.FaultAt(99, errors.New("nobody's"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			conform(t, 2, func(t *testing.T, r *rig) {
				r.send(placed(10, 5)...)
				done := newLedger()
				var split atomic.Int32
				r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
					for _, e := range events {
						if e.Key() != "k3" || e.Data.N != 2 {
							continue
						}
						if len(events) == 1 {
							return errors.New("bad")
						}
						split.Add(1)
						return fail()
					}
					for _, e := range events {
						done.add(e.Key(), e.Data.N)
					}
					return nil
				}, quick, consumer.BatchOf(10, 50*time.Millisecond))))
				r.awaitCommitted(50)
				letters := r.deadLetters()
				if len(letters) != 1 || string(letters[0].rec.Key) != "k3" || letters[0].Attempts != 3 || letters[0].Reason != consumer.ReasonExhausted {
					t.Errorf("dead letters %+v", letters)
				}
				for k := range 10 {
					want := "[0 1 2 3 4]"
					if k == 3 {
						want = "[0 1 3 4]"
					}
					if got := fmt.Sprint(done.of(fmt.Sprint("k", k))); got != want {
						t.Errorf("k%d: %s, want %s", k, got, want)
					}
				}
				// On a machine that stalls, a batch may be out of time before a second event is in it.
				if n := split.Load(); n > 1 || n == 0 && !r.b.Real() {
					t.Errorf("%d batches failed with the bad event, want 1", n)
				}
			})
		})
	}
}

func TestARecordThatIsNoEventFailsOutOfItsBatchAlone(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		records := r.records(placed(5, 1)...)
		records[2].Value = []byte("{no json")
		r.b.Produce(t, records...)
		done := newLedger()
		r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			for i, e := range events {
				if e.Key() == "k3" && e.Attempt() == 1 {
					return leat.FaultAt(i, errors.New("not yet")) // whose place in the batch is another one
				}
				done.add(e.Key(), e.Data.N)
			}
			return nil
		}, quick, consumer.BatchOf(5, time.Second))))
		r.awaitCommitted(5)
		letters := r.deadLetters()
		if len(letters) != 1 || letters[0].Reason != consumer.ReasonUndecodable || string(letters[0].rec.Key) != "k2" {
			t.Errorf("dead letters %+v", letters)
		}
		if got := done.of("k3"); len(got) != 1 {
			t.Errorf("k3 %v, want it once after a repeat", got)
		}
	})
}

// The infrastructure is away for 20 s: whole batches wait, nothing is counted or tried alone.
func TestABatchWaitsForItsInfrastructureAsAWhole(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(30, 4)...)
		done, got := newLedger(), new(batches)
		back := time.Now().Add(20 * time.Second)
		var asked atomic.Int32
		r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			if time.Now().Before(back) {
				asked.Add(1)
				return leat.Unavailable(errors.New("away"))
			}
			got.add(events)
			for _, e := range events {
				if e.Attempt() != 1 {
					t.Errorf("attempt %d", e.Attempt())
				}
				done.add(e.Key(), e.Data.N)
			}
			return nil
		})))
		r.awaitCommitted(120)
		done.inOrder(t, 30, 4)
		got.check(t)
		if n := got.largest(); n < 20 {
			t.Errorf("the largest batch after the outage has %d events, want most of 30", n)
		}
		if n := asked.Load(); n > 40 {
			t.Errorf("%d attempts in 20 s without infrastructure", n)
		}
	})
}

// A batch holds events of two partitions when one of them goes to another member. Its events are the
// other member's; those of the partition that stays are finished here, uncounted.
func TestABatchThatLosesAPartitionKeepsTheOther(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		var first atomic.Bool
		first.Store(true)
		done, got := newLedger(), new(batches)
		a, stop := r.audit()
		cfg := r.config(consumer.Batch(r.topic, func(ctx context.Context, events []*leat.Event[Placed]) error {
			if first.Load() {
				<-ctx.Done()
				var faults []error
				for i := range events {
					faults = append(faults, leat.FaultAt(i, context.Cause(ctx)))
				}
				return errors.Join(faults...)
			}
			got.add(events)
			for _, e := range events {
				if e.Attempt() != 1 {
					t.Errorf("%s: attempt %d, want 1: it was cut off, not failed", e.Key(), e.Attempt())
				}
				done.add(e.Key(), e.Data.N)
				a.done(e.Position().Partition, e.Position().Offset)
			}
			return nil
		}, consumer.Timeout(-1), consumer.Parallel(1), consumer.BatchOf(100, time.Second)))
		cfg.DrainTimeout = 2 * time.Second
		one := r.start(cfg)
		leattest.Eventually(t, "ready", one.Ready)
		r.send(placed(30, 3)...)
		leattest.Eventually(t, "a batch in hand", func() error {
			n := 0
			for _, p := range one.Stats().Partitions {
				n += min(1, p.InHand)
			}
			if n < 2 {
				return errors.New("not yet")
			}
			return nil
		})
		time.AfterFunc(2*time.Second, func() { first.Store(false) })
		two := r.start(cfg)
		r.awaitCommitted(90)
		stop()
		done.soundPerKey(t, 30, 3)
		for _, m := range []*member{one, two} {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestADrainFinishesTheBatchInHand(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(10, 3)...)
		begun, hold := make(chan struct{}, 10), newGate(t)
		m := r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			if len(events) != 10 {
				t.Errorf("a batch of %d", len(events))
			}
			begun <- struct{}{}
			hold.wait()
			return nil
		}, consumer.BatchOf(10, time.Minute))))
		<-begun
		ended := make(chan error, 1)
		go func() { ended <- m.stop() }()
		leattest.Eventually(t, "draining", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "stopping") {
				return fmt.Errorf("ready: %v", err)
			}
			return nil
		})
		hold.open()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		r.awaitCommitted(10)
	})
}

func TestAnIncompleteBatchWaitsItsTimeAndNoLonger(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		m := r.start(r.config(consumer.Batch(r.topic, func(_ context.Context, events []*leat.Event[Placed]) error {
			for _, e := range events {
				if waited := time.Since(e.Wire().Timestamp()); waited < 2*time.Second-time.Millisecond || waited > 2500*time.Millisecond {
					t.Errorf("an event waited %v, want 2 s", waited)
				}
			}
			if len(events) != 7 {
				t.Errorf("a batch of %d, want 7", len(events))
			}
			return nil
		}, consumer.BatchOf(100, 2*time.Second))))
		leattest.Eventually(t, "ready", m.Ready)
		for i := range int64(3) {
			r.send(placed(7, 1)...)
			r.awaitCommitted(7 * (i + 1))
		}
	})
}

func TestABatchThatTakesTooLongIsTriedOneByOne(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(20, 2)...)
		done := newLedger()
		r.start(r.config(consumer.Batch(r.topic, func(ctx context.Context, events []*leat.Event[Placed]) error {
			for range events {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			for _, e := range events {
				if e.Attempt() != 1 {
					t.Errorf("attempt %d: the batch's time was counted as the event's", e.Attempt())
				}
				done.add(e.Key(), e.Data.N)
			}
			return nil
		}, consumer.Timeout(10*time.Second))))
		r.awaitCommitted(40)
		done.inOrder(t, 20, 2)
	})
}

func TestOptionsOfABatchAreChecked(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "orders", Carries: []any{Placed{}, Paid{}}}
	fn := func(context.Context, []*leat.Event[Placed]) error { return nil }
	for name, h := range map[string]leat.Handler{
		"no function":    consumer.Batch[Placed](topic, nil),
		"no events":      consumer.Batch(topic, fn, consumer.BatchOf(0, 0)),
		"negative wait":  consumer.Batch(topic, fn, consumer.BatchOf(1, -1)),
		"by partition":   consumer.Batch(topic, fn, consumer.ByPartition()),
		"rate above one": consumer.Batch(topic, fn, consumer.Breaker(leat.Breaker{Rate: 2})),
		"no rate":        consumer.Batch(topic, fn, consumer.Limit(leat.RateLimit{})),
	} {
		if _, err := consumer.New(consumer.Config{Group: "g", Handlers: []leat.Handler{h}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
