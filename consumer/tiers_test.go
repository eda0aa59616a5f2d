package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// later is a group whose events wait in retry topics.
func (r *rig) later(p leat.RetryTopics, fn func(context.Context, *leat.Event[Placed]) error) consumer.Config {
	cfg := r.config(consumer.On(r.topic, fn, onceInline, consumer.Unordered(), consumer.RetryTopics(p)))
	cfg.CommitInterval = 500 * time.Millisecond
	return cfg
}

// always is how often something fails that never ends well.
const always = 1 << 30

// awaitEnds waits until each of the n events has taken effect or stands in the dead letters, and all
// that the group reads is committed.
func (r *rig) awaitEnds(t *testing.T, f *failing, n int, limit time.Duration, members ...*member) {
	t.Helper()
	leattest.Within(t, limit, fmt.Sprintf("%d events have ended", n), func() error {
		for _, m := range members {
			for _, p := range m.Stats().Partitions {
				if p.Lag != 0 || p.LowWater > p.Committed {
					return fmt.Errorf("%s/%d lags by %d, at %d of %d", p.Topic, p.Partition, p.Lag, p.LowWater, p.Committed)
				}
			}
		}
		ended := map[string]bool{}
		f.mu.Lock()
		for key, list := range f.byKey {
			for _, i := range list {
				ended[fmt.Sprintf("%s/%d", key, i)] = true
			}
		}
		f.mu.Unlock()
		for _, name := range r.folded() {
			ended[name] = true
		}
		if len(ended) < n {
			return fmt.Errorf("%d", len(ended))
		}
		return nil
	})
}

func TestAnEventWaitsInItsRetryTopicsWhileOthersRun(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		f := newFailing(map[string]int{"k1/0": 2, "k2/1": always})
		delays := []time.Duration{500 * time.Millisecond, time.Second}
		m := r.start(r.later(leat.RetryTopics{Delays: delays}, f.handle))
		leattest.Eventually(t, "ready", m.Ready)
		r.send(placed(4, 5)...)
		f.await(t, 18)
		if got := len(f.waits("k2/1")); got != 0 && !r.b.Real() { // a machine may stall for longer than the first wait
			t.Errorf("the others had ended after %d more attempts on one that waits", got)
		}
		r.awaitEnds(t, f, 20, time.Minute, m)
		for name, want := range map[string]int{"k1/0": 3, "k2/1": 3} {
			waits := f.waits(name)
			if len(waits) != want-1 || waits[0] < delays[0] || waits[1] < delays[1] {
				t.Errorf("%s: pauses %v, want at least %v", name, waits, delays)
			}
		}
		letters := r.deadLetters()
		if len(letters) != 1 || letters[0].Attempts != 3 || letters[0].Reason != consumer.ReasonExhausted || letters[0].Source.Topic != r.topic.Name {
			t.Fatalf("dead letters %+v, want one of three attempts", letters)
		}
		if gap := letters[0].LastFailure.Sub(letters[0].FirstFailure); gap < 1500*time.Millisecond {
			t.Errorf("first and last failure lie %v apart, want at least the delays", gap)
		}
	})
}

// Key, value, headers, time and place of an event that waits are those at its source, for its handler
// and its dead letter.
func TestAnEventThatWaitsIsTheSameAtItsHandlerAndInItsDeadLetter(t *testing.T) {
	for name, p := range map[string]leat.RetryTopics{
		"leat":   {Delays: []time.Duration{time.Second, time.Minute}},
		"spring": {Delays: []time.Duration{time.Second, time.Minute}, Spring: &leat.SpringRetries{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, 3, func(t *testing.T, r *rig) {
				type seen struct {
					at      leat.Position
					id, own string
					time    time.Time
					attempt int
				}
				got := make(chan seen, 3)
				r.start(r.later(p, func(_ context.Context, e *leat.Event[Placed]) error {
					got <- seen{e.Position(), e.ID(), e.Header("own"), e.Time(), e.Attempt()}
					return errors.New("no")
				}))
				rec := r.records(Placed{Key: "a", N: 1})[0]
				rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: "own", Value: []byte("mine")})
				r.b.Produce(t, rec)
				first := <-got
				for want := 2; want <= 3; want++ {
					again := <-got
					if again.attempt != want {
						t.Errorf("attempt %d, want %d", again.attempt, want)
					}
					if again.attempt = first.attempt; again != first {
						t.Errorf("it was %+v, and came as %+v", first, again)
					}
				}
				leattest.Eventually(t, "a dead letter", func() error {
					if n := len(r.deadLetters()); n != 1 {
						return fmt.Errorf("%d", n)
					}
					return nil
				})
				letters := r.deadLetters()
				source := r.b.ReadAll(t, r.topic.Name, kgo.ReadCommitted())[0]
				if diff := cmp.Diff(source.Headers, letters[0].rec.Headers[:len(source.Headers)]); diff != "" {
					t.Errorf("headers (-source +letter):\n%s", diff)
				}
				if letters[0].Source != first.at || letters[0].rec.Partition != first.at.Partition || !letters[0].Timestamp.Equal(source.Timestamp) {
					t.Errorf("the letter is of %v at %v, want %v at %v", letters[0].Source, letters[0].Timestamp, first.at, source.Timestamp)
				}
			})
		})
	}
}

// Members that join, leave and die while events wait in each tier: nothing is lost, and events that
// do not fail wait for nobody.
func TestNothingIsLostBetweenRetryTopicsWhoeverComesAndGoes(t *testing.T) {
	for name, spring := range map[string]*leat.SpringRetries{"leat": nil, "spring": {Suffixes: []string{"-retry-0", "-retry-1", "-retry-1"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, 4, func(t *testing.T, r *rig) {
				const keys, n = 20, 20
				left := map[string]int{}
				for k := range keys {
					for i := range n {
						if (k+i)%5 == 0 {
							left[fmt.Sprintf("k%d/%d", k, i)] = 1 + (k+i)/5%4 // 4 is once more than it is tried
						}
					}
				}
				f := newFailing(left)
				delays := []time.Duration{5 * time.Minute, 10 * time.Minute, 10 * time.Minute}
				cfg := r.later(leat.RetryTopics{Delays: delays, Spring: spring}, f.handle)
				dying := newLink(r.b)
				first := r.start(dying.through(cfg))
				second := r.start(cfg)
				time.Sleep(10 * time.Second)
				began := time.Now()
				r.send(placed(keys, n)...)
				f.await(t, keys*n*4/5)
				if took := time.Since(began); took > time.Second {
					t.Errorf("what does not fail took %v", took)
				}
				time.Sleep(3 * time.Minute)
				dying.sever() // in the first tier
				third := r.start(cfg)
				time.Sleep(7 * time.Minute)
				if err := second.stop(); err != nil { // in the second
					t.Error(err)
				}
				dying.mend()
				time.Sleep(10 * time.Minute)
				fourth := r.start(cfg) // in the third
				r.awaitEnds(t, f, keys*n, 3*time.Hour, third, fourth)
				if dead := r.folded(); len(dead) != 20 {
					t.Errorf("%d dead letters, want 20", len(dead))
				}
				if err := first.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A member ends as if killed, at each step of the way to a retry topic and behind it.
func TestAMemberCutOffOnTheWayToARetryTopicLosesNothing(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"consumer.handled", "consumer.deferred", "consumer.committing", "consumer.committed", "consumer.deadlettered"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			bubble(t, 2, func(t *testing.T, r *rig) {
				left := map[string]int{}
				for i := range 20 {
					left[fmt.Sprintf("k%d/0", i)] = 1 + i%3
				}
				f := newFailing(left)
				cfg := r.later(leat.RetryTopics{Delays: []time.Duration{20 * time.Second, time.Minute}}, f.handle)
				ctx, cut := context.WithCancelCause(t.Context())
				c, err := consumer.New(cutting(cfg, cut, point, 3))
				if err != nil {
					t.Fatal(err)
				}
				r.send(placed(20, 2)...)
				if err := c.Run(ctx); err != nil {
					t.Error(err)
				}
				if ctx.Err() == nil {
					t.Fatalf("it never came to %s", point)
				}
				heir := r.start(cfg)
				r.awaitEnds(t, f, 40, time.Hour, heir)
				for _, name := range r.folded() {
					f.mu.Lock()
					if tried := len(f.tried[name]); tried < 3 {
						t.Errorf("%s is dead after %d attempts", name, tried)
					}
					f.mu.Unlock()
				}
			})
		})
	}
}

// cutting is cfg with a hook that ends ctx as a kill does, at the given pass of a point.
func cutting(cfg consumer.Config, cut context.CancelCauseFunc, point string, pass int32) consumer.Config {
	var passes atomic.Int32
	cfg.Hook = func(at string) {
		if at == point && passes.Add(1) == pass {
			cut(consumer.ErrCut)
		}
	}
	return cfg
}

// More waits than a member may keep in memory: the partition's fetching is paused, the membership is
// kept, nothing of it holds a worker, and all of it runs when it is due.
func TestMoreWaitsThanMemoryHolds(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		left := map[string]int{}
		for i := range 200 {
			left[fmt.Sprintf("bad%d/0", i)] = 1
		}
		f := newFailing(left)
		cfg := r.later(leat.RetryTopics{Delays: []time.Duration{3 * time.Minute}}, f.handle)
		cfg.MaxQueued, cfg.MaxInFlight = 16, 4
		m := r.start(cfg)
		leattest.Eventually(t, "ready", m.Ready)
		for i := range 10 {
			var bad []any
			for n := range 20 {
				bad = append(bad, Placed{Key: fmt.Sprint("bad", 20*i+n)})
			}
			r.send(bad...)
			r.awaitCommitted(int64(20 * (i + 1)))
		}
		time.Sleep(time.Minute)
		epochs := int64(0)
		for _, p := range m.Stats().Partitions {
			epochs += p.Epoch
			if strings.Contains(p.Topic, ".retry-1") && (!p.Paused || p.Queued == 0 || p.Queued > 100 || p.InHand > 0) {
				t.Errorf("while its events wait the partition is %+v, want it paused, with some in memory and none in hand", p)
			}
		}
		r.send(placed(10, 10)...)
		began := time.Now()
		f.await(t, 100)
		if took := time.Since(began); took > time.Second {
			t.Errorf("what does not wait took %v", took)
		}
		r.awaitEnds(t, f, 300, time.Hour, m)
		for _, p := range m.Stats().Partitions {
			epochs -= p.Epoch
		}
		if epochs != 0 {
			t.Error("partitions were assigned anew")
		}
		for name := range left {
			if waits := f.waits(name); len(waits) != 1 || waits[0] < 3*time.Minute || waits[0] > 3*time.Minute+30*time.Second {
				t.Errorf("%s waited %v", name, waits)
				break
			}
		}
	})
}

func TestNothingIsCommittedPastAnEventThatCanNotMove(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		f := newFailing(map[string]int{"k1/0": 1})
		cfg := r.later(leat.RetryTopics{Delays: []time.Duration{time.Second}}, f.handle)
		to := cfg.Handlers[0].Later.Tiers(r.topic.Name, r.group)[0].Topic
		r.b.CreateTopic(t, to, 1, nil)
		fault := r.b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: to, Err: kerr.TopicAuthorizationFailed, Count: -1})
		m := r.start(cfg)
		r.send(placed(3, 10)...)
		f.await(t, 29)
		time.Sleep(20 * time.Second)
		if sum := r.committedSum(); sum != 1 {
			t.Errorf("committed %d, want 1: what lies below the event", sum)
		}
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), to) {
			t.Errorf("Ready: %v", err)
		}
		fault.Remove()
		r.awaitEnds(t, f, 30, time.Minute, m)
		r.awaitCommitted(30)
		leattest.Eventually(t, "ready again", m.Ready)
		if n := len(r.deadLetters()); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

func TestTheHandlerSaysWhenItWantsAnEventAgain(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		times := make(chan time.Time, 3)
		r.start(r.later(leat.RetryTopics{}, func(context.Context, *leat.Event[Placed]) error {
			times <- time.Now()
			return leat.RetryAfter(errors.New("closed"), 17*time.Minute)
		}))
		r.send(Placed{Key: "a"})
		<-times
		second := <-times
		third := <-times
		if gap := third.Sub(second); gap < 17*time.Minute-time.Second {
			t.Errorf("it came again after %v, want 17 minutes", gap)
		}
	})
}

func TestRetryTopicsAreRefusedWhereTheyWouldBreakAnOrder(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "orders", Carries: []any{Placed{}, Paid{}}}
	on := func(options ...leat.HandlerOption) leat.Handler {
		return consumer.On(topic, func(context.Context, *leat.Event[Placed]) error { return nil }, options...)
	}
	paid := func(options ...leat.HandlerOption) leat.Handler {
		return consumer.On(topic, func(context.Context, *leat.Event[Paid]) error { return nil }, options...)
	}
	free, later := consumer.Unordered(), consumer.RetryTopics(leat.RetryTopics{})
	spring := func(delay time.Duration, suffixes ...string) leat.HandlerOption {
		return consumer.RetryTopics(leat.RetryTopics{Delays: []time.Duration{delay, 2 * delay, 2 * delay}, Spring: &leat.SpringRetries{Suffixes: suffixes}})
	}
	for want, handlers := range map[string][]leat.Handler{
		"":                                {on(free, later), paid()},
		"do not go with an order":         {on(later)},
		"do not go with Park":             {on(free, later, consumer.Park(leat.Parking{}))},
		"do not go with a breaker":        {on(free, spring(time.Second), consumer.Breaker(leat.Breaker{}))},
		"do not go with a transform":      {consumer.Transform(topic, func(context.Context, *leat.Event[Placed]) ([]Paid, error) { return nil, nil }, free, later)},
		"ByPartition orders all":          {on(free, later), paid(consumer.ByPartition())},
		"in different ways":               {on(free, later), paid(free, spring(time.Second))},
		"parking keeps the order":         {on(free, later), paid(consumer.Park(leat.Parking{}))},
		"want at least 1 ms":              {on(free, consumer.RetryTopics(leat.RetryTopics{Delays: []time.Duration{0}}))},
		"Delays is empty":                 {on(free, consumer.RetryTopics(leat.RetryTopics{Delays: []time.Duration{}}))},
		"2 suffixes for 3 delays":         {on(free, spring(time.Second, "-a", "-b"))},
		"come back after another":         {on(free, spring(time.Second, "-a", "-b", "-a"))},
		"one of the group's retry topics": {on(free, later), consumer.On(leat.Topic{Name: "orders.g.retry-2", Carries: []any{Placed{}}}, func(context.Context, *leat.Event[Placed]) error { return nil })},
	} {
		err := consumer.Config{Group: "g", Handlers: handlers}.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
