package broker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
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

func TestReadAllSeesWhatItsIsolationSees(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("reads"), 2, nil)
		cl := b.Client(t, kgo.DefaultProduceTopic(topic), kgo.TransactionalID(b.Name("tx")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for p := range int32(2) {
				r := &kgo.Record{Partition: p, Value: fmt.Append(nil, i)}
				if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
				if err := kafka.AwaitTopic(t.Context(), cl, r); err != nil {
					t.Fatal(err)
				}
			}
			if err := cl.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		leattest.Eventually(t, "the markers are written", func() error { // which is after the broker's answer
			stable, err := kadm.NewClient(cl).ListCommittedOffsets(t.Context(), topic)
			for p := range int32(2) {
				if at, _ := stable.Lookup(topic, p); err == nil && at.Offset != 6 {
					err = fmt.Errorf("partition %d ends at %d", p, at.Offset)
				}
			}
			return err
		})
		for _, c := range []struct {
			isolation kgo.IsolationLevel
			want      string
		}{
			{kgo.ReadCommitted(), "0/0 0/2 1/0 1/2 "},
			{kgo.ReadUncommitted(), "0/0 0/1 0/2 1/0 1/1 1/2 "},
		} {
			var got string
			for _, r := range b.ReadAll(t, topic, c.isolation) {
				got += fmt.Sprintf("%d/%s ", r.Partition, r.Value)
			}
			if got != c.want {
				t.Errorf("read %q, want %q", got, c.want)
			}
		}
	})
}

func TestCommittedTellsTheGroupsOffsets(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic, group := b.CreateTopic(t, b.Name("commits"), 2, nil), b.Name("group")
		b.Produce(t, &kgo.Record{Topic: topic, Partition: 1, Value: []byte("a")})
		if got := b.Committed(t, group, topic); len(got) != 0 {
			t.Fatalf("a group without commits has %v", got)
		}
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 1, 1, -1)
		if err := kadm.NewClient(b.Client(t)).CommitAllOffsets(t.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
		if got := b.Committed(t, group, topic); len(got) != 1 || got[1] != 1 {
			t.Errorf("committed %v, want 1:1", got)
		}
	})
}

// A virtual cluster lives in a bubble: an hour of waiting takes no time, and a
// fault set on the cluster is met by the client.
func TestVirtualClusterInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.Fake(t, broker.FakeConfig{Brokers: 3, Virtual: true})
		topic := b.CreateTopic(t, "orders", 3, nil)
		fault := b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotLeaderForPartition, Count: 2})
		b.Produce(t, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")})
		time.Sleep(time.Hour)
		if got := b.ReadAll(t, topic, kgo.ReadCommitted()); len(got) != 1 || string(got[0].Value) != "v" {
			t.Errorf("read %v, want the one record", got)
		}
		if fault.Hits() != 2 {
			t.Errorf("the fault was met %d times, want 2", fault.Hits())
		}
	})
}

// The code under test reaches the cluster by Config, a virtual one too.
func TestConfigReachesTheCluster(t *testing.T) {
	t.Parallel()
	reach := func(t *testing.T, b *broker.Broker) {
		cl, err := b.Config().NewClient()
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		leattest.Eventually(t, "the cluster answers", func() error { return cl.Ping(t.Context()) })
	}
	broker.Each(t, reach)
	synctest.Test(t, func(t *testing.T) { reach(t, broker.Fake(t, broker.FakeConfig{Virtual: true})) })
}

func TestClientGivesUpOnABrokerThatIsNotThere(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := broker.At("127.0.0.1:1").Client(t).Ping(ctx); err == nil {
		t.Error("ping of a closed port succeeded")
	}
}
