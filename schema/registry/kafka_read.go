package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a fetch asks for: fetchWait is how long the broker may hold one that has nothing.
const (
	fetchWait  = 500 * time.Millisecond
	fetchBytes = 8 << 20
	readPause  = 250 * time.Millisecond // after an error
)

// errLost says that the topic is not what it was.
var errLost = errors.New("start the registry anew once it is right: bring the records back with leat registry import, or begin with what is there")

// read hands over the records of the topic, for as long as ctx lasts. It asks the broker itself: a
// consumer would not tell how far it has come where the last records are aborted, or were compacted
// away.
func (l *Kafka) read(ctx context.Context, apply func([]Entry, int64)) error {
	at, leader, said := int64(-1), int32(-1), ""
	for ctx.Err() == nil {
		next, err := at, error(nil)
		var entries []Entry
		switch {
		case leader < 0:
			leader, err = l.partitionLeader(ctx)
		case at < 0:
			next, err = l.start(ctx)
		default:
			entries, next, err = l.fetch(ctx, leader, at)
		}
		if err != nil {
			if leader = -1; ctx.Err() == nil && err.Error() != said {
				said = err.Error()
				l.cfg.Logger.Warn("read the registry's log: tried again", slog.String("topic", l.cfg.Topic), slog.Any("error", err))
			}
			_ = pause(ctx, readPause) // the loop looks at ctx
			continue
		}
		if next > at && at >= 0 || len(entries) > 0 {
			apply(entries, next)
		}
		at, said = next, ""
	}
	return nil
}

// start is where the topic begins.
func (l *Kafka) start(ctx context.Context) (int64, error) {
	listed, err := l.adm.ListStartOffsets(ctx, l.cfg.Topic)
	if err == nil {
		err = listed.Error()
	}
	at, _ := listed.Lookup(l.cfg.Topic, 0)
	return at.Offset, err
}

// partitionLeader is the broker to ask. A topic that is missing, or that is another one of the same
// name, is lost.
func (l *Kafka) partitionLeader(ctx context.Context) (int32, error) {
	d, err := l.describe(ctx)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		err = fmt.Errorf("topic %s was deleted: %w", l.cfg.Topic, errLost)
		l.lose(err)
		return -1, err
	case err != nil:
		return -1, err
	case d.ID != l.topic:
		err = fmt.Errorf("topic %s was deleted and made anew: %w", l.cfg.Topic, errLost)
		l.lose(err)
		return -1, err
	}
	p, ok := d.Partitions[0]
	if !ok || p.Leader < 0 {
		return -1, fmt.Errorf("topic %s has no leader: %w", l.cfg.Topic, kerr.LeaderNotAvailable)
	}
	return p.Leader, nil
}

// fetch reads committed records from a position on.
func (l *Kafka) fetch(ctx context.Context, leader int32, at int64) (entries []Entry, next int64, err error) {
	raw, err := l.client.Kgo().Broker(int(leader)).Request(ctx, l.fetchRequest(at))
	if err != nil {
		return nil, at, err
	}
	resp := raw.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, at, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, at, errors.New("the broker answered for another partition")
	}
	part := &resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(part.ErrorCode); errors.Is(err, kerr.OffsetOutOfRange) {
		err = fmt.Errorf("topic %s lost records that were read, up to %d: %w", l.cfg.Topic, at, errLost)
		l.lose(err)
		return nil, at, err
	}
	got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: at, IsolationLevel: kgo.ReadCommitted(), Topic: l.cfg.Topic,
	}, part, kgo.DefaultDecompressor(), nil)
	if got.Err != nil {
		return nil, at, got.Err
	}
	l.lose(nil)
	for _, r := range got.Records {
		entries = append(entries, Entry{Record{Key: r.Key, Value: r.Value, Time: r.Timestamp.UnixMilli()}, r.Offset})
	}
	if len(part.RecordBatches) == 0 {
		next = max(next, part.LastStableOffset) // the cleaner left nothing in between
	}
	return entries, max(at, next), nil
}

func (l *Kafka) fetchRequest(at int64) *kmsg.FetchRequest {
	part := kmsg.NewFetchRequestTopicPartition()
	part.FetchOffset, part.PartitionMaxBytes, part.CurrentLeaderEpoch = at, fetchBytes, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = l.cfg.Topic, l.topic, []kmsg.FetchRequestTopicPartition{part}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(fetchWait.Milliseconds()), 1, fetchBytes
	req.IsolationLevel, req.SessionEpoch, req.Topics = 1, -1, []kmsg.FetchRequestTopic{topic}
	return req
}
