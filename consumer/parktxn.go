package consumer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/internal/transact"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/letter"
	"github.com/leatdev/leat/kafka"
)

// A transform whose topic parks events writes what was decided about them in its transactions, beside
// outputs and dead letters and with the offsets of both partitions. The core is the same: a decision
// counts when it is read back, by a reader that reads committed. What differs:
//
//   - What an attempt on a parked event made leaves with the Fin that says so, a dead letter with its own:
//     both or neither. So there is no second effect and no second letter.
//   - A transaction that holds anything of a partition holds its offsets, moved or not. So the
//     coordinator refuses one of an owner that is none any more; and one that was accepted before is over
//     when the next owner begins, for it asks for stable offsets.
//   - The source's offset carries its map of what is finished above it: outputs never come again.
//   - The first failed transaction ends the member, and with it all cores.

// gone says whether what was reached on p is for another claim to reach. Consumer.mu is held.
func (p *partition) gone() bool {
	return p.void || p.park != nil && p.park.core != nil && p.park.core.Over()
}

// parkPlace is what a transaction says of a partition whose events are parked. A claim that has not begun
// says again what it was committed with. mu is held.
func (c *Consumer) parkPlace(p *partition, low lane.Mark, leaves bool) (m lane.Place, some bool) {
	switch {
	case p.gone():
		return lane.Place{}, false
	case !p.park.ready:
		return lane.Place{Mark: p.park.source, Finished: p.park.finished}, leaves
	}
	moved := c.parkCommit(p, low)
	defer c.measureMap(p)
	if !moved && !p.Moved(low) && !leaves {
		return lane.Place{}, false
	}
	return p.PlaceAt(low), true
}

// leave makes a record of the park partition part of the next transaction, with what leaves by it.
func (c *Consumer) leave(o *outgoing, r *kgo.Record) {
	m := o.made
	if m == nil {
		m = new(transact.Made)
	}
	m.Raws = append(m.Raws, mail.Raw(r))
	c.mu.Lock()
	defer c.mu.Unlock()
	if !o.part.gone() {
		c.txn.reached(outcome{part: o.part, made: m})
	}
}

// letterInside makes a dead letter part of a transaction, together with the record that it is written.
func (c *Consumer) letterInside(l parkedLetter, raw kafka.Raw) {
	p, ev := l.part, l.event
	d, _ := letter.ParseDeadLetter(raw.Headers)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.yard.Landed()
	if p.void || !p.park.live() {
		return
	}
	delete(p.park.stories, ev.Offset)
	c.doWith(p, p.park.core.LetterWritten(ev.Offset, ev.Round), &transact.Made{Raws: []kafka.Raw{raw}, Then: func() {
		c.cfg.Hook("park.dlq-sent")
		c.tellOf(d)
		c.mu.Lock()
		p.buried++
		c.mu.Unlock()
	}})
}

// parkCommittedInside goes on after a transaction with the offsets of parked partitions.
func (c *Consumer) parkCommittedInside(marks map[*partition]lane.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range marks {
		if p.park.claimed() {
			c.parkCommitted(p)
		}
	}
}

// parksIn says whether the topic is one that the group parks events in.
func (c *Consumer) parksIn(topic string) bool {
	for _, r := range c.routes {
		if topic == leat.ParkTopic(r.Topic.Name, c.cfg.Group) {
			return true
		}
	}
	return false
}

// writeRaws writes records where there are no transactions: dead letters before what says that they are
// written, for who takes over writes no letter again of which that is said.
func (y *parkYard) writeRaws(ctx context.Context, raws []kafka.Raw) error {
	var letters, decisions []*kgo.Record
	for _, raw := range raws {
		r := &kgo.Record{Topic: raw.Topic, Partition: raw.Partition, Key: raw.Key, Value: raw.Value}
		for _, h := range raw.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader(h))
		}
		if y.c.parksIn(raw.Topic) {
			decisions = append(decisions, r)
		} else {
			letters = append(letters, r)
		}
	}
	for _, records := range [][]*kgo.Record{letters, decisions} {
		if err := y.Await(ctx, y.c.ctx, records); err != nil {
			return fmt.Errorf("write what was decided: %w", err)
		}
	}
	return nil
}

// parkOffset is the park partition's part of a commit.
func (k *parking) parkOffset(partition int32) kafka.GroupOffset {
	return kafka.GroupOffset{Topic: k.topic, Partition: partition, Offset: k.sending.Park, LeaderEpoch: -1, Metadata: k.sending.Meta.String()}
}
