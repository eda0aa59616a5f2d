package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/lane"
)

// oversee carries out what the control topic asks for once, and answers there: seeks, one after the
// other, and drains; it tells of the group's inbox. Run waits for it.
func (c *Consumer) oversee(ctx context.Context) {
	if c.line == nil {
		return
	}
	inbox := time.NewTimer(0)
	defer inbox.Stop()
	again := time.NewTimer(c.cfg.CommitInterval)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-inbox.C:
			inbox.Reset(c.tellInbox(ctx))
			continue
		case <-c.ordered:
		case <-again.C:
		}
		open := c.seekAll(ctx)
		if open = c.answerDrains(ctx) || open; open {
			again.Reset(c.cfg.CommitInterval)
		}
	}
}

// seekAll carries out the seeks of our partitions, and says whether there are some left to try again.
func (c *Consumer) seekAll(ctx context.Context) (open bool) {
	c.mu.Lock()
	var parts []*partition
	var seeks []control.Record
	for _, p := range c.parts {
		if c.orders.state == nil || p.lanes.Closed() {
			continue
		}
		if s, ok := c.orders.state.Pending(c.cfg.Group, p.at.topic, p.at.partition); ok || p.sought {
			parts, seeks = append(parts, p), append(seeks, s)
		}
	}
	c.mu.Unlock()
	for i, p := range parts {
		err := c.carryOut(ctx, p, seeks[i])
		if err != nil && ctx.Err() == nil {
			open = true
			c.log.Warn("seek: tried again", "topic", p.at.topic, "partition", p.at.partition, "offset", seeks[i].Offset, "err", err)
		}
	}
	return open
}

// carryOut makes the group go on from the seek's offset. Nothing of p starts while the seek is pending.
//
// It is done exactly once. We own p when we read the control topic to its end and find no answer. Then
// the offset is committed, fenced by our membership; then the answer is written; only then the first
// event runs. Killed before the answer, our heir finds none and commits the same offset, above which
// nothing has run; killed after it, the heir finds the answer.
func (c *Consumer) carryOut(ctx context.Context, p *partition, seek control.Record) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DrainTimeout+cancelGrace+3*cluster.AskTimeout)
	defer cancel()
	log := c.line.Fresh()
	state, err := log.Read(ctx)
	if err != nil {
		return err
	}
	if now, pending := state.Pending(c.cfg.Group, p.at.topic, p.at.partition); !pending || now.ID != seek.ID {
		c.setOrders(state, nil)
		c.recover(p)
		return nil
	}
	fresh, from := c.beginAnew(p)
	if fresh == nil {
		return nil // it goes to another member, who finds the seek
	}
	mark := map[*partition]lane.Mark{fresh: {Offset: seek.Offset, Epoch: -1}}
	if err := c.commitMarks(ctx, func() map[*partition]lane.Place { return map[*partition]lane.Place{fresh: {Mark: mark[fresh]}} }); err != nil {
		return fmt.Errorf("commit the offset: %w", err)
	}
	c.cfg.Hook("control.seek-committed")
	answer := control.Record{
		Kind: control.Sought, Group: seek.Group, Topic: seek.Topic, Partition: seek.Partition, ID: seek.ID,
		Offset: seek.Offset, From: from, By: fresh.member, At: time.Now(),
	}
	if err := log.Write(ctx, []control.Record{answer}, state.Outdated(seek)); err != nil {
		return err
	}
	c.cfg.Hook("control.sought")
	c.seek(mark)
	c.metrics.seeks.With(p.at.topic).Inc()
	c.log.Info("partition goes on from another offset", "topic", p.at.topic, "partition", p.at.partition, "offset", seek.Offset, "was", from)
	c.mu.Lock()
	fresh.sought = false
	c.mu.Unlock()
	if state, err = log.Read(ctx); err == nil {
		c.setOrders(state, nil)
	}
	return nil // at the latest, whoever follows the topic reads the answer
}

// recover reads p from where the group stands, if an earlier attempt at a seek ended between its answer
// and that: the write of the answer looked as if it had failed.
func (c *Consumer) recover(p *partition) {
	c.mu.Lock()
	sought := p.sought
	p.sought = false
	c.mu.Unlock()
	if sought {
		c.reread([]*partition{p})
	}
}

// beginAnew ends p as a revoke does, and takes it over again with nothing known of where it is read
// from. It returns nil where p is somebody else's by then, and what the group had committed.
func (c *Consumer) beginAnew(p *partition) (fresh *partition, from int64) {
	c.mu.Lock()
	c.closePart(p)
	c.mu.Unlock()
	if left := c.waitDrained([]*partition{p}, c.cfg.DrainTimeout, ErrSought); left > 0 {
		c.log.Warn("events in hand did not finish before the seek: what they still do counts for nothing", "topic", p.at.topic, "partition", p.at.partition, "events", left)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.void || p.leaving || c.state != running {
		return nil, -1
	}
	from = p.Committed.Offset
	fresh = c.adopt(p.at, p.member)
	fresh.blind, fresh.sought = true, true
	if fresh.park != nil {
		fresh.park.postponed = true
	}
	fresh.Committed.Offset = from
	return fresh, from
}

// answerDrains answers for the partitions in which nothing is in hand and all that is finished is
// committed, and says whether some are left that are not there yet.
func (c *Consumer) answerDrains(ctx context.Context) (open bool) {
	var answers []control.Record
	c.mu.Lock()
	for _, p := range c.parts {
		if c.orders.state == nil || !p.halted || p.lanes.Closed() {
			continue
		}
		for _, pause := range c.orders.state.Of(c.cfg.Group) {
			if pause.Kind != control.Pause || !pause.Drain || !pause.Covers(p.route.Topic.Name, p.at.partition) {
				continue
			}
			if _, told := c.orders.state.DrainedBy(pause, p.at.topic, p.at.partition); told {
				continue
			}
			if p.lanes.InHand() > 0 || p.reached > 0 || p.Tracker.Begun() && p.Tracker.Low().Offset > p.Committed.Offset {
				open = true
				continue
			}
			answers = append(answers, control.Record{
				Kind: control.Drained, Group: c.cfg.Group, Topic: p.at.topic, Partition: p.at.partition,
				ID: pause.ID, Offset: p.Committed.Offset, By: p.member, At: time.Now(),
			})
		}
	}
	c.mu.Unlock()
	if len(answers) == 0 {
		return open
	}
	ctx, cancel := context.WithTimeout(ctx, cluster.AskTimeout)
	defer cancel()
	if err := c.line.Write(ctx, answers...); err != nil {
		c.log.Warn("tell that a partition is drained: tried again", "err", err)
		return true
	}
	return open
}

// inboxEvery is how often a group tells of its inbox: rows older than what it keeps are gone anyway, so
// readers know more than it says.
const (
	inboxEvery = 24 * time.Hour
	inboxAgain = time.Minute // where it could not
)

// tellInbox tells the control topic how far back the group's inbox knows what was handled, and returns
// when to do it again.
func (c *Consumer) tellInbox(ctx context.Context) time.Duration {
	if c.cfg.Inbox == nil {
		return inboxEvery
	}
	ctx, cancel := context.WithTimeout(ctx, cluster.AskTimeout)
	defer cancel()
	since, keep, err := c.cfg.Inbox(ctx)
	if err == nil {
		err = c.line.Write(ctx, control.Record{
			Kind: control.Inbox, Group: c.cfg.Group, Partition: control.All, Since: since, Keep: keep, At: time.Now(),
		})
	}
	if err != nil {
		c.log.Debug("tell the control topic of the inbox", "err", err)
		return inboxAgain
	}
	return inboxEvery
}
