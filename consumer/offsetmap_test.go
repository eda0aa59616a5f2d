package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/leattest"
)

// holdingKeys is a handler that keeps the ledger and holds events of some keys back until the gate opens.
func holdingKeys(done *ledger, g *gate, keys ...string) func(context.Context, *leat.Event[Placed]) error {
	return func(ctx context.Context, e *leat.Event[Placed]) error {
		for _, k := range keys {
			if e.Key() == k {
				select {
				case <-g.opened:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
		return done.note(ctx, e)
	}
}

// awaitFinished waits until n records are finished, as the group's offsets and their maps say.
func (r *rig) awaitFinished(n int64) {
	r.t.Helper()
	adm := kadm.NewClient(r.b.Client(r.t))
	leattest.Eventually(r.t, fmt.Sprintf("%d records are finished", n), func() error {
		offsets, err := adm.FetchOffsets(context.Background(), r.group)
		if err != nil {
			return err
		}
		var sum int64
		for _, o := range offsets[r.topic.Name] {
			f, _ := lane.ParseFinished(o.Metadata, o.At)
			sum += o.At + f.Len(o.At)
		}
		if sum != n {
			return fmt.Errorf("%d", sum)
		}
		return nil
	})
}

// One event hangs, all behind it are finished, and the member dies without a word. Whoever comes after
// it handles the one that hung, and no other again.
func TestARestartRepeatsOnlyWhatIsUnfinished(t *testing.T) {
	conform(t, 2, func(t *testing.T, r *rig) {
		done, hang := newLedger(), newGate(t)
		cfg := r.config(consumer.On(r.topic, holdingKeys(done, hang, "k0", "k1"), consumer.Timeout(-1)))
		cfg.DrainTimeout = time.Second
		dying := newLink(r.b)
		first := r.start(dying.through(cfg))
		r.send(placed(100, 10)...)
		done.await(t, 980)
		r.awaitFinished(980)
		r.die(dying)
		heir := r.start(cfg)
		leattest.Eventually(t, "the heir was spared the rest", func() error {
			if n := heir.Stats().Spared; n == 0 {
				return errors.New("nothing yet")
			}
			return nil
		})
		r.awaitFinished(980) // it passes on what it was told
		hang.open()
		r.awaitCommitted(1000)
		dying.mend()
		if err := first.stop(); err != nil && !strings.Contains(err.Error(), "still in hand") {
			t.Error(err)
		}
		done.mu.Lock()
		defer done.mu.Unlock()
		for key, list := range done.byKey {
			if key != "k0" && key != "k1" && len(list) != 10 { // these the dead one may have finished too late
				t.Errorf("key %s: %v", key, list)
			}
		}
	})
}

// Metadata that is somebody else's, or of another offset, is passed over: everything comes again.
func TestForeignMetadataSparesNothing(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]func(good string) string{
		"a member's id": func(string) string { return "leat-0191d3a0-7d1c" },
		"another place": func(good string) string { return good },
	} {
		bubble(t, 1, func(t *testing.T, r *rig) {
			r.send(placed(10, 1)...)
			tracker := lane.NewTracker(lane.Mark{Offset: 3})
			for o := range int64(7) {
				if seq, _ := tracker.Add(3+o, 0); o > 0 {
					tracker.Done(seq)
				}
			}
			var offsets kadm.Offsets
			offsets.Add(kadm.Offset{Topic: r.topic.Name, At: 2, LeaderEpoch: -1, Metadata: text(tracker.Finished())})
			if err := kadm.NewClient(r.b.Client(t)).CommitAllOffsets(t.Context(), r.group, offsets); err != nil {
				t.Fatal(err)
			}
			done := newLedger()
			r.start(r.config(consumer.On(r.topic, done.note)))
			r.awaitCommitted(10)
			if n := done.len(); n != 8 {
				t.Errorf("%s: %d effects, want 8", name, n)
			}
		})
	}
}

// Records of a leader epoch that began later have taken the offsets of those that were finished: an
// unclean election has cut off the log.
func TestTheMapDoesNotSpeakForRecordsThatTookThePlaceOfOthers(t *testing.T) {
	t.Parallel()
	bubbleOf(t, 3, 1, func(t *testing.T, r *rig) {
		tracker := lane.NewTracker(lane.Mark{Offset: 0, Epoch: -1})
		for o := range int64(10) {
			if seq, _ := tracker.Add(o, 0); o > 0 {
				tracker.Done(seq)
			}
		}
		for range 3 {
			r.b.Cluster.ShufflePartitionLeaders() // the epochs go up
		}
		r.send(placed(10, 1)...)
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: r.topic.Name, At: 0, LeaderEpoch: -1, Metadata: tracker.Finished()})
		if err := kadm.NewClient(r.b.Client(t)).CommitAllOffsets(t.Context(), r.group, offsets); err != nil {
			t.Fatal(err)
		}
		if rec := r.b.ReadAll(t, r.topic.Name, kgo.ReadCommitted())[0]; rec.LeaderEpoch == 0 {
			t.Fatal("the epoch has not changed")
		}
		done := newLedger()
		r.start(r.config(consumer.On(r.topic, done.note)))
		r.awaitCommitted(10)
		if n := done.len(); n != 10 {
			t.Errorf("%d effects of 10 events", n)
		}
	})
}

// Events hang all over the partition of a broker that allows little metadata: what is finished between
// them fills the map long before the bounds of records do. The partition waits, and loses nothing.
func TestAFullMapHoldsThePartitionUntilItIsEmptier(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		refused := r.b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: r.group, Err: kerr.OffsetMetadataTooLarge, Count: 4})
		done, hang := newLedger(), newGate(t)
		m := r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if strings.HasPrefix(e.Key(), "hang") {
				hang.wait()
			}
			return done.note(ctx, e)
		}, consumer.Timeout(-1), consumer.Parallel(250))))
		r.send(placed(20, 1)...)
		r.awaitCommitted(20)
		if refused.Hits() != 4 {
			t.Fatalf("%d refusals", refused.Hits())
		}
		for n := range 6 { // one of thirty hangs
			var events []any
			for i := range 1000 {
				key := fmt.Sprint("quick", 1000*n+i)
				if i%30 == 0 {
					key = fmt.Sprint("hang", 1000*n+i)
				}
				events = append(events, Placed{Key: key})
			}
			r.send(events...)
		}
		leattest.Eventually(t, "the partition waits", func() error {
			if p := m.Stats().Partitions; len(p) != 1 || !p[0].Paused {
				return fmt.Errorf("%+v", p)
			}
			return nil
		})
		hang.open()
		r.awaitCommitted(6020)
		if n := done.len(); n != 6020 {
			t.Errorf("%d effects of 6020 events", n)
		}
	})
}
