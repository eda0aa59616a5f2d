package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// queue runs body against kfake in a bubble and against real Kafka.
func queue(t *testing.T, partitions int, body func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	t.Run("kfake", func(t *testing.T) {
		t.Parallel()
		bubble(t, partitions, body)
	})
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		body(t, newRig(t, broker.Real(t), partitions))
	})
}

// hold sets how long real brokers keep an event for a member that does not renew its lock; 2 s else, which
// is less than a machine may stall.
func (r *rig) hold(lock time.Duration) {
	r.t.Helper()
	if r.b.Real() {
		r.b.ConfigureGroup(r.t, r.group, "share.record.lock.duration.ms", strconv.FormatInt(lock.Milliseconds(), 10))
		r.b.ConfigureGroup(r.t, r.group, "share.session.timeout.ms", strconv.FormatInt(lasting.Milliseconds(), 10))
	}
}

func (r *rig) share(handler leat.Handler) consumer.ShareConfig {
	cfg := consumer.ShareConfig{Group: r.group, Kafka: r.kafka(), Handlers: []leat.Handler{handler}, Logger: r.log, Version: "v-test"}
	if !r.b.Real() {
		cfg.DrainTimeout = 2 * time.Second
	}
	return cfg
}

// sharing is a running member of a share group.
type sharing struct {
	*consumer.Share
	stop func() error
}

func (r *rig) startShare(cfg consumer.ShareConfig) *sharing {
	r.t.Helper()
	s, err := consumer.NewShare(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	r.t.Cleanup(func() { _ = stop() })
	return &sharing{s, stop}
}

// tally counts the effects of each event.
type tally struct {
	mu sync.Mutex
	of map[string]int
}

func (c *tally) add(e *leat.Event[Placed]) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	k := fmt.Sprint(e.Key(), "/", e.Data.N)
	c.of[k]++
	return c.of[k]
}

func (c *tally) await(t *testing.T, n int) {
	t.Helper()
	leattest.Eventually(t, fmt.Sprintf("%d events took effect", n), func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.of) != n {
			return fmt.Errorf("%d", len(c.of))
		}
		return nil
	})
}

// repeats is how many effects there were too many.
func (c *tally) repeats() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.of {
		n += times - 1
	}
	return n
}

// What was there before the group is not skipped, and more members than partitions have work.
func TestAShareGroupHandlesEachEventWithMoreMembersThanPartitions(t *testing.T) {
	queue(t, 1, func(t *testing.T, r *rig) {
		r.hold(30 * time.Second)
		r.send(placed(20, 10)...)
		var done tally
		var work nameSet // of members
		two := newGate(t)
		var members [3]*sharing
		for i := range members {
			cfg := r.share(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
				if work.add(fmt.Sprint(i)); work.len() > 1 { // or the first would be through before another is there
					two.open()
				}
				two.wait()
				time.Sleep(20 * time.Millisecond)
				done.add(e)
				return nil
			}, consumer.Unordered()))
			cfg.MaxInHand = 10
			members[i] = r.startShare(cfg)
		}
		done.await(t, 200)
		var handled int64
		busy := 0
		for _, m := range members {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
			handled += m.Stats().Handled
			if m.Stats().Handled > 0 {
				busy++
			}
		}
		if n := done.repeats(); n != 0 || handled != 200 || busy < 2 {
			t.Errorf("%d repeats, %d handled by %d members", n, handled, busy)
		}
		// Nothing is left for those who come later.
		m := r.startShare(r.share(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			done.add(e)
			return nil
		}, consumer.Unordered())))
		r.send(Placed{Key: "last"})
		done.await(t, 201)
		if n := done.repeats(); n != 0 || m.Stats().Handled > 1 {
			t.Errorf("%d repeats after the members stopped", n)
		}
	})
}

// A member is cut off with events in hand: another gets them when their locks have run out.
func TestADeadMembersShareIsHandledByAnother(t *testing.T) {
	queue(t, 2, func(t *testing.T, r *rig) {
		r.hold(10 * time.Second) // until the heir gets what the dead one had in hand
		var done tally
		var taken atomic.Int32
		hang := newGate(t)
		dying := newLink(r.b)
		cfg := r.share(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			taken.Add(1)
			hang.wait()
			return errors.New("too late")
		}, consumer.Unordered(), consumer.Timeout(-1)))
		cfg.Kafka.Dial = dying.dial
		first := r.startShare(cfg)
		r.send(placed(20, 5)...)
		leattest.Eventually(t, "events in hand", func() error {
			if taken.Load() == 0 {
				return errors.New("none")
			}
			return nil
		})
		dying.sever()
		r.startShare(r.share(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			done.add(e)
			return nil
		}, consumer.Unordered())))
		done.await(t, 100)
		hang.open()
		dying.mend()
		if err := first.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A handler takes longer than the brokers' lock. Renewed, the event stays with it.
func TestASlowHandlerKeepsItsEvent(t *testing.T) {
	queue(t, 1, func(t *testing.T, r *rig) {
		takes := 5 * time.Second // a lock is 2 s in bubbles
		if r.b.Real() {
			r.hold(30 * time.Second)
			takes = 40 * time.Second
		}
		var begun, done tally
		cfg := r.share(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			begun.add(e)
			time.Sleep(takes)
			done.add(e)
			return nil
		}, consumer.Unordered(), consumer.Timeout(-1)))
		r.startShare(cfg)
		r.startShare(cfg)
		r.send(placed(3, 1)...)
		begun.await(t, 3)
		time.Sleep(takes)
		done.await(t, 3)
		if n := begun.repeats(); n != 0 {
			t.Errorf("%d events were given to a second handler", n)
		}
	})
}

func TestAShareGroupDeadLettersWhatFails(t *testing.T) {
	queue(t, 1, func(t *testing.T, r *rig) {
		r.hold(30 * time.Second)
		r.send(Placed{Key: "bad"}, Placed{Key: "good"}, Placed{Key: "flaky"})
		var tries tally
		m := r.startShare(r.share(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			n := tries.add(e)
			if e.Key() == "bad" || e.Key() == "flaky" && n < 2 {
				return errors.New("no")
			}
			return nil
		}, consumer.Unordered(), quick)))
		leattest.Eventually(t, "all are dealt with", func() error {
			if n := m.Stats().Handled; n != 3 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		letters := r.deadLetters()
		if len(letters) != 1 || letters[0].Attempts != 3 || string(letters[0].rec.Key) != "bad" {
			t.Errorf("dead letters %+v", letters)
		}
	})
}

// An event that takes every member down with it is dead-lettered before the brokers drop it.
func TestAnEventThatKillsItsMembersIsDeadLettered(t *testing.T) {
	queue(t, 1, func(t *testing.T, r *rig) {
		r.hold(10 * time.Second)
		r.send(Placed{Key: "poison"})
		hang := newGate(t)
		var given atomic.Int32
		for range 5 {
			network := newLink(r.b)
			before := given.Load()
			cfg := r.share(consumer.On(r.topic, func(context.Context, *leat.Event[Placed]) error {
				given.Add(1)
				hang.wait()
				return errors.New("too late")
			}, consumer.Unordered(), consumer.Timeout(-1)))
			cfg.Kafka.Dial = network.dial
			cfg.MaxDeliveries = 3
			m := r.startShare(cfg)
			leattest.Eventually(t, "the event is in hand, or dealt with", func() error {
				if given.Load() == before && m.Stats().Handled == 0 {
					return errors.New("not yet")
				}
				return nil
			})
			if m.Stats().Handled > 0 {
				break
			}
			network.sever()
		}
		if n := given.Load(); n != 3 {
			t.Errorf("given to %d handlers, want 3", n)
		}
		if letters := r.deadLetters(); len(letters) != 1 || letters[0].Reason != consumer.ReasonExhausted {
			t.Errorf("dead letters %+v", letters)
		}
		hang.open()
	})
}

func TestAClusterWithoutShareGroupsIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Fake(t, broker.FakeConfig{Virtual: true, Opts: []kfake.Opt{kfake.MaxVersions(kversion.V4_1_0())}}), 1)
		m := r.startShare(r.share(consumer.On(r.topic, newLedger().note, consumer.Unordered())))
		time.Sleep(time.Minute)
		if err := m.stop(); !errors.Is(err, consumer.ErrNoShareGroups) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestNewShareSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "t", Carries: []any{Placed{}}}
	_, err := consumer.NewShare(consumer.ShareConfig{Group: "g", MaxInHand: -1, Handlers: []leat.Handler{consumer.On(topic, newLedger().note)}})
	for _, want := range []string{"consumer.Unordered()", "MaxInHand is -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A handler ignores the end of its context. It is told of after one grace and ends the member after the
// next; the event goes to another member.
func TestAHandlerThatHangsEndsItsMemberOfAShareGroup(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(3, 1)...)
		hang := newGate(t)
		var done tally
		cfg := r.share(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "k2" {
				hang.wait() // whatever its context says
				return nil
			}
			done.add(e)
			return nil
		}, consumer.Unordered(), consumer.Timeout(5*time.Second)))
		cfg.HungAfter, cfg.LeaveAfter = 5*time.Second, 20*time.Second
		s, err := consumer.NewShare(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- s.Run(ctx) }()
		done.await(t, 2)
		if err := s.Ready(); err != nil || s.Stats().Hung != 0 {
			t.Errorf("before the first grace: %v", err)
		}
		time.Sleep(time.Until(began.Add(13 * time.Second)))
		if err := s.Ready(); err == nil || s.Stats().Hung != 1 {
			t.Errorf("after the first grace ready says %v", err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, consumer.ErrHung) {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(5 * time.Minute):
			t.Fatal("the member stands still for ever")
		}
		if took := time.Since(began); took < 25*time.Second || took > time.Minute {
			t.Errorf("ended after %v, want about 29 s: 5 s timeout, 20 s grace, 2 s drain, 1 s for the last", took)
		}
		cfg.Handlers = []leat.Handler{consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			done.add(e)
			return nil
		}, consumer.Unordered())}
		r.startShare(cfg)
		done.await(t, 3)
		if n := done.repeats(); n != 0 {
			t.Errorf("%d repeats of what was told done", n)
		}
	})
}

// However long the member has run, an attempt has its whole Timeout.
func TestAnAttemptInAShareGroupHasItsWholeTime(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		left := make(chan time.Duration, 1)
		r.startShare(r.share(consumer.On(r.topic, func(ctx context.Context, _ *leat.Event[Placed]) error {
			end, _ := ctx.Deadline()
			left <- time.Until(end)
			return ctx.Err()
		}, consumer.Unordered(), consumer.Timeout(5*time.Second))))
		time.Sleep(time.Minute)
		r.send(Placed{Key: "late"})
		if d := <-left; d < 4*time.Second || d > 6*time.Second {
			t.Errorf("an attempt had %v, want 5 s", d)
		}
	})
}
