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
)

// openTxn is a transaction that a partition's leader takes for open.
type openTxn struct {
	place
	leader      int32
	producer    int64
	epoch       int16
	coordinator int32 // epoch of the coordinator that wrote the producer's last marker; -1: none
	from        int64 // its first offset
	last        time.Time
	end         end // "" as long as it is not known
}

// end is how a transaction ended.
type end string

const (
	commit end = "commit"
	abort  end = "abort"
)

func (o *openTxn) String() string {
	text := fmt.Sprintf("%s/%d from offset %d (producer %d, epoch %d, last written at %s", o.topic, o.partition, o.from, o.producer, o.epoch, o.last.UTC().Format(time.RFC3339))
	if o.end != "" {
		text += "; it ended with " + string(o.end)
	}
	return text + ")"
}

// place is a partition.
type place struct {
	topic     string
	partition int32
}

// look goes through partitions for what is open in them.
type look struct {
	cl   *kgo.Client
	log  *slog.Logger
	todo map[place]error // partitions that could not be asked yet, and why; nil: all
}

// lookWithin is how long partitions are waited for that have no leader, or whose leader is away.
const lookWithin = 5 * time.Second

// at finds the open transactions that are meant in the topics, nil: in all that the user sees.
func (l *look) at(ctx context.Context, topics []string, meant func(openTxn) bool) (found []openTxn, err error) {
	began := time.Now()
	for {
		leaders, err := l.leaders(ctx, topics)
		if err != nil && !IsAway(err) {
			return nil, err
		}
		for leader, parts := range leaders {
			found = append(found, l.ask(ctx, leader, parts, meant)...)
		}
		if err == nil && len(l.todo) == 0 {
			return found, nil
		}
		if time.Since(began) > lookWithin {
			for p, why := range l.todo {
				l.log.Warn("a partition could not be searched for hanging transactions", "topic", p.topic, "partition", p.partition, "error", why)
			}
			return found, err
		}
		if perr := pause(ctx, jitter(100*time.Millisecond)); perr != nil {
			return nil, errors.Join(perr, err)
		}
	}
}

// leaders says who leads the partitions that are to do: at first all of the topics.
func (l *look) leaders(ctx context.Context, topics []string) (map[int32][]place, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, l.cl)
	if err != nil {
		return nil, fmt.Errorf("find the partitions: %w", err)
	}
	todo, leaders := map[place]error{}, map[int32][]place{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			at := place{*t.Topic, p.Partition}
			if _, waits := l.todo[at]; !waits && l.todo != nil {
				continue
			}
			if p.Leader < 0 {
				todo[at] = kerr.LeaderNotAvailable
				continue
			}
			leaders[p.Leader] = append(leaders[p.Leader], at)
		}
	}
	l.todo = todo
	return leaders, nil
}

// ask asks a leader what is open in those of the partitions that lag.
func (l *look) ask(ctx context.Context, leader int32, parts []place, meant func(openTxn) bool) []openTxn {
	stable, err := l.offsets(ctx, leader, parts, committed)
	if err != nil {
		return l.later(parts, err)
	}
	high, err := l.offsets(ctx, leader, parts, uncommitted)
	if err != nil {
		return l.later(parts, err)
	}
	var lag []place
	for _, p := range parts {
		if to, ok := stable[p]; ok && to < high[p] {
			lag = append(lag, p)
		}
	}
	if len(lag) == 0 {
		return nil
	}
	var found []openTxn
	open, err := l.producers(ctx, leader, lag)
	if err != nil {
		return l.later(lag, err)
	}
	for _, o := range open {
		if meant(o) {
			found = append(found, o)
		}
	}
	return found
}

func (l *look) later(parts []place, err error) []openTxn {
	for _, p := range parts {
		l.todo[p] = err
	}
	return nil
}

// offsets are the last stable offsets, or the high watermarks. What a leader may or can not say of a
// partition for good leaves it out.
func (l *look) offsets(ctx context.Context, leader int32, parts []place, isolation int8) (map[place]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	for _, p := range parts {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.topic {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = p.topic
			req.Topics = append(req.Topics, t)
		}
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p.partition, atEnd
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, rp)
	}
	resp, err := l.cl.Broker(int(leader)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	at := make(map[place]int64, len(parts))
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if l.heard(place{t.Topic, p.Partition}, p.ErrorCode) {
				at[place{t.Topic, p.Partition}] = p.Offset
			}
		}
	}
	return at, nil
}

// heard says whether an answer for a partition is one; what may heal is to do again.
func (l *look) heard(p place, code int16) bool {
	err := kerr.ErrorForCode(code)
	switch {
	case err == nil:
		return true
	case kerr.IsRetriable(err) && l.todo != nil:
		l.todo[p] = err
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		l.log.Info("this user may not see whose transaction is open in a partition: it needs the right to Read", "topic", p.topic, "partition", p.partition)
	}
	return false
}

// producers are the open transactions of all producers.
func (l *look) producers(ctx context.Context, leader int32, parts []place) (open []openTxn, err error) {
	req := kmsg.NewPtrDescribeProducersRequest()
	for _, p := range parts {
		t := kmsg.NewDescribeProducersRequestTopic()
		t.Topic, t.Partitions = p.topic, []int32{p.partition}
		req.Topics = append(req.Topics, t)
	}
	resp, err := l.cl.Broker(int(leader)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.(*kmsg.DescribeProducersResponse).Topics {
		for _, p := range t.Partitions {
			at := place{t.Topic, p.Partition}
			if !l.heard(at, p.ErrorCode) {
				continue
			}
			for _, a := range p.ActiveProducers {
				if a.CurrentTxnStartOffset >= 0 {
					open = append(open, openTxn{
						place: at, leader: leader, producer: a.ProducerID, epoch: int16(a.ProducerEpoch),
						coordinator: a.CoordinatorEpoch, from: a.CurrentTxnStartOffset, last: time.UnixMilli(a.LastTimestamp),
					})
				}
			}
		}
	}
	return open, nil
}
