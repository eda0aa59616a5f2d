package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// bill makes a bill of what f lets pass.
func (f *failing) bill(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
	if err := f.handle(ctx, e); err != nil {
		return nil, err
	}
	return bill(ctx, e)
}

func (r *rig) parkingTransform(p leat.Parking, fn func(context.Context, *leat.Event[Placed]) ([]Billed, error), options ...leat.HandlerOption) consumer.Config {
	return r.transforming(fn, append([]leat.HandlerOption{onceInline, consumer.Park(p)}, options...)...)
}

// billedExactly checks that each event has one output or one dead letter, and that each key's outputs
// stand in its order.
func (r *rig) billedExactly(keys, n int, poison map[string]bool) {
	r.t.Helper()
	dead := map[string]int{}
	for _, d := range r.deadLetters() {
		var e Placed
		if err := leat.JSON.Decode(d.rec.Value, nil, &e); err != nil {
			r.t.Fatal(err)
		}
		dead[fmt.Sprintf("%s/%d", e.Key, e.N)]++
	}
	got := r.billed()
	for k := range keys {
		key := fmt.Sprintf("k%d", k)
		var want []int
		for i := range n {
			name := fmt.Sprintf("%s/%d", key, i)
			if letters := dead[name]; poison[name] && letters != 1 || !poison[name] && letters != 0 {
				r.t.Errorf("%s: %d dead letters, poison %t", name, letters, poison[name])
			}
			if !poison[name] {
				want = append(want, i)
			}
		}
		if !slices.Equal(got[key], want) {
			r.t.Errorf("key %s: outputs %v, want %v", key, got[key], want)
		}
	}
}

// failures let every fifth event fail twice, and some always.
func failures(keys, n int) (left map[string]int, poison map[string]bool) {
	left, poison = map[string]int{}, map[string]bool{}
	for k := range keys {
		for i := range n {
			name := fmt.Sprintf("k%d/%d", k, i)
			if (k*7+i)%5 == 0 {
				left[name] = 2
			}
			if (k*3+i)%29 == 0 {
				left[name], poison[name] = 1<<30, true
			}
		}
	}
	return left, poison
}

// Members join, leave and die while events fail, wait and are given up: each has one output or one dead
// letter, never two, and no key's order suffers.
func TestParkedTransformsLeaveOneOutputOfEachEventInOrder(t *testing.T) {
	conform(t, 4, func(t *testing.T, r *rig) {
		const keys, n = 20, 20
		left, poison := failures(keys, n)
		f := newFailing(left)
		dying := newLink(r.b)
		cfg := r.parkingTransform(leat.Parking{Tiers: []time.Duration{200 * time.Millisecond, 400 * time.Millisecond}}, f.bill)
		first := r.start(dying.through(cfg))
		second, third := r.start(cfg), r.start(cfg)
		r.awaitShared(first, second, third)
		events := placed(keys, n)
		r.send(events[:len(events)/2]...)
		f.await(t, 60)
		r.die(dying)
		r.send(events[len(events)/2:]...)
		f.await(t, 200)
		if err := second.stop(); err != nil {
			t.Error(err)
		}
		fourth := r.start(cfg)
		r.awaitCommittedIn(keys*n, 2*time.Minute)
		r.awaitUnparked(third, fourth)
		dying.mend()
		_ = first.stop()
		for _, m := range []*member{third, fourth} {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
		r.awaitNothingOpen()
		r.billedExactly(keys, n, poison)
	})
}

// A key waits its tiers; others leave and are committed, and a member that comes anew repeats nothing.
func TestAParkedTransformKeyWaitsAloneAndOverRestarts(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(5, 10)...)
		f := newFailing(map[string]int{"k2/3": 2})
		cfg := r.parkingTransform(leat.Parking{Tiers: []time.Duration{2 * time.Minute, time.Minute}}, f.bill)
		cfg.Transforms.CommitInterval = time.Second
		for range 3 {
			m := r.start(cfg)
			r.awaitCommitted(50)
			if err := m.stop(); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
		}
		if got := len(f.tried["k2/3"]); got != 1 {
			t.Errorf("the event that waits was tried %d times", got)
		}
		m := r.start(cfg)
		f.awaitIn(t, 5*time.Minute, 50)
		near(t, f.waits("k2/3"), 2*time.Minute, time.Minute)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		r.billedExactly(5, 10, nil)
	})
}

// One event is slow and holds the low water, its neighbors are parked, run and gone: their outputs do not
// come again after a restart.
func TestWhatAParkedTransformHasFinishedAboveAnOpenEventIsNotRepeated(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(5, 10)...)
		f := newFailing(map[string]int{"k1/2": 1, "k3/7": 1})
		stuck := make(chan struct{})
		fn := func(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
			if e.Data.Key == "k4" && e.Data.N == 0 {
				select {
				case <-stuck:
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			}
			return f.bill(ctx, e)
		}
		cfg := r.parkingTransform(leat.Parking{Tiers: []time.Duration{time.Second}}, fn, consumer.Timeout(time.Hour))
		m := r.start(cfg)
		leattest.Within(t, 5*time.Minute, "all but one key are out", func() error {
			n := 0
			for _, list := range r.billed() {
				n += len(list)
			}
			if n != 40 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		if at := r.committedSum(); at != 4 {
			t.Errorf("committed %d, want the place of the event that is slow", at)
		}
		_ = m.stop()
		if at := r.committedSum(); at != 4 {
			t.Errorf("committed %d, want the place of the event that is slow", at)
		}
		close(stuck)
		r.start(cfg)
		r.awaitCommitted(50)
		r.billedExactly(5, 10, nil)
	})
}

func TestADeadLetterOfAParkedTransformHoldsItsKey(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 4)...)
		f := newFailing(map[string]int{"k0/1": 1 << 30})
		cfg := r.parkingTransform(leat.Parking{Tiers: []time.Duration{time.Second}, OnDead: leat.HoldKey}, f.bill)
		m := r.start(cfg)
		r.awaitCommitted(8)
		leattest.Eventually(t, "three dead letters", func() error {
			if n := len(r.deadLetters()); n != 3 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		kinds := map[park.Kind]int{}
		for _, rec := range r.b.ReadAll(t, leat.ParkTopic(r.topic.Name, r.group), kgo.ReadCommitted()) {
			kinds[parse(t, rec).Kind]++
		}
		if kinds[park.Dead] != 3 || kinds[park.Fin] != 3 {
			t.Errorf("park records %v", kinds)
		}
		if got := r.billed(); !slices.Equal(got["k0"], []int{0}) || !slices.Equal(got["k1"], []int{0, 1, 2, 3}) {
			t.Errorf("outputs %v", got)
		}
	})
}

// The embedded broker has no transactions that last: outputs go first, then what was decided, then the
// offsets. Undisturbed, each event comes to one output or one dead letter all the same.
func TestOnTheEmbeddedBrokerATransformParksToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Fake(t, broker.FakeConfig{Virtual: true, Opts: []kfake.Opt{kfake.ClusterID(kafka.EmbeddedPrefix + "test")}}), 2)
		const keys, n = 8, 10
		left, poison := failures(keys, n)
		f := newFailing(left)
		cfg := r.parkingTransform(leat.Parking{Tiers: []time.Duration{200 * time.Millisecond, 400 * time.Millisecond}}, f.bill)
		r.send(placed(keys, n)...)
		m := r.start(cfg)
		r.awaitCommitted(keys * n)
		r.awaitUnparked(m)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		r.billedExactly(keys, n, poison)
		if len(r.b.ReadAll(t, leat.ParkTopic(r.topic.Name, r.group), kgo.ReadUncommitted())) < 10 {
			t.Error("nothing was parked")
		}
	})
}

// Who takes over writes no letter of which the park partition says that it is written. So where one can't
// be written that is not said.
func TestOnTheEmbeddedBrokerADeadLetterIsWrittenBeforeThatIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Fake(t, broker.FakeConfig{Virtual: true, Opts: []kfake.Opt{kfake.ClusterID(kafka.EmbeddedPrefix + "test")}}), 1)
		const keys, n = 8, 10
		left, poison := failures(keys, n)
		refused := r.b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: leat.DeadLetters(r.topic.Name, r.group), Err: kerr.TopicAuthorizationFailed, Count: 2})
		r.send(placed(keys, n)...)
		m := r.start(r.parkingTransform(leat.Parking{Tiers: []time.Duration{200 * time.Millisecond, 400 * time.Millisecond}}, newFailing(left).bill))
		r.awaitCommittedIn(keys*n, 2*time.Minute)
		leattest.Within(t, 2*time.Minute, fmt.Sprintf("dead letters of %v", poison), func() error {
			if dead := r.folded(); len(poison) == 0 || len(dead) != len(poison) {
				return fmt.Errorf("%v", dead)
			}
			return nil
		})
		if refused.Hits() != 2 {
			t.Errorf("%d dead letters were refused, want 2", refused.Hits())
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}
