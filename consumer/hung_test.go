package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// A handler ignores the end of its context. It is told of after one grace and ends the consumer after
// the next; what others have finished is committed, and the hung event comes again.
func TestAHandlerThatHangsEndsTheConsumer(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(5, 1)...)
		hang := newGate(t)
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "k2" {
				hang.wait() // whatever its context says
				return nil
			}
			return done.note(ctx, e)
		}, consumer.Timeout(5*time.Second)))
		cfg.HungAfter, cfg.LeaveAfter, cfg.DrainTimeout = 5*time.Second, 20*time.Second, 3*time.Second
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- c.Run(context.Background()) }()
		done.await(t, 4)
		time.Sleep(time.Until(began.Add(12 * time.Second)))
		if err := c.Ready(); err == nil || c.Stats().Hung != 1 {
			t.Errorf("after the first grace ready says %v", err)
		}
		err = <-ended
		if took := time.Since(began); took < 25*time.Second || took > 32*time.Second {
			t.Errorf("ended after %v, want about 29 s: 5 s timeout, 20 s grace, 3 s drain, 1 s for the last", took)
		}
		if !errors.Is(err, consumer.ErrHung) {
			t.Errorf("ended with %v", err)
		}
		if sum := r.committedSum(); sum != 2 {
			t.Errorf("committed %d, want 2: what lies below the hung event", sum)
		}
	})
}

func TestAHandlerThatHangsIsWaitedForWhereTheConfigSaysSo(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(1, 1)...)
		var hung atomic.Bool
		cfg := r.config(consumer.On(r.topic, func(context.Context, *leat.Event[Placed]) error {
			hung.Store(true)
			time.Sleep(10 * time.Minute)
			return nil
		}, consumer.Timeout(time.Second)))
		cfg.LeaveAfter = -1
		m := r.start(cfg)
		leattest.Eventually(t, "hanging", func() error {
			if !hung.Load() {
				return errors.New("not yet")
			}
			return nil
		})
		time.Sleep(9 * time.Minute)
		if m.Stats().Hung != 1 {
			t.Error("it is not told of")
		}
		time.Sleep(2 * time.Minute)
		r.awaitCommitted(1)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A partition goes to another member while its handler ignores its context. The handler belongs to
// nobody's partition any more; the stop of its consumer ends in time all the same, and says so.
func TestADrainEndsInTimeAlthoughAnEventOfALostPartitionHangs(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(50, 1)...)
		hang := newGate(t)
		var first atomic.Bool
		first.Store(true)
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if first.Load() {
				hang.wait()
			}
			return done.note(ctx, e)
		}, consumer.Timeout(-1), consumer.Parallel(100)))
		cfg.DrainTimeout = 2 * time.Second
		cfg.HungAfter = 3 * time.Second
		slow := r.start(cfg)
		leattest.Eventually(t, "all in hand", func() error {
			if slow.Stats().InFlight != 50 {
				return errors.New("not yet")
			}
			return nil
		})
		first.Store(false)
		r.start(cfg)
		leattest.Eventually(t, "one partition went", func() error {
			if len(slow.Stats().Partitions) != 1 {
				return errors.New("not yet")
			}
			return nil
		})
		time.Sleep(5 * time.Second)
		if s := slow.Stats(); s.Hung == 0 || s.Hung == 50 {
			t.Errorf("%d handlers hang, want those of the partition that went", s.Hung)
		}
		began := time.Now()
		err := slow.stop()
		if took := time.Since(began); err == nil || took > 6*time.Second {
			t.Errorf("the stop took %v and says %v", took, err)
		}
	})
}

// The host dies: nothing more is drained, committed or sent.
func TestACutEndsTheConsumerAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Fake(t, broker.FakeConfig{Virtual: true}), 1)
		r.send(placed(10, 2)...)
		done := newLedger()
		var cut atomic.Int32
		cfg := r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Data.N == 0 {
				return done.note(ctx, e)
			}
			<-ctx.Done()
			if errors.Is(context.Cause(ctx), consumer.ErrCut) {
				cut.Add(1)
			}
			return nil // and says that it succeeded
		}))
		cfg.CommitInterval = time.Hour
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancelCause(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		leattest.Eventually(t, "ten in hand", func() error {
			if done.len() != 10 || c.Stats().InFlight != 10 {
				return errors.New("not yet")
			}
			return nil
		})
		began := time.Now()
		end(consumer.ErrCut)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
		if sum := r.committedSum(); sum != 0 || cut.Load() != 10 {
			t.Errorf("committed %d, %d handlers saw the cut", sum, cut.Load())
		}
	})
}

// The broker is away when the consumer stops: no commit, no leave, and an end in time.
func TestADrainEndsInTimeWithoutABroker(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(10, 2)...)
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		cfg.CommitInterval = time.Hour
		network := newLink(r.b)
		m := r.start(network.through(cfg))
		done.await(t, 20)
		network.sever()
		began := time.Now()
		_ = m.stop()
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}
