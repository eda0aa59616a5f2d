package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
)

const (
	readWait    = 250 * time.Millisecond // how long the broker may hold a fetch that has nothing
	readBytes   = 8 << 20                // of one fetch
	atStart     = -2                     // ListOffsets: the log's start
	atEnd       = -1                     // ListOffsets: the high watermark, or the last stable offset
	uncommitted = 0                      // isolation levels on the wire
	committed   = 1
)

// ReadPartition calls fn for each record of the partition that a read_committed reader sees, from
// the offset from (or the log's start where that is later) up to the high watermark at the time of
// the call. It waits while transactions of others are still open below that mark: to stop at the
// last stable offset would miss what was committed behind them. Called after OpenTransactor it thus
// sees all that earlier transactors of this id have committed. fn's error ends it; ctx bounds it, and
// the error then says what it waited for.
// ErrNoTopic says that the topic does not exist.
func (t *Transactor) ReadPartition(ctx context.Context, topic string, partition int32, from int64, fn func(leat.Wire) error) error {
	return readPartition(ctx, t.cl, topic, partition, from, fn)
}

// ReadPartition is Transactor.ReadPartition without a transactor.
func (c *Client) ReadPartition(ctx context.Context, topic string, partition int32, from int64, fn func(leat.Wire) error) error {
	return readPartition(ctx, c.kgo, topic, partition, from, fn)
}

func readPartition(ctx context.Context, cl *kgo.Client, topic string, partition int32, from int64, fn func(leat.Wire) error) error {
	r := &partitionReader{cl: cl, topic: topic, partition: partition}
	if err := r.read(ctx, from, fn); err != nil {
		if ctx.Err() != nil && r.stable < r.end {
			err = fmt.Errorf("%w: %s", err, r.waits(ctx))
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) {
			err = fmt.Errorf("%w (%w)", ErrNoTopic, err)
		}
		return &Error{Op: "read", Topic: topic, Partition: partition, Err: asRefusal(err)}
	}
	return nil
}

// partitionReader fetches by itself, since a consumer shows neither where it is nor a fetch that
// brought nothing: the end can be an offset that no record has.
type partitionReader struct {
	cl        *kgo.Client
	topic     string
	partition int32
	topicID   [16]byte
	leader    int32
	epoch     int32
	end       int64 // the high watermark when it began
	stable    int64 // the last stable offset that was seen
}

// waits says what a reader waits for that is not through.
func (r *partitionReader) waits(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	text := fmt.Sprintf("the last stable offset stands at %d, the high watermark was %d", r.stable, r.end)
	l := &look{cl: r.cl, log: slog.New(slog.DiscardHandler)}
	open, err := l.producers(ctx, r.leader, []place{{r.topic, r.partition}})
	if err != nil {
		return text
	}
	for _, o := range open {
		text += "; open: " + o.String()
	}
	return text
}

func (r *partitionReader) read(ctx context.Context, from int64, fn func(leat.Wire) error) error {
	if err := r.locate(ctx); err != nil {
		return err
	}
	var start, end int64
	if err := r.retry(ctx, func() (err error) { end, err = r.offset(ctx, atEnd); return err }); err != nil {
		return err
	}
	if err := r.retry(ctx, func() (err error) { start, err = r.offset(ctx, atStart); return err }); err != nil {
		return err
	}
	for next := max(from, start); next < end; {
		var part kgo.FetchPartition
		after := next
		r.end = end
		err := r.retry(ctx, func() (err error) { part, after, err = r.fetch(ctx, next, readBytes); return err })
		if err != nil {
			return err
		}
		r.stable = part.LastStableOffset
		for _, rec := range part.Records {
			if rec.Offset >= end {
				return nil
			}
			if rec.Offset < next || rec.Attrs.IsControl() {
				continue
			}
			if err := fn(record{rec}); err != nil {
				return err
			}
		}
		if after == next && part.LastStableOffset >= end {
			return nil // all is decided up to the end, and nothing more is there
		}
		next = after
	}
	return nil
}

// retry goes on over what heals by itself: a leader that moves or is away. ctx bounds it.
func (r *partitionReader) retry(ctx context.Context, act func() error) error {
	for fails := 1; ; fails++ {
		err := act()
		if err == nil || ctx.Err() != nil || !retriable(err) {
			return err
		}
		timer := time.NewTimer(jitter(min(time.Duration(fails)*50*time.Millisecond, time.Second)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(context.Cause(ctx), err)
		}
		if lerr := r.locate(ctx); lerr != nil && !retriable(lerr) {
			return lerr
		}
	}
}

func retriable(err error) bool {
	if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) {
		return false
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return e.Retriable
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, kgo.ErrClientClosed)
}

// locate finds the partition's leader and the topic's id.
func (r *partitionReader) locate(ctx context.Context) error {
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &r.topic
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, r.cl)
	if err != nil {
		return fmt.Errorf("find the leader: %w", err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("find the leader: %w", err)
		}
		r.topicID = t.TopicID
		for _, p := range t.Partitions {
			if p.Partition == r.partition {
				r.leader, r.epoch = p.Leader, p.LeaderEpoch
				return kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return fmt.Errorf("find the leader: %w", kerr.UnknownTopicOrPartition)
}

// offset is the log's start or its high watermark.
func (r *partitionReader) offset(ctx context.Context, which int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, uncommitted
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = r.topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp = r.partition, which
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	raw, err := r.cl.Broker(int(r.leader)).RetriableRequest(ctx, req)
	if err != nil {
		return 0, fmt.Errorf("list offsets: %w", err)
	}
	for _, t := range raw.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			return p.Offset, kerr.ErrorForCode(p.ErrorCode)
		}
	}
	return 0, errors.New("list offsets: the broker's answer is empty")
}

// fetch reads about limit bytes from offset from on, and returns the offset after what it has seen.
func (r *partitionReader) fetch(ctx context.Context, from int64, limit int32) (kgo.FetchPartition, int64, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(readWait.Milliseconds()), 1, limit
	req.IsolationLevel = committed
	req.SessionEpoch = -1 // no session
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = r.topic, r.topicID
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = r.partition, from, limit, r.epoch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	raw, err := r.cl.Broker(int(r.leader)).RetriableRequest(ctx, req)
	if err != nil {
		return kgo.FetchPartition{}, from, fmt.Errorf("fetch: %w", err)
	}
	resp := raw.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return kgo.FetchPartition{}, from, fmt.Errorf("fetch: %w", err)
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			part, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
				KeepControlRecords: true,
				Offset:             from,
				IsolationLevel:     kgo.ReadCommitted(),
				Topic:              r.topic,
				Partition:          r.partition,
			}, &resp.Topics[i].Partitions[j], kgo.DefaultDecompressor(), nil)
			return part, max(next, from), part.Err
		}
	}
	return kgo.FetchPartition{}, from, errors.New("fetch: the broker's answer is empty")
}
