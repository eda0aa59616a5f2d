package lag_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/lag"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                        string
		committed, start, end, want int64
	}{
		{"behind", 3, 0, 10, 7},
		{"at the end", 10, 0, 10, 0},
		{"never committed", lag.None, 0, 10, 10},
		{"never committed, the beginning is gone", lag.None, 4, 10, 6},
		{"committed what retention took away", 2, 4, 10, 6},
		{"empty", lag.None, 0, 0, 0},
		{"emptied by retention", 3, 10, 10, 0},
		{"committed past the end", 12, 0, 10, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := lag.Of(c.committed, c.start, c.end); got != c.want {
				t.Errorf("lag %d, want %d", got, c.want)
			}
		})
	}
}

func Example() {
	fmt.Println(lag.Of(lag.None, 0, 3), lag.Of(3, 0, 3))
	// Output: 3 0
}

func TestReadTellsMembersCommitsAndLag(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		for _, protocol := range []struct {
			name string
			opts []kgo.Opt
		}{
			{"classic", nil},
			{"KIP-848", []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer())}},
		} {
			t.Run(protocol.name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				topic, group := b.CreateTopic(t, b.Name("lag"), 2, nil), b.Name("group")
				if protocol.opts != nil { // longer than a machine may stall
					b.ConfigureGroup(t, group, "consumer.session.timeout.ms", "45000")
				}
				client := broker.Open(t, b.Config())
				if _, err := lag.Read(ctx, client, group); !errors.Is(err, lag.ErrNoGroup) {
					t.Fatalf("a group that is not there: %v", err)
				}
				for i := range 6 {
					b.Produce(t, &kgo.Record{Topic: topic, Partition: int32(i % 2), Key: []byte("k"), Value: []byte("v")})
				}
				member := b.Client(t, append(protocol.opts, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
				first := map[int32]*kgo.Record{}
				for len(first) < 2 {
					for _, r := range member.PollFetches(ctx).Records() {
						if r.Offset == 0 {
							first[r.Partition] = r
						}
					}
					if ctx.Err() != nil {
						t.Fatal("the records did not come")
					}
				}
				if err := member.CommitRecords(ctx, first[0]); err != nil {
					t.Fatal(err)
				}
				var groups []lag.Group
				leattest.Eventually(t, "the group has its member", func() (err error) {
					if groups, err = lag.Read(ctx, client, group); err != nil {
						return err
					}
					if n := len(groups[0].Members); n != 1 || groups[0].State != "Stable" {
						return fmt.Errorf("%d members, state %s", n, groups[0].State)
					}
					return nil
				})
				if got := groups[0].Total(); got != 5 {
					t.Errorf("lag %d after 1 of 6, want 5: %+v", got, groups[0].Partitions)
				}
				for _, p := range groups[0].Partitions {
					if protocol.opts != nil && !b.Real() {
						continue // kfake does not name the topics of such a member
					}
					if p.Member != groups[0].Members[0].ID || p.Err != nil {
						t.Errorf("partition %+v, want it with member %s", p, groups[0].Members[0].ID)
					}
				}
				names, err := lag.List(ctx, client)
				if err != nil || len(names) == 0 {
					t.Errorf("list: %v, %v", names, err)
				}
			})
		}
	})
}

// What the map beside the offset names as finished is no lag.
func TestFinishedRecordsAboveTheOffsetAreNoLag(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic, group := b.CreateTopic(t, b.Name("lag"), 1, nil), b.Name("group")
		client := broker.Open(t, b.Config())
		tracker := lane.NewTracker(lane.Mark{Offset: 2})
		for i := range 10 {
			b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("v")})
			if seq, fresh := tracker.Add(int64(i), 0); fresh && i%2 == 1 {
				tracker.Done(seq)
			}
		}
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: topic, At: 2, LeaderEpoch: -1, Metadata: tracker.Finished()})
		if err := kadm.NewClient(b.Client(t)).CommitAllOffsets(t.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
		groups, err := lag.Read(t.Context(), client, group)
		if err != nil {
			t.Fatal(err)
		}
		if p := groups[0].Partitions[0]; p.Finished != 4 || p.Lag != 4 {
			t.Errorf("%+v, want 4 of 8 finished and a lag of 4", p)
		}
	})
}
