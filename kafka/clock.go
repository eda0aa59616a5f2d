package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrNoClock says that the cluster does not tell its time: it is older than Kafka 3.3, or embedded, or
// this user may not see its quorum.
var ErrNoClock = errors.New("the cluster does not tell its time")

// ClockSkew is how far the clock of the cluster's controller is ahead of this machine's, negative where
// it is behind, and by how much that can be wrong: half the time that the question took.
func (c *Client) ClockSkew(ctx context.Context) (skew, margin time.Duration, err error) {
	if c.Embedded() {
		return 0, 0, fmt.Errorf("compare clocks: %w", ErrNoClock)
	}
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	asked := time.Now()
	resp, err := req.RequestWith(ctx, c.kgo)
	margin = time.Since(asked) / 2
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("compare clocks: %w (%w)", ErrNoClock, err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			for _, voter := range p.CurrentVoters {
				// The leader has always caught up with itself: its mark is its clock (KIP-836).
				if voter.ReplicaID == p.LeaderID && voter.LastCaughtUpTimestamp > 0 {
					there := time.UnixMilli(voter.LastCaughtUpTimestamp)
					return there.Sub(asked.Add(margin)), margin, nil
				}
			}
		}
	}
	return 0, 0, fmt.Errorf("compare clocks: %w", ErrNoClock)
}
