package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatdev/leat/consumer/lane"
)

// Place is where a group stands in a partition.
type Place struct {
	lane.Mark
	Metadata string
	Known    bool // the group has committed it; else it is the start of the log
}

// Standing is where the group stands in the partitions, by topic and number.
func Standing(ctx context.Context, client *kgo.Client, group string, partitions map[string][]int32) (map[string]map[int32]Place, error) {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	adm := kadm.NewClient(client)
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("fetch offsets: %w", err)
	}
	topics := make([]string, 0, len(partitions))
	for topic := range partitions {
		topics = append(topics, topic)
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list the starts of topics: %w", err)
	}
	places := map[string]map[int32]Place{}
	for topic, ids := range partitions {
		places[topic] = map[int32]Place{}
		for _, id := range ids {
			start, ok := starts.Lookup(topic, id)
			if !ok || start.Err != nil {
				return nil, fmt.Errorf("list the start of %s/%d: %w", topic, id, start.Err)
			}
			places[topic][id] = placeOf(offsets, topic, id, start.Offset)
		}
	}
	return places, nil
}

func placeOf(offsets kadm.OffsetResponses, topic string, id int32, start int64) Place {
	if o, ok := offsets.Lookup(topic, id); ok && o.Err == nil && o.At >= 0 {
		return Place{lane.Mark{Offset: o.At, Epoch: o.LeaderEpoch}, o.Metadata, true}
	}
	return Place{Mark: lane.Mark{Offset: start, Epoch: -1}}
}

// ErrNoPartition says that a partition is not there yet, or not to be seen.
var ErrNoPartition = errors.New("it is not there yet, or not to be seen")

// Parked is where a group stands in a partition and in that of its number in the park topic.
type Parked struct {
	Source, Park Place
	First, End   int64 // of the park partition
}

// ParkPlaces asks for them. It sees topics that are new and offsets of transactions that are over, and
// says that it waits for those that are not.
func ParkPlaces(ctx context.Context, client *kgo.Client, group, topic, parkTopic string, partition int32) (at Parked, err error) {
	// The topic may be new, and what the client remembers of topics old: with operations it asks.
	ctx = kadm.WithAuthorizedOps(kadm.RequireStable(ctx))
	adm := kadm.NewClient(client)
	offsets, err := adm.FetchOffsetsForTopics(ctx, group, topic, parkTopic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return at, fmt.Errorf("fetch offsets: %w", err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic, parkTopic)
	if err != nil {
		return at, fmt.Errorf("list the starts of topics: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, parkTopic)
	if err != nil {
		return at, fmt.Errorf("list the end of the park topic: %w", err)
	}
	source, sok := starts.Lookup(topic, partition)
	from, fok := starts.Lookup(parkTopic, partition)
	to, tok := ends.Lookup(parkTopic, partition)
	if err := errors.Join(source.Err, from.Err, to.Err); err != nil || !sok || !fok || !tok {
		return at, fmt.Errorf("look for partition %d of %s: %w: %w", partition, parkTopic, ErrNoPartition, errors.Join(err, kerr.UnknownTopicOrPartition))
	}
	return Parked{
		Source: placeOf(offsets, topic, partition, source.Offset), Park: placeOf(offsets, parkTopic, partition, from.Offset),
		First: from.Offset, End: to.Offset,
	}, nil
}

// LargestBatch is the topic's max.message.bytes, where we may ask; 0: not known.
func LargestBatch(ctx context.Context, adm *kadm.Client, topic string) (int, error) {
	all, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("describe %s: %w", topic, err)
	}
	for _, rc := range all {
		if errors.Is(rc.Err, kerr.UnknownTopicOrPartition) {
			return 0, fmt.Errorf("look for %s: %w: %w", topic, ErrNoPartition, rc.Err)
		}
		for _, s := range rc.Configs {
			if n, err := strconv.Atoi(s.MaybeValue()); s.Key == "max.message.bytes" && err == nil {
				return n, nil
			}
		}
	}
	return 0, nil
}

// Edge is a bound of a partition.
type Edge uint8

// The edges.
const (
	Start  Edge = iota // of the log
	Stable             // the end of what can be read (last stable offset)
	High               // the end of the log (high watermark)
)

// Bound asks for one edge of each partition, and returns what was answered.
func Bound(ctx context.Context, client *kgo.Client, which Edge, partitions map[string][]int32) (map[string]map[int32]int64, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	timestamp := int64(-1) // Kafka's words for the end and the start
	switch which {
	case Start:
		timestamp = -2
	case Stable:
		req.IsolationLevel = 1
	}
	for topic, ids := range partitions {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, id := range ids {
			one := kmsg.NewListOffsetsRequestTopicPartition()
			one.Partition, one.Timestamp = id, timestamp
			t.Partitions = append(t.Partitions, one)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	offsets := map[string]map[int32]int64{}
	var errs []error
	for _, t := range resp.Topics {
		offsets[t.Topic] = map[int32]int64{}
		for _, o := range t.Partitions {
			if err := kerr.ErrorForCode(o.ErrorCode); err != nil {
				errs = append(errs, fmt.Errorf("list the offsets of %s/%d: %w", t.Topic, o.Partition, err))
				continue
			}
			offsets[t.Topic][o.Partition] = o.Offset
		}
	}
	return offsets, errors.Join(errs...)
}

// Offset is what is committed of one partition.
type Offset struct {
	lane.Mark
	Metadata string
}

// Commit commits offsets with what stands beside them, and returns the coordinator's answer by partition;
// what it did not answer for is missing. let is asked when the client has written the member's id into the
// request, and joins no group before the answer is there.
func Commit(ctx context.Context, client *kgo.Client, offsets map[string]map[int32]Offset, let func(member string) error) (answers map[string]map[int32]error, err error) {
	marks := map[string]map[int32]kgo.EpochOffset{}
	for topic, ids := range offsets {
		marks[topic] = map[int32]kgo.EpochOffset{}
		for id, o := range ids {
			marks[topic][id] = kgo.EpochOffset{Epoch: o.Epoch, Offset: o.Offset}
		}
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for _, t := range req.Topics {
			for i := range t.Partitions {
				t.Partitions[i].Metadata = new(offsets[t.Topic][t.Partitions[i].Partition].Metadata)
			}
		}
		return let(req.MemberID)
	})
	client.CommitOffsetsSync(ctx, marks, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, failed error) {
		if err = failed; err != nil {
			return
		}
		answers = map[string]map[int32]error{}
		for _, t := range resp.Topics {
			answers[t.Topic] = map[int32]error{}
			for _, p := range t.Partitions {
				answers[t.Topic][p.Partition] = kerr.ErrorForCode(p.ErrorCode)
			}
		}
	})
	return answers, err
}

// MetadataOf calls take with what stands beside each offset of an answer.
func MetadataOf(resp *kmsg.OffsetFetchResponse, take func(topic string, partition int32, metadata string)) {
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, o := range t.Partitions {
				if o.Metadata != nil {
					take(t.Topic, o.Partition, *o.Metadata)
				}
			}
		}
	}
}

// NamedOffsets keeps a client at answers that name the topics of offsets: later ones give their ids.
func NamedOffsets() *kversion.Versions {
	const offsetFetch = 9
	v := kversion.Stable()
	v.SetMaxKeyVersion(offsetFetch, 9)
	return v
}
