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

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// slowly is a handler that takes d for each event, keeps the ledger and tells the auditor.
func slowly(done *ledger, a *auditor, d time.Duration) func(context.Context, *leat.Event[Placed]) error {
	return after(d, a.noting(done))
}

// after is a handler that waits before each event.
func after(d time.Duration, fn func(context.Context, *leat.Event[Placed]) error) func(context.Context, *leat.Event[Placed]) error {
	return func(ctx context.Context, e *leat.Event[Placed]) error {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return fn(ctx, e)
	}
}

// noting is a handler that keeps the ledger and tells the auditor.
func (a *auditor) noting(done *ledger) func(context.Context, *leat.Event[Placed]) error {
	return func(_ context.Context, e *leat.Event[Placed]) error {
		done.add(e.Key(), e.Data.N)
		a.done(e.Position().Partition, e.Position().Offset)
		return nil
	}
}

// A handover repeats at most what had finished above the low water.
func TestMembersThatJoinAndLeaveHandOverInOrder(t *testing.T) {
	conform(t, 4, func(t *testing.T, r *rig) {
		r.send(placed(40, 30)...)
		done := newLedger()
		a, stop := r.audit()
		cfg := r.config(consumer.On(r.topic, slowly(done, a, 5*time.Millisecond), consumer.Parallel(4)))
		first := r.start(cfg)
		done.await(t, 100)
		second := r.start(cfg)
		done.await(t, 500)
		if err := first.stop(); err != nil {
			t.Error(err)
		}
		third := r.start(cfg)
		r.awaitCommitted(1200)
		stop()
		done.soundPerKey(t, 40, 30)
		for _, m := range []*member{second, third} {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// No commit is due for long: only the one before a partition goes can keep the next owner from handling
// everything again.
func TestWhatIsFinishedIsCommittedBeforeItsPartitionGoes(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(40, 5)...)
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		cfg.CommitInterval = 24 * time.Hour
		r.start(cfg)
		done.await(t, 200)
		second := r.start(cfg)
		leattest.Eventually(t, "a partition went", func() error {
			if len(second.Stats().Partitions) != 1 {
				return errors.New("not yet")
			}
			return nil
		})
		time.Sleep(time.Minute)
		if n := done.len(); n != 200 {
			t.Errorf("%d effects of 200 events", n)
		}
	})
}

func TestADeadMembersEventsAreHandledByTheOthersInOrder(t *testing.T) {
	conform(t, 4, func(t *testing.T, r *rig) {
		done := newLedger()
		a, stop := r.audit()
		config := func(fn func(context.Context, *leat.Event[Placed]) error) consumer.Config {
			return r.config(consumer.On(r.topic, after(2*time.Millisecond, fn), consumer.Parallel(4)))
		}
		dying := newLink(r.b)
		first := r.start(dying.through(config(dying.living(a.noting(done)))))
		second, third := r.start(config(a.noting(done))), r.start(config(a.noting(done)))
		r.awaitShared(first, second, third)
		r.send(placed(40, 30)...)
		done.await(t, 200)
		r.die(dying)
		r.awaitCommittedIn(1200, 2*time.Minute)
		stop()
		done.soundPerKey(t, 40, 30)
		dying.mend()
		if err := first.stop(); err != nil {
			t.Error(err)
		}
	})
}

// One member has a slow event in hand on every partition when a second joins. The partition that goes
// waits for its event; the one that stays is worked on all the while.
func TestARebalanceNeverStopsThePartitionsThatStay(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		effects := map[int32][]time.Time{}
		var slow atomic.Int32
		cfg := r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			if strings.HasPrefix(e.Key(), "slow") {
				slow.Add(1)
				time.Sleep(3 * time.Second)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			p := e.Position().Partition
			effects[p] = append(effects[p], time.Now())
			return nil
		}))
		first := r.start(cfg)
		leattest.Eventually(t, "ready", first.Ready)
		send := r.stream()
		defer send.stop()
		for p := range int32(2) {
			send.write(p, "slow", 0)
		}
		leattest.Eventually(t, "a slow event in hand on each", func() error {
			if slow.Load() < 2 {
				return errors.New("not yet")
			}
			return nil
		})
		began := time.Now()
		r.start(cfg)
		for n := range 500 { // five seconds
			for p := range int32(2) {
				send.write(p, fmt.Sprint("k", n%7), n)
			}
			time.Sleep(10 * time.Millisecond)
		}
		stays := first.Stats().Partitions
		if len(stays) != 1 {
			t.Fatalf("the first member has %d partitions, want 1", len(stays))
		}
		mu.Lock()
		defer mu.Unlock()
		if gap := longestGap(effects[stays[0].Partition], began); gap > 200*time.Millisecond {
			t.Errorf("the partition that stays stood still for %v", gap)
		}
		if gap := longestGap(effects[1-stays[0].Partition], began); gap < 2*time.Second {
			t.Errorf("the partition that went stood still for only %v: nothing was drained", gap)
		}
	})
}

func longestGap(times []time.Time, from time.Time) (gap time.Duration) {
	for _, at := range times {
		if at.After(from) {
			gap, from = max(gap, at.Sub(from)), at
		}
	}
	return gap
}

// A handler hangs on an early event while its partition goes to another member, which handles all and
// commits the end. When the handler comes back at last, the group's offset stays where it is.
func TestALateCompletionNeverMovesTheOffsetBack(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(1000, 1)...)
		hang, hanging := newGate(t), make(chan struct{})
		var hung atomic.Bool
		done := newLedger()
		a, stop := r.audit()
		handler := consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			if e.Position().Offset == 5 && hung.CompareAndSwap(false, true) {
				close(hanging)
				hang.wait() // whatever its context says
			}
			done.add(e.Key(), e.Data.N)
			a.done(0, e.Position().Offset)
			return nil
		})
		cfg := r.config(handler)
		cfg.DrainTimeout = 2 * time.Second
		network := newLink(r.b)
		zombie := r.start(network.through(cfg))
		<-hanging
		network.sever() // its session expires
		second := r.start(cfg)
		r.awaitCommitted(1000)
		network.mend()
		time.Sleep(10 * time.Second) // the zombie is back in the group, with nothing to do
		hang.open()
		leattest.Eventually(t, "the late completion is seen and dropped", func() error {
			if zombie.Stats().Stale == 0 {
				return errors.New("not yet")
			}
			return nil
		})
		time.Sleep(10 * time.Second)
		if at := r.committedSum(); at != 1000 {
			t.Errorf("committed %d, want 1000", at)
		}
		stop()
		for _, m := range []*member{zombie, second} {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// The same by an orderly revoke whose drain runs out.
func TestARevokeThatCanNotDrainVoidsWhatFinishesLater(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(50, 2)...)
		hang := newGate(t)
		var causes nameSet
		done := newLedger()
		a, stop := r.audit()
		var first atomic.Bool
		first.Store(true)
		cfg := r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Data.N == 1 && first.Load() {
				select {
				case <-ctx.Done():
					causes.add(context.Cause(ctx).Error())
				case <-hang.opened:
				}
				hang.wait()
			}
			done.add(e.Key(), e.Data.N)
			a.done(e.Position().Partition, e.Position().Offset)
			return nil
		}, consumer.Timeout(-1), consumer.Parallel(100)))
		cfg.DrainTimeout = 2 * time.Second
		slow := r.start(cfg)
		done.await(t, 50)
		first.Store(false)
		other := r.start(cfg)
		leattest.Eventually(t, "one partition went", func() error {
			if n := len(slow.Stats().Partitions) + len(other.Stats().Partitions); n != 2 || len(other.Stats().Partitions) != 1 {
				return errors.New("not yet")
			}
			return nil
		})
		if causes.len() != 1 || !causes.names[consumer.ErrRevoked.Error()] {
			t.Errorf("contexts ended by %v, want %q", causes.names, consumer.ErrRevoked)
		}
		time.Sleep(5 * time.Second)
		hang.open()
		r.awaitCommitted(100)
		if slow.Stats().Stale == 0 {
			t.Error("no late completion was dropped")
		}
		stop()
		done.soundPerKey(t, 50, 2)
	})
}

func TestCommitsSurviveLostAnswersAndMovingCoordinators(t *testing.T) {
	t.Parallel()
	bubbleOf(t, 3, 4, func(t *testing.T, r *rig) {
		done := newLedger()
		a, stop := r.audit()
		cfg := r.config(consumer.On(r.topic, slowly(done, a, 5*time.Millisecond), consumer.Parallel(4)))
		network := newLink(r.b)
		first := r.start(network.through(cfg))
		second := r.start(cfg)
		refused := r.b.Cluster.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.group, Err: kerr.NotCoordinator, Count: 3},
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.group, Err: kerr.RebalanceInProgress, Count: 2},
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.group, Err: kerr.RequestTimedOut, Count: 2},
		)
		rounds := 0
		for ; rounds < 6 || refused.Hits() < 7 && rounds < 60; rounds++ {
			var events []any
			for _, e := range placed(40, 5) {
				p := e.(Placed)
				events = append(events, Placed{Key: p.Key, N: p.N + 5*rounds})
			}
			r.send(events...)
			done.await(t, 200*rounds+50)
			network.loseOne(t)
			r.b.Cluster.RehashCoordinators()
			r.b.Cluster.ShufflePartitionLeaders()
		}
		r.awaitCommitted(200 * int64(rounds))
		stop()
		done.complete(t, 40, 5*rounds)
		if refused.Hits() < 7 || network.lost == 0 {
			t.Errorf("%d commits refused, %d answers lost: the faults were not met", refused.Hits(), network.lost)
		}
		for _, m := range []*member{first, second} {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTheLagOfATransactionalTopicReachesZero(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		cl := r.b.Client(t, kgo.TransactionalID(r.b.Name("tx")))
		for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
			r.begin(cl, Placed{Key: "a", N: i})
			if err := cl.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, done.note)))
		r.awaitCommitted(6) // three events and three markers
		leattest.Eventually(t, "lag is 0", func() error {
			p := m.Stats().Partitions
			if len(p) != 1 || p[0].Lag != 0 {
				return fmt.Errorf("%+v", p)
			}
			return nil
		})
		done.mu.Lock()
		defer done.mu.Unlock()
		if got := fmt.Sprint(done.byKey["a"]); got != "[0 2]" {
			t.Errorf("effects %s, want [0 2]: the aborted one never happened", got)
		}
	})
}

// A member's answer to its join is lost, its session ends meanwhile, and another member works on the
// partitions; then the first is let in again. Its own place in the log and its low water are of
// another time: it commits nothing of them and reads on from the group's offset.
func TestAMemberThatWasOutDuringAJoinBeginsAnew(t *testing.T) {
	t.Parallel()
	for seed := range 5 {
		bubbleOf(t, 1, 2, func(t *testing.T, r *rig) {
			done := newLedger()
			a, stop := r.audit()
			cfg := r.config(consumer.On(r.topic, slowly(done, a, time.Duration(1+seed)*time.Millisecond), consumer.Parallel(2)))
			network := newLink(r.b)
			first := r.start(network.through(cfg))
			r.send(placed(20, 20)...)
			done.await(t, 20)
			joins := r.b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: r.group, Observe: true, Count: -1})
			second := r.start(cfg)
			leattest.Eventually(t, "both are joining", func() error {
				if joins.Hits() < 3 {
					return fmt.Errorf("%d joins", joins.Hits())
				}
				return nil
			})
			network.sever()
			time.Sleep(time.Duration(4+seed) * time.Second)
			network.mend()
			r.awaitCommitted(400)
			time.Sleep(time.Minute) // whatever comes late
			r.awaitCommitted(400)
			stop()
			done.complete(t, 20, 20)
			for _, m := range []*member{first, second} {
				if err := m.stop(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
