package kafka_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

func TestSendEachWritesWhereTheKeySends(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		const partitions, keys = 4, 12
		topic := b.CreateTopic(t, b.Name("orders"), partitions, nil)
		var msgs []leat.Message
		for k := range keys {
			key := []byte(fmt.Sprintf("k%d", k))
			msgs = append(msgs,
				leat.Message{Topic: topic, Key: key, Data: []byte("no event")},
				leat.Message{Topic: topic, Key: key, Data: []byte("{}"), ID: leat.NewID(), Source: "test", Type: "test.thing.v1"})
		}
		at, err := open(t, b).SendEach(within(t, time.Minute), msgs)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range msgs {
			if want := kafka.PartitionOf(m.Key, partitions); at[i].Partition != want {
				t.Errorf("key %s is on partition %d, want %d", m.Key, at[i].Partition, want)
			}
		}
		if got := b.ReadAll(t, topic, kgo.ReadCommitted()); len(got) != len(msgs) {
			t.Errorf("%d records, want %d", len(got), len(msgs))
		}
	})
}

// A record that a caller gives to the client underneath has the partition 0 where he thought of none.
func TestTheClientUnderneathWritesWhereTheKeySends(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		const partitions = 4
		topic := b.CreateTopic(t, b.Name("orders"), partitions, nil)
		c := open(t, b)
		for k := range 12 {
			r := &kgo.Record{Topic: topic, Key: []byte(fmt.Sprintf("k%d", k))}
			if err := c.Kgo().ProduceSync(within(t, time.Minute), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if want := kafka.PartitionOf(r.Key, partitions); r.Partition != want {
				t.Errorf("key %s is on partition %d, want %d", r.Key, r.Partition, want)
			}
		}
	})
}

func TestWriteKeepsThePartitionThatIsNamed(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("orders"), 4, nil)
		for want := range int32(4) {
			at, err := open(t, b).Write(within(t, time.Minute), kafka.Raw{Topic: topic, Partition: want, Key: []byte("k")})
			if err != nil || at[0].Partition != want {
				t.Errorf("%v, %v, want partition %d", at, err, want)
			}
		}
	})
}
