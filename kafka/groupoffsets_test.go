package kafka_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// member joins a group and returns what it may speak by.
func member(t *testing.T, b *broker.Broker, group, topic string) kafka.GroupOffsets {
	t.Helper()
	cl := b.Client(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit())
	if err := cl.PollFetches(within(t, time.Minute)).Err(); err != nil {
		t.Fatal(err)
	}
	id, generation := cl.GroupMetadata()
	return kafka.GroupOffsets{Group: group, MemberID: id, Generation: generation}
}

func TestOffsetsOfAGroupCountWithTheirTransactionOnly(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		in, out, group := b.CreateTopic(t, b.Name("in"), 1, nil), b.CreateTopic(t, b.Name("out"), 1, nil), b.Name("group")
		b.Produce(t, &kgo.Record{Topic: in, Value: []byte("x")})
		offsets := member(t, b, group, in)
		tx := openTransactor(t, b, b.Name("tx"))
		if tx.TransactionVersion() < 2 {
			t.Errorf("transaction.version %d", tx.TransactionVersion())
		}
		for i, commit := range []bool{true, false} {
			offsets.Offsets = []kafka.GroupOffset{{Topic: in, Offset: int64(i + 1), LeaderEpoch: -1, Metadata: "m"}}
			if err := tx.Begin(); err != nil {
				t.Fatal(err)
			}
			if err := tx.Produce(t.Context(), []leat.Message{message(out, "a", fmt.Sprint(i))}); err != nil {
				t.Fatal(err)
			}
			stale := offsets
			stale.Generation += 7
			if err := tx.SendOffsets(t.Context(), stale); !errors.Is(err, kafka.ErrNotOfGeneration) || tx.Err() != nil {
				t.Fatalf("offsets of another generation: %v, transactor %v", err, tx.Err())
			}
			if err := tx.SendOffsets(t.Context(), offsets); err != nil {
				t.Fatal(err)
			}
			end := tx.Abort
			if commit {
				end = tx.Commit
			}
			if err := end(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		leattest.Eventually(t, "the committed offset counts, and no other", func() error {
			if at := b.Committed(t, group, in)[0]; at != 1 {
				return fmt.Errorf("committed %d", at)
			}
			return nil
		})
	})
}

func TestOffsetsWithoutARecordAreRefused(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	tx := openTransactor(t, b, "tx")
	if err := tx.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := tx.SendOffsets(t.Context(), kafka.GroupOffsets{Group: "g"}); err == nil || tx.Err() == nil {
		t.Error("the client would not end a transaction without a record, and the offsets hang in it")
	}
}
