package kafka_test

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

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

func TestTailReadsFromEveryPlaceToTheEnd(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("tail"), 2, nil)
		noon := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		cl := b.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(b.Name("tx")))
		write := func(end kgo.TransactionEndTry, from, to int) {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for i := from; i < to; i++ {
				r := &kgo.Record{Topic: topic, Value: fmt.Append(nil, i), Timestamp: noon.Add(time.Duration(i) * time.Minute)}
				if err := errors.Join(cl.ProduceSync(t.Context(), r).FirstErr(), kafka.AwaitTopic(t.Context(), cl, r)); err != nil {
					t.Fatal(err)
				}
			}
			if err := cl.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		write(kgo.TryCommit, 0, 4)                                       // offsets 0-3 and a marker
		write(kgo.TryAbort, 4, 6)                                        // offsets 5-6 and a marker
		leattest.Eventually(t, "the markers are written", func() error { // which is after the broker's answer
			ends, err := kadm.NewClient(cl).ListCommittedOffsets(t.Context(), topic)
			if at, _ := ends.Lookup(topic, 0); err == nil && at.Offset != 8 {
				err = fmt.Errorf("it ends at %d", at.Offset)
			}
			return err
		})
		client := broker.Open(t, b.Config())
		for _, c := range []struct {
			name string
			cfg  kafka.TailConfig
			want string
		}{
			{"start", kafka.TailConfig{}, "0 1 2 3"},
			{"uncommitted", kafka.TailConfig{Uncommitted: true}, "0 1 2 3 4 5"},
			{"offset", kafka.TailConfig{From: kafka.FromOffset(2)}, "2 3"},
			{"offset past the end", kafka.TailConfig{From: kafka.FromOffset(99)}, ""},
			{"from the end", kafka.TailConfig{From: kafka.FromEnd(6)}, "2 3"},
			{"end", kafka.TailConfig{From: kafka.FromEnd(0)}, ""},
			{"time", kafka.TailConfig{From: kafka.FromTime(noon.Add(time.Minute))}, "1 2 3"},
			{"time to come", kafka.TailConfig{From: kafka.FromTime(noon.Add(24 * time.Hour))}, ""},
			{"the empty partition", kafka.TailConfig{Partitions: []int32{1}}, ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c.cfg.Topics = []string{topic}
				var got []string
				for w, err := range client.Tail(ctx, c.cfg) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, string(w.Value()))
				}
				if ctx.Err() != nil {
					t.Fatal("the end was not noticed")
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("read %q, want %q", got, c.want)
				}
			})
		}
	})
}

func TestTailNamesTheTopicThatWasMeant(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	b.CreateTopic(t, "shop.orders", 1, nil)
	client, err := kafka.Open(t.Context(), kafka.Config{Brokers: b.Addrs})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, err := range client.Tail(t.Context(), kafka.TailConfig{Topics: []string{"shop.order"}}) {
		if err == nil || !strings.Contains(err.Error(), "did you mean shop.orders?") {
			t.Errorf("tail of a misspelt topic: %v", err)
		}
	}
	if _, err := client.DescribeTopics(t.Context(), "shop.order"); err == nil || !strings.Contains(err.Error(), "did you mean shop.orders?") {
		t.Errorf("describe a misspelt topic: %v", err)
	}
	infos, err := client.ListTopics(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Name != "shop.orders" || len(infos[0].Partitions) != 1 {
		t.Errorf("list: %+v, %v", infos, err)
	}
}

// A topic that another client deletes between the two questions of a list, or that one broker does
// not know yet, is no fault of the list.
func TestAListSurvivesTopicsThatGo(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	b.CreateTopic(t, "stays", 1, nil)
	client, err := kafka.Open(t.Context(), kafka.Config{Brokers: b.Addrs})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	gone := b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.UnknownTopicOrPartition, Count: 1})
	infos, err := client.ListTopics(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Name != "stays" || gone.Hits() != 1 {
		t.Errorf("list: %+v, %v, %d faults met", infos, err, gone.Hits())
	}
}
