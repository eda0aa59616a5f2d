package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// tailWait is how long the broker may hold a fetch that has nothing.
const tailWait = 250 * time.Millisecond

// TailConfig says what Tail reads.
type TailConfig struct {
	// Topics are read together; required.
	Topics []string
	// Partitions are the partitions of each topic; empty: all.
	Partitions []int32
	// From is where each partition begins; the zero value is its start.
	From From
	// Follow goes on at the end until ctx is cancelled; false: stop at the end as it is now.
	Follow bool
	// Wait is how long the broker may hold a fetch that has nothing; 0: 250 ms.
	Wait time.Duration
	// Uncommitted shows what transactions that are open or were aborted wrote, too.
	Uncommitted bool
}

// From is a place in every partition of a topic.
type From struct {
	kind fromKind
	n    int64
}

type fromKind int

const (
	fromStart fromKind = iota
	fromEnd
	fromOffset
	fromTime
)

// FromStart is the first record that is still there.
func FromStart() From { return From{} }

// FromEnd is n records before the end; 0 is the end itself.
func FromEnd(n int64) From { return From{fromEnd, n} }

// FromOffset is an offset, or the start or end where the partition does not reach it.
func FromOffset(offset int64) From { return From{fromOffset, offset} }

// FromTime is the first record whose timestamp is t or later.
func FromTime(t time.Time) From { return From{fromTime, t.UnixMilli()} }

// Tail yields the records of topics in each partition's order, outside any group: it commits nothing
// and disturbs nobody. An error ends it. A cancelled ctx ends it without one.
func (c *Client) Tail(ctx context.Context, cfg TailConfig) iter.Seq2[leat.Wire, error] {
	return func(yield func(leat.Wire, error) bool) {
		t := &tail{c: c, cfg: cfg}
		if err := t.find(ctx); err != nil {
			if ctx.Err() == nil {
				yield(nil, &Error{Op: "read " + strings.Join(cfg.Topics, ", "), Partition: -1, Err: err, Hint: c.topicHint(ctx, cfg.Topics, err)})
			}
			return
		}
		if err := t.run(ctx, yield); err != nil && ctx.Err() == nil {
			yield(nil, &Error{Op: "read " + strings.Join(cfg.Topics, ", "), Partition: -1, Err: err})
		}
	}
}

// tail is one run of Tail.
type tail struct {
	c    *Client
	cfg  TailConfig
	from map[string]map[int32]kgo.Offset
	open map[string]map[int32]int64 // where each partition ends that has not yet
}

// find lists where every partition begins and ends.
func (t *tail) find(ctx context.Context) error {
	starts, err := listed(t.c.adm.ListStartOffsets(ctx, t.cfg.Topics...))
	if err != nil {
		return fmt.Errorf("find the start: %w", err)
	}
	list := t.c.adm.ListCommittedOffsets
	if t.cfg.Uncommitted {
		list = t.c.adm.ListEndOffsets
	}
	ends, err := listed(list(ctx, t.cfg.Topics...))
	if err != nil {
		return fmt.Errorf("find the end: %w", err)
	}
	var times kadm.ListedOffsets
	if t.cfg.From.kind == fromTime {
		if times, err = listed(t.c.adm.ListOffsetsAfterMilli(ctx, t.cfg.From.n, t.cfg.Topics...)); err != nil {
			return fmt.Errorf("find the time: %w", err)
		}
	}
	t.from, t.open = map[string]map[int32]kgo.Offset{}, map[string]map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if len(t.cfg.Partitions) > 0 && !slices.Contains(t.cfg.Partitions, end.Partition) {
			return
		}
		start, _ := starts.Lookup(end.Topic, end.Partition)
		at := t.cfg.From.in(start.Offset, end.Offset, times[end.Topic][end.Partition].Offset)
		if at >= end.Offset && !t.cfg.Follow {
			return
		}
		set(t.from, end.Topic, end.Partition, kgo.NewOffset().At(at))
		set(t.open, end.Topic, end.Partition, end.Offset)
	})
	return nil
}

// in is the offset in a partition from start to end, in which time is where the asked time begins.
func (f From) in(start, end, time int64) int64 {
	at := start
	switch f.kind {
	case fromEnd:
		at = end - f.n
	case fromOffset:
		at = f.n
	case fromTime:
		at = time
	}
	return min(max(at, start), end)
}

// tailMetadata bounds how long a tail that follows asks a broker which leads no more: without it, up to
// 5 s without a pause.
const tailMetadata = 200 * time.Millisecond

func (t *tail) run(ctx context.Context, yield func(leat.Wire, error) bool) error {
	if len(t.from) == 0 {
		return nil
	}
	isolation := kgo.ReadCommitted()
	if t.cfg.Uncommitted {
		isolation = kgo.ReadUncommitted()
	}
	cl, err := t.c.cfg.NewClient(
		kgo.ConsumePartitions(t.from),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(isolation),
		kgo.KeepControlRecords(), // the last record of a partition can be one
		kgo.FetchMaxWait(cmp.Or(t.cfg.Wait, tailWait)),
		kgo.MetadataMinAge(tailMetadata),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	for t.cfg.Follow || len(t.open) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var errs []error
		fetches.EachError(func(topic string, partition int32, err error) {
			errs = append(errs, &Error{Op: "fetch", Topic: topic, Partition: partition, Err: err})
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if r := it.Next(); t.within(r) && !r.Attrs.IsControl() {
				wire, _ := WireOf(r) // a malformed one is shown as it stands
				if !yield(wire, nil) {
					return nil
				}
			}
		}
	}
	return nil
}

// within tells whether the record is to be shown, and keeps account of what has ended.
func (t *tail) within(r *kgo.Record) bool {
	if t.cfg.Follow {
		return true
	}
	end, open := t.open[r.Topic][r.Partition]
	if open && r.Offset >= end-1 {
		delete(t.open[r.Topic], r.Partition)
		if len(t.open[r.Topic]) == 0 {
			delete(t.open, r.Topic)
		}
	}
	return open && r.Offset < end
}

func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, err
}

func set[V any](m map[string]map[int32]V, topic string, partition int32, v V) {
	if m[topic] == nil {
		m[topic] = map[int32]V{}
	}
	m[topic][partition] = v
}

// topicHint names the topics that are there where the asked ones are not.
func (c *Client) topicHint(ctx context.Context, asked []string, err error) string {
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return rightHint(err, "Read on each topic")
	}
	there, lerr := c.adm.ListTopics(ctx)
	if lerr != nil {
		return "see: leat topic list"
	}
	var names []string
	for name, detail := range there {
		if detail.Err == nil { // the client remembers what it did not find, too
			names = append(names, name)
		}
	}
	for _, topic := range asked {
		if slices.Contains(names, topic) {
			continue
		}
		if near := nearest(topic, names); near != "" {
			return fmt.Sprintf("there is no topic %s; did you mean %s?", topic, near)
		}
		return fmt.Sprintf("there is no topic %s; see: leat topic list", topic)
	}
	return ""
}
