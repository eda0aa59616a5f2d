package kafka

import (
	"context"
	"time"
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

// TimeAt is the timestamp of the first record of a partition at offset or behind it, zero where there
// is none.
func (c *Client) TimeAt(ctx context.Context, topic string, partition int32, offset int64) (time.Time, error) {
	for w, err := range c.Tail(ctx, TailConfig{Topics: []string{topic}, Partitions: []int32{partition}, From: FromOffset(offset)}) {
		if err != nil {
			return time.Time{}, err
		}
		return w.Timestamp(), nil
	}
	return time.Time{}, ctx.Err()
}
