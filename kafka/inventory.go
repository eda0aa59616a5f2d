package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicDetail is a topic as the cluster has it.
type TopicDetail struct {
	Name       string
	Internal   bool // the cluster's own, such as __consumer_offsets
	Partitions []PartitionDetail
	Configs    []ConfigDetail // in the order of their names; DescribeTopics only
}

// PartitionDetail is a partition as the cluster has it.
type PartitionDetail struct {
	ID       int32
	Leader   int32 // broker; -1: none
	Replicas []int32
	InSync   []int32
	Start    int64 // offset of the first record that is still there
	End      int64 // offset after the last one
}

// ConfigDetail is one configuration entry of a topic.
type ConfigDetail struct {
	Name    string
	Value   string
	Default bool // not set on the topic itself
}

// Records is how many offsets the topic holds, an upper bound of its records.
func (t TopicDetail) Records() int64 {
	var n int64
	for _, p := range t.Partitions {
		n += p.End - p.Start
	}
	return n
}

// vanishing is how often a list is made again when a topic of it was not there a moment later.
const vanishing = 20

// ListTopics lists the topics of the cluster in the order of their names, without their configs.
func (c *Client) ListTopics(ctx context.Context) ([]TopicDetail, error) {
	list, err := c.topicDetails(ctx)
	for range vanishing {
		if !errors.Is(err, kerr.UnknownTopicOrPartition) {
			break
		}
		list, err = c.topicDetails(ctx) // a topic went while it was listed, or a broker knows it not yet
	}
	if err != nil {
		return nil, &Error{Op: "list topics", Partition: -1, Err: err}
	}
	return list, nil
}

// DescribeTopics tells all about the named topics, in the order of their names. One that is missing
// is an error.
func (c *Client) DescribeTopics(ctx context.Context, names ...string) ([]TopicDetail, error) {
	if len(names) == 0 {
		return nil, nil
	}
	list, err := c.topicDetails(ctx, names...)
	if err == nil {
		err = c.addConfigs(ctx, list)
	}
	if err != nil {
		return nil, &Error{Op: "describe " + strings.Join(names, ", "), Partition: -1, Err: err, Hint: c.topicHint(ctx, names, err)}
	}
	return list, nil
}

func (c *Client) topicDetails(ctx context.Context, names ...string) ([]TopicDetail, error) {
	details, err := c.adm.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return nil, err
	}
	for name, d := range details {
		if d.Err != nil && len(names) == 0 {
			delete(details, name) // remembered by the client, but not there
		} else if d.Err != nil {
			return nil, d.Err
		}
	}
	if len(details) == 0 {
		return nil, nil
	}
	names = slices.Sorted(maps.Keys(details))
	starts, err := listed(c.adm.ListStartOffsets(ctx, names...))
	if err != nil {
		return nil, fmt.Errorf("find the start: %w", err)
	}
	ends, err := listed(c.adm.ListEndOffsets(ctx, names...))
	if err != nil {
		return nil, fmt.Errorf("find the end: %w", err)
	}
	list := make([]TopicDetail, 0, len(names))
	for _, name := range names {
		detail := TopicDetail{Name: name, Internal: details[name].IsInternal}
		for _, p := range details[name].Partitions.Sorted() {
			detail.Partitions = append(detail.Partitions, PartitionDetail{
				ID: p.Partition, Leader: p.Leader, Replicas: p.Replicas, InSync: p.ISR,
				Start: starts[name][p.Partition].Offset,
				End:   ends[name][p.Partition].Offset,
			})
		}
		list = append(list, detail)
	}
	return list, nil
}

func (c *Client) addConfigs(ctx context.Context, list []TopicDetail) error {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	described, err := c.adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	for i := range list {
		rc, err := described.On(list[i].Name, nil)
		if err == nil {
			err = rc.Err
		}
		if err != nil {
			return fmt.Errorf("read the configuration of %s: %w", list[i].Name, err)
		}
		for _, entry := range rc.Configs {
			list[i].Configs = append(list[i].Configs, ConfigDetail{
				Name: entry.Key, Value: entry.MaybeValue(),
				Default: entry.Source != kmsg.ConfigSourceDynamicTopicConfig,
			})
		}
		slices.SortFunc(list[i].Configs, func(a, b ConfigDetail) int { return strings.Compare(a.Name, b.Name) })
	}
	return nil
}
