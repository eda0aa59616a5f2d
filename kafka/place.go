package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Places are the offsets at which From begins in each partition of a topic.
func (c *Client) Places(ctx context.Context, topic string, from From) (map[int32]int64, error) {
	names := []string{topic}
	t := &tail{c: c, cfg: TailConfig{Topics: names, From: from, Follow: true}}
	if err := t.find(ctx); err != nil {
		return nil, &Error{Op: "find a place in", Topic: topic, Partition: -1, Err: err, Hint: c.topicHint(ctx, names, err)}
	}
	places := map[int32]int64{}
	for id, offset := range t.from[topic] {
		places[id] = offset.EpochOffset().Offset
	}
	return places, nil
}

// Committed is where a group stands in each partition of a topic in which it has committed an offset.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	offsets, err := c.adm.FetchOffsetsForTopics(ctx, group, topic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, &Error{Op: "fetch the offsets of group " + group + " in", Topic: topic, Partition: -1, Err: asRefusal(err), Hint: rightHint(err, "Describe on the group")}
	}
	at := map[int32]int64{}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			at[o.Partition] = o.At
		}
	})
	return at, nil
}
