package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/lane"
)

// reread makes the client read partitions from where the group's offsets say. Until it is through,
// what comes of them is dropped. It tries for as long as the consumer runs: the group's callback
// waits, but not its heartbeat.
func (c *Consumer) reread(parts []*partition) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		marks, err := c.groupMarks(parts)
		if err == nil {
			c.seek(marks)
			return
		}
		c.log.Warn("fetch the group's offsets of partitions that came back", "err", err)
		select {
		case <-time.After(pause):
		case <-c.pollDone:
			return
		}
	}
}

// seek sets the client and the trackers to the marks between two polls: what the last one had taken
// out was dropped, and the next takes out what the marks say.
func (c *Consumer) seek(marks map[*partition]lane.Mark) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for p, m := range marks {
		if offsets[p.at.topic] == nil {
			offsets[p.at.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.at.topic][p.at.partition] = kgo.EpochOffset{Epoch: m.Epoch, Offset: m.Offset}
	}
	c.betweenPolls(func() {
		c.client.SetOffsets(offsets)
		c.mu.Lock()
		defer c.mu.Unlock()
		for p, m := range marks {
			if p.park != nil { // it begins there by itself, when it has claimed its park partition
				p.park.postponed = false
				c.wg.Go(func() { c.claim(p) })
				continue
			}
			p.blind = false
			p.Begin(m)
		}
	})
}

// groupMarks is where the group stands in the partitions: its offset, or the start of the log.
func (c *Consumer) groupMarks(parts []*partition) (map[*partition]lane.Mark, error) {
	asked := map[string][]int32{}
	for _, p := range parts {
		asked[p.at.topic] = append(asked[p.at.topic], p.at.partition)
	}
	places, err := cluster.Standing(c.ctx, c.client, c.joins, asked)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	marks := map[*partition]lane.Mark{}
	for _, p := range parts {
		place := places[p.at.topic][p.at.partition]
		if marks[p] = place.Mark; place.Known {
			p.Metadata = place.Metadata
		}
	}
	return marks, nil
}
