package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicInfo is a topic as the cluster has it.
type TopicInfo struct {
	Name       string
	Internal   bool // the cluster's own, such as __consumer_offsets
	Partitions []PartitionInfo
	Configs    []ConfigInfo // in the order of their names; DescribeTopics only
}

// PartitionInfo is a partition as the cluster has it.
type PartitionInfo struct {
	ID       int32
	Leader   int32 // broker; -1: none
	Replicas []int32
	InSync   []int32
	Start    int64 // offset of the first record that is still there
	End      int64 // offset after the last one
}

// ConfigInfo is one configuration entry of a topic.
type ConfigInfo struct {
	Name    string
	Value   string
	Default bool // not set on the topic itself
}

// Records is how many offsets the topic holds, an upper bound of its records.
func (t TopicInfo) Records() int64 {
	var n int64
	for _, p := range t.Partitions {
		n += p.End - p.Start
	}
	return n
}

// ListTopics lists the topics of the cluster in the order of their names, without their configs.
func (c *Client) ListTopics(ctx context.Context) ([]TopicInfo, error) {
	infos, err := c.topicInfos(ctx)
	if err != nil {
		return nil, &Error{Op: "list topics", Partition: -1, Err: err}
	}
	return infos, nil
}

// DescribeTopics tells all about the named topics, in the order of their names. One that is missing
// is an error.
func (c *Client) DescribeTopics(ctx context.Context, names ...string) ([]TopicInfo, error) {
	if len(names) == 0 {
		return nil, nil
	}
	infos, err := c.topicInfos(ctx, names...)
	if err == nil {
		err = c.addConfigs(ctx, infos)
	}
	if err != nil {
		return nil, &Error{Op: "describe " + strings.Join(names, ", "), Partition: -1, Err: err, Hint: c.topicHint(ctx, names, err)}
	}
	return infos, nil
}

func (c *Client) topicInfos(ctx context.Context, names ...string) ([]TopicInfo, error) {
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
	infos := make([]TopicInfo, 0, len(names))
	for _, name := range names {
		info := TopicInfo{Name: name, Internal: details[name].IsInternal}
		for _, p := range details[name].Partitions.Sorted() {
			info.Partitions = append(info.Partitions, PartitionInfo{
				ID: p.Partition, Leader: p.Leader, Replicas: p.Replicas, InSync: p.ISR,
				Start: starts[name][p.Partition].Offset,
				End:   ends[name][p.Partition].Offset,
			})
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func (c *Client) addConfigs(ctx context.Context, infos []TopicInfo) error {
	names := make([]string, len(infos))
	for i := range infos {
		names[i] = infos[i].Name
	}
	described, err := c.adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	for i := range infos {
		rc, err := described.On(infos[i].Name, nil)
		if err == nil {
			err = rc.Err
		}
		if err != nil {
			return fmt.Errorf("read the configuration of %s: %w", infos[i].Name, err)
		}
		for _, entry := range rc.Configs {
			infos[i].Configs = append(infos[i].Configs, ConfigInfo{
				Name: entry.Key, Value: entry.MaybeValue(),
				Default: entry.Source != kmsg.ConfigSourceDynamicTopicConfig,
			})
		}
		slices.SortFunc(infos[i].Configs, func(a, b ConfigInfo) int { return strings.Compare(a.Name, b.Name) })
	}
	return nil
}
