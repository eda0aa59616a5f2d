package broker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readIn is how long ReadAll has to reach the end.
const readIn = 60 * time.Second

// asSet partitions as producers do, by murmur2 of the key, but keeps the partition
// of a record that names one above 0.
type asSet struct{}

func (asSet) ForTopic(topic string) kgo.TopicPartitioner {
	return setPartition{kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type setPartition struct{ byKey kgo.TopicPartitioner }

func (setPartition) RequiresConsistency(*kgo.Record) bool { return true }

func (s setPartition) Partition(r *kgo.Record, n int) int {
	if r.Partition > 0 {
		return int(r.Partition)
	}
	return s.byKey.Partition(r, n)
}

// ReadAll returns all records of a topic that a reader of that isolation sees now,
// from the start to the end at the time of the call (with kgo.ReadCommitted the
// last stable offset), by partition and offset, without control records.
func (b *Broker) ReadAll(t testing.TB, topic string, isolation kgo.IsolationLevel) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), readIn, errors.New("the end was not reached in time"))
	defer cancel()
	adm := kadm.NewClient(b.Client(t))
	list := adm.ListEndOffsets
	if isolation == kgo.ReadCommitted() {
		list = adm.ListCommittedOffsets
	}
	ends, err := listed(ctx, list, topic)
	if err != nil {
		t.Fatalf("list the end of %s: %v", topic, err)
	}
	starts, err := listed(ctx, adm.ListStartOffsets, topic)
	if err != nil {
		t.Fatalf("list the start of %s: %v", topic, err)
	}
	open, from := map[int32]int64{}, map[int32]kgo.Offset{} // partition -> end, start
	for p, end := range ends[topic] {
		if start := starts[topic][p].Offset; start < end.Offset {
			open[p], from[p] = end.Offset, kgo.NewOffset().At(start)
		}
	}
	return b.readTo(ctx, t, topic, from, open, isolation)
}

// listed asks until the topic is there, which may just be made, and its leaders answer.
func listed(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error), topic string) (kadm.ListedOffsets, error) {
	for {
		offsets, err := list(ctx, topic)
		if err == nil {
			err = offsets.Error()
		}
		if !passes(err) {
			return offsets, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// passes tells whether an error is one that another try may not meet: the broker's own word for it, or none
// of the broker's at all, since it did not answer.
func passes(err error) bool {
	_, said := errors.AsType[*kerr.Error](err)
	return err != nil && (!said || kerr.IsRetriable(err))
}

// readTo reads until every partition in open has reached its end.
func (b *Broker) readTo(ctx context.Context, t testing.TB, topic string, from map[int32]kgo.Offset, open map[int32]int64, isolation kgo.IsolationLevel) []*kgo.Record {
	t.Helper()
	if len(open) == 0 {
		return nil
	}
	cl := b.Client(
		t,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(isolation),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.KeepControlRecords(), // the last offset of a transactional topic is a marker
	)
	defer cl.Close()
	var got []*kgo.Record
	for len(open) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("read %s to its end: %v; %d records so far, partitions (and ends) left: %v", topic, context.Cause(ctx), len(got), open)
		}
		fetches.EachError(func(_ string, p int32, err error) {
			t.Logf("read %s/%d: %v", topic, p, err) // kgo tries again; the deadline tells what never heals
		})
		fetches.EachRecord(func(r *kgo.Record) {
			end, ok := open[r.Partition]
			if !ok || r.Offset >= end {
				delete(open, r.Partition)
				return
			}
			if !r.Attrs.IsControl() {
				got = append(got, r)
			}
			if r.Offset == end-1 {
				delete(open, r.Partition)
			}
		})
	}
	slices.SortFunc(got, func(a, b *kgo.Record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
	return got
}
