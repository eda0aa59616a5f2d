package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

func TestStoppingFinishesWhatIsInHandAndCommitsIt(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(30, 1)...)
		done := newLedger()
		started, goOn := make(chan struct{}, 30), newGate(t)
		cfg := r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			started <- struct{}{}
			goOn.wait()
			if ctx.Err() != nil {
				t.Error("the context of an event in hand ended while there was time")
			}
			return done.note(ctx, e)
		}, consumer.Parallel(4)))
		cfg.CommitInterval = time.Hour // only the last commit
		m := r.start(cfg)
		for range 4 {
			<-started
		}
		ended := make(chan error, 1)
		go func() { ended <- m.stop() }()
		leattest.Eventually(t, "it is stopping", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "stopping") {
				return fmt.Errorf("ready: %v", err)
			}
			return nil
		})
		goOn.open()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := done.len(); n != 4 {
			t.Errorf("%d effects, want the 4 that were in hand", n)
		}
		if sum := r.committedSum(); sum != 4 {
			t.Errorf("committed %d, want 4", sum)
		}
	})
}

func TestStoppingCutsOffHandlersThatTakeTooLong(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 1)...)
		ignore := newGate(t)
		cfg := r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "k1" {
				ignore.wait()
				return nil
			}
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, consumer.ErrStopped) {
				t.Errorf("cause %v", cause)
			}
			return ctx.Err()
		}, consumer.Timeout(-1)))
		cfg.DrainTimeout = 3 * time.Second
		m := r.start(cfg)
		leattest.Eventually(t, "two in hand", func() error {
			if n := m.Stats().InFlight; n != 2 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		began := time.Now()
		if err := m.stop(); err == nil || !strings.Contains(err.Error(), "1 events were still in hand") {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if sum := r.committedSum(); sum != 0 {
			t.Errorf("committed %d, want 0", sum)
		}
		ignore.open()
	})
}

func TestReadyTellsOfAHandlerThatHangs(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 3)...)
		hang := newGate(t)
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "k0" && e.Data.N == 0 {
				hang.wait()
			}
			return done.note(ctx, e)
		}, consumer.Timeout(2*time.Second))))
		done.await(t, 3) // the other key
		leattest.Eventually(t, "ready", m.Ready)
		time.Sleep(15 * time.Second)
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "ignores the end of its context") {
			t.Errorf("Ready: %v", err)
		}
		if n := m.Stats().Hung; n != 1 {
			t.Errorf("%d hung, want 1", n)
		}
		hang.open()
		r.awaitCommitted(6)
		done.inOrder(t, 2, 3)
		if err := m.Ready(); err != nil {
			t.Errorf("Ready: %v", err)
		}
	})
}

func TestATopicThatDoesNotExistYetIsWaitedFor(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.topic.Name = r.b.Name("later")
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, done.note)))
		leattest.Eventually(t, "Ready names the topic", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), r.topic.Name+": it does not exist yet") {
				return fmt.Errorf("ready: %v", err)
			}
			return nil
		})
		r.b.CreateTopic(t, r.topic.Name, 2, nil)
		r.send(placed(5, 5)...)
		r.awaitCommitted(25)
		done.inOrder(t, 5, 5)
		leattest.Eventually(t, "ready", m.Ready)
	})
}

func TestRecordsThatAreGoneStopTheirPartitionLoudly(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(20, 10)...)
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		m := r.start(cfg)
		r.awaitCommitted(200)
		if err := m.stop(); err != nil {
			t.Fatal(err)
		}
		before := r.b.Committed(t, r.group, r.topic.Name)
		r.send(placed(20, 10)...)
		if err := r.b.Cluster.DeleteRecords(r.topic.Name, 0, before[0]+10); err != nil {
			t.Fatal(err)
		}
		m = r.start(cfg)
		leattest.Eventually(t, "the other partition is handled", func() error {
			if at := r.b.Committed(t, r.group, r.topic.Name)[1]; at != 2*before[1] {
				return fmt.Errorf("committed %d", at)
			}
			return nil
		})
		leattest.Eventually(t, "Ready names the partition", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), r.topic.Name+"/0 waits: ") {
				return fmt.Errorf("ready: %v", err)
			}
			return nil
		})
		if at := r.b.Committed(t, r.group, r.topic.Name)[0]; at != before[0] {
			t.Errorf("committed %d, want %d: nobody knows what was missed", at, before[0])
		}
	})
}

// A batch that would fill the memory when it is decompressed stops its partition, which says so and
// what to do; the other partitions go on.
func TestABatchThatDecompressesTooLargeStopsItsPartitionLoudly(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.raw([]byte("k"), make([]byte, 200<<10))
		r.send(placed(20, 10)...)
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		cfg.Kafka.Properties = map[string]string{"leat.max.decompressed.batch.bytes": "100000"}
		m := r.start(cfg)
		leattest.Eventually(t, "Ready names the partition, the limit and the way out", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "leat.max.decompressed.batch.bytes") || !strings.Contains(err.Error(), "offset to 1") {
				return fmt.Errorf("ready: %v", err)
			}
			return nil
		})
		leattest.Eventually(t, "the other partition is handled", func() error {
			at := r.b.Committed(t, r.group, r.topic.Name)
			for _, offset := range at {
				if offset > 20 {
					return nil
				}
			}
			return fmt.Errorf("committed %v", at)
		})
	})
}

// Handlers that are stuck fill their partition to the bounds and no further, and when they come loose
// nothing of what was held back is lost.
func TestMemoryIsBoundedAndNothingIsLostByIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stuck string // prefix of the keys that are stuck
		bound func(*consumer.Config)
	}{
		"records": {"k", func(c *consumer.Config) { c.MaxQueued = 300 }},
		"bytes":   {"k", func(c *consumer.Config) { c.MaxQueuedBytes = 300 * 500 }},
		"span":    {"k7", func(c *consumer.Config) { c.MaxSpan = 300 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, 1, func(t *testing.T, r *rig) {
				hold, done := newGate(t), newLedger()
				cfg := r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
					if strings.HasPrefix(e.Key(), c.stuck) {
						hold.wait()
					}
					return done.note(ctx, e)
				}, consumer.Parallel(100), consumer.Timeout(-1)))
				c.bound(&cfg)
				m := r.start(cfg)
				r.send(placed(300, 20)...)
				leattest.Eventually(t, "the partition is paused", func() error {
					if p := m.Stats().Partitions; len(p) != 1 || !p[0].Paused {
						return fmt.Errorf("%+v", p)
					}
					return nil
				})
				if p := m.Stats().Partitions[0]; p.LowWater > 10 || done.len() > 2300 || p.Queued > 2300 {
					t.Errorf("%d done, %+v", done.len(), p)
				}
				hold.open()
				r.awaitCommitted(6000)
				done.inOrder(t, 300, 20)
				if p := m.Stats().Partitions[0]; p.Queued != 0 || p.Bytes != 0 {
					t.Errorf("left behind: %+v", p)
				}
			})
		})
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "t", Carries: []any{Placed{}}}
	ok := consumer.On(topic, func(context.Context, *leat.Event[Placed]) error { return nil })
	for name, c := range map[string]struct {
		cfg  consumer.Config
		want string
	}{
		"no group":        {consumer.Config{Handlers: []leat.Handler{ok}}, "Group is empty"},
		"no handlers":     {consumer.Config{Group: "g"}, "no Handlers"},
		"two for a type":  {consumer.Config{Group: "g", Handlers: []leat.Handler{ok, ok}}, "two handlers of test.order.placed.v1 on t"},
		"type not on it":  {consumer.Config{Group: "g", Handlers: []leat.Handler{consumer.On(topic, func(context.Context, *leat.Event[Paid]) error { return nil })}}, "does not carry"},
		"no function":     {consumer.Config{Group: "g", Handlers: []leat.Handler{consumer.On[Placed](topic, nil)}}, "has no function"},
		"parallel 0":      {consumer.Config{Group: "g", Handlers: []leat.Handler{consumer.On(topic, func(context.Context, *leat.Event[Placed]) error { return nil }, consumer.Parallel(0))}}, "Parallel(0)"},
		"other exhausted": {consumer.Config{Group: "g", Handlers: []leat.Handler{consumer.On(topic, func(context.Context, *leat.Event[Placed]) error { return nil }, consumer.OnExhausted(func(context.Context, *leat.Event[Paid], error) error { return nil }))}}, "OnExhausted takes"},
		"negative bound":  {consumer.Config{Group: "g", Handlers: []leat.Handler{ok}, MaxQueued: -1}, "MaxQueued is -1"},
		"group name":      {consumer.Config{Group: "g/1", Handlers: []leat.Handler{ok}}, "dead letters of t"},
	} {
		if _, err := consumer.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := consumer.New(consumer.Config{Group: "g", Handlers: []leat.Handler{ok}}); err != nil {
		t.Error(err)
	}
}

// One partition, 10,000 events that take 0 to 5 ms each, 100 at once: 25 s of work. With 1000 keys the
// bound is 0.25 s, with 20 it is the longest key.
func TestSlowHandlersOfOnePartitionRunSideBySide(t *testing.T) {
	t.Parallel()
	for keys, limit := range map[int]time.Duration{1000: 500 * time.Millisecond, 20: 1600 * time.Millisecond} {
		t.Run(fmt.Sprint(keys, " keys"), func(t *testing.T) {
			t.Parallel()
			bubble(t, 1, func(t *testing.T, r *rig) {
				random := rand.New(rand.NewPCG(1, 2))
				takes := make([]time.Duration, 10_000)
				for i := range takes {
					takes[i] = time.Duration(random.Int64N(int64(5 * time.Millisecond)))
				}
				r.send(placed(keys, 10_000/keys)...)
				done := newLedger()
				var mu sync.Mutex
				var first, last time.Time
				m := r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
					mu.Lock()
					if first.IsZero() {
						first = time.Now()
					}
					mu.Unlock()
					time.Sleep(takes[e.Position().Offset])
					mu.Lock()
					last = time.Now()
					mu.Unlock()
					return done.note(ctx, e)
				}, consumer.Parallel(100))))
				r.awaitCommitted(10_000)
				done.inOrder(t, keys, 10_000/keys)
				if took := last.Sub(first); took > limit {
					t.Errorf("took %v, want at most %v", took, limit)
				} else {
					t.Logf("took %v", took)
				}
				if err := m.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Who is told to stop while it waits to be let in has nothing in hand: it goes, and nobody waits for it.
func TestAMemberThatIsJoiningEndsAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		defer close(release)
		r.b.Client( // holds up every rebalance after the first
			t, kgo.ConsumerGroup(r.group), kgo.ConsumeTopics(r.topic.Name), kgo.Balancers(kgo.CooperativeStickyBalancer()),
			kgo.RebalanceTimeout(5*time.Minute),
			kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { <-release }),
		)
		time.Sleep(2 * time.Second)
		r.start(r.config(consumer.On(r.topic, newLedger().note)))
		time.Sleep(2 * time.Second)
		m := r.start(r.config(consumer.On(r.topic, newLedger().note)))
		time.Sleep(5 * time.Second)
		began := time.Now()
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it ended after %v", took)
		}
		groups, err := kadm.NewClient(r.b.Client(t)).DescribeGroups(t.Context(), r.group)
		if err != nil || len(groups[r.group].Members) != 2 {
			t.Errorf("the group has the members %+v, %v: want the first two", groups[r.group].Members, err)
		}
	})
}
