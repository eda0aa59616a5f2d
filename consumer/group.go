package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/lane"
)

// The group's callbacks run one after the other in a goroutine of the client's, beside the poll loop:
// partitions that stay are polled and worked on all the while. The client has stopped fetching a
// partition, and thrown away what it had fetched of it, before it tells us that it is revoked; and it
// fetches a new one only after assigned has returned.

// callbackGrace is what a callback leaves of the rebalance timeout for the commit and the way back.
const callbackGrace = 5 * time.Second

// cancelGrace is how long handlers may take to return once their context has ended.
const cancelGrace = time.Second

// assigned takes over partitions that are new to us. It is also called when there are none.
func (c *Consumer) assigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	c.metrics.rebalances.Inc()
	member, _ := client.GroupMetadata()
	var suspects []*partition
	c.betweenPolls(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.joined, c.group = true, nil
		suspects = c.suspect(member)
		for topic, ids := range added {
			for _, id := range ids {
				p := c.adopt(at{topic, id}, member)
				c.log.Info("partition assigned", "topic", topic, "partition", id, "epoch", p.epoch)
			}
		}
	})
	signal(c.assess)
	switch {
	case len(suspects) > 0 && c.txn != nil:
		c.txn.fail(errLostMeanwhile)
	case len(suspects) > 0:
		c.reread(suspects)
	}
	signal(c.ordered)
}

// suspect begins anew with the partitions that were given to us under another member id. The client
// says that they stay, and so says the group, but between the two our session had ended (an answer to
// a join was lost), and another member may have worked on them. mu is held.
func (c *Consumer) suspect(member string) (suspects []*partition) {
	for name, old := range c.parts {
		if old.member == member || old.lanes.Closed() {
			continue
		}
		c.log.Warn("partition was lost and came back", "topic", name.topic, "partition", name.partition, "epoch", old.epoch)
		c.dismissPart(old, ErrLost)
		p := c.adopt(name, member)
		if p.park != nil {
			continue // it finds its place itself
		}
		p.blind = true
		suspects = append(suspects, p)
	}
	return suspects
}

// startAt learns from where the client will fetch. It changes nothing.
func (c *Consumer) startAt(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, ids := range offsets {
		for id, o := range ids {
			from := o.EpochOffset()
			p := c.parts[at{topic, id}]
			if p == nil || from.Offset < 0 || p.Tracker.Next() > 0 {
				continue
			}
			p.Begin(lane.Mark{Offset: from.Offset, Epoch: from.Epoch})
		}
	}
	return offsets, nil
}

// revoked gives partitions back: nothing new starts, what is in hand is finished within the time
// there is, the offsets are committed, and what finishes later is void. Cooperative rebalances also
// call it with nothing to revoke.
func (c *Consumer) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	parts := c.closeAll(gone)
	if len(parts) == 0 {
		return
	}
	began := time.Now()
	limit := min(c.cfg.DrainTimeout, max(c.cfg.RebalanceTimeout-callbackGrace, c.cfg.RebalanceTimeout/2))
	left := c.waitDrained(parts, limit, ErrRevoked)
	ctx, cancel := context.WithTimeout(c.ctx, callbackGrace)
	defer cancel()
	c.commitFinally(ctx, parts)
	c.mu.Lock()
	for _, p := range parts {
		c.dismissPart(p, ErrRevoked)
	}
	c.mu.Unlock()
	c.metrics.drain.Since(began)
	for _, p := range parts {
		c.log.Info("partition revoked", "topic", p.at.topic, "partition", p.at.partition, "epoch", p.epoch, "duration", time.Since(began))
	}
	if left > 0 {
		c.log.Warn("events in hand did not finish before their partitions had to go: another member handles them again", "events", left, "duration", time.Since(began))
	}
}

// lost ends partitions that are somebody else's already: nothing is committed.
func (c *Consumer) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	parts := c.closeAll(gone)
	c.mu.Lock()
	for _, p := range parts {
		c.dismissPart(p, ErrLost)
	}
	c.mu.Unlock()
	for _, p := range parts {
		c.log.Warn("partition lost", "topic", p.at.topic, "partition", p.at.partition, "epoch", p.epoch)
	}
}

// closeAll lets nothing of the partitions start any more, and returns those that are ours.
func (c *Consumer) closeAll(gone map[string][]int32) []*partition {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []*partition
	for topic, ids := range gone {
		for _, id := range ids {
			if p := c.parts[at{topic, id}]; p != nil {
				p.leaving = true
				c.closePart(p)
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// waitDrained waits until nothing of the closed partitions is in hand. When the limit has passed it
// ends their contexts and waits a little longer. It returns how many events are still in hand.
func (c *Consumer) waitDrained(parts []*partition, limit time.Duration, cause error) (left int) {
	if allDrained(parts, limit) {
		return 0
	}
	c.mu.Lock()
	for _, p := range parts {
		c.cutPart(p, cause)
	}
	c.mu.Unlock()
	if allDrained(parts, cancelGrace) {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		left += p.lanes.InHand()
	}
	return left
}

func allDrained(parts []*partition, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, p := range parts {
		select {
		case <-p.drained:
		case <-timer.C:
			return false
		}
	}
	return true
}
