package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/internal/yard"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/park"
)

// A partition whose events are parked begins so, beside the group's callback, which waits for none of
// it: fetch both offsets, commit a claim to the next epoch, write the marker, read the park partition
// up to it, raise the fences in databases, and only then let the source run. A record that can't be
// written or a newer marker ends the claim; what is in hand is finished, or given up, and the
// partition begins anew.

// claimPause bounds the pause between two tries to begin.
const claimPause = 2 * time.Second

// claimed says whether a claim was committed, or is about to be: before, the group's offset of the
// park partition is not ours to write.
func (k *parking) claimed() bool { return k != nil && k.sending.Meta.Claimed > 0 }

// claim tries to begin with p until it succeeds, or p goes.
func (c *Consumer) claim(p *partition) {
	c.mu.Lock()
	postponed := p.park.postponed
	c.mu.Unlock()
	if postponed {
		return
	}
	c.persist(p, "claim the park partition", func() error { return c.tryClaim(p) })
}

// persist repeats act until it succeeds, or p goes.
func (c *Consumer) persist(p *partition, what string, act func() error) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, claimPause) {
		err := act()
		if err == nil {
			return
		}
		c.mu.Lock()
		gone := p.void || p.lanes.Closed()
		known := p.park.away != nil
		p.park.away = fmt.Errorf("%s: %w", what, err)
		c.mu.Unlock()
		if gone {
			return
		}
		if !known {
			c.log.Warn(what+": tried again until it succeeds, nothing of the partition runs before", "topic", p.at.topic, "partition", p.at.partition, "err", err)
		}
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
			return
		}
		if errors.Is(err, park.ErrMalformed) {
			c.mu.Lock()
			c.closePart(p)
			c.mu.Unlock()
			return
		}
	}
}

func (c *Consumer) tryClaim(p *partition) error {
	ctx, cancel := context.WithTimeout(p.ctx, cluster.AskTimeout)
	defer cancel()
	start, mark, err := c.parkStart(ctx, p)
	if errors.Is(err, cluster.ErrNoPartition) {
		signal(c.lookup)
	}
	if err != nil {
		return err
	}
	core := park.New(p.park.config(c.txn != nil && c.txn.inside), start)
	err = c.commitMarks(ctx, func() map[*partition]lane.Place {
		p.park.sending = core.Claim()
		return map[*partition]lane.Place{p: {Mark: mark, Finished: p.park.finished}}
	})
	if err != nil {
		return fmt.Errorf("commit the claim: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.void || p.lanes.Closed() {
		return nil
	}
	k := p.park
	k.core, k.read, k.source = core, start.Park, mark
	c.yard.reader.Begin(p, k.topic, p.at.partition, start.Park)
	c.do(p, core.Open())
	return nil
}

// parkStart is where the group stands in both partitions.
func (c *Consumer) parkStart(ctx context.Context, p *partition) (start park.Start, mark lane.Mark, err error) {
	if err := c.learnLimit(ctx, p.park.topic); err != nil {
		return start, mark, err
	}
	stands, err := cluster.ParkPlaces(ctx, c.client, c.cfg.Group, p.at.topic, p.park.topic, p.at.partition)
	if err != nil {
		return start, mark, err
	}
	mark = stands.Source.Mark
	var finished lane.Finished
	if stands.Source.Known && c.txn != nil {
		finished, _ = lane.ParseFinished(stands.Source.Metadata, mark.Offset)
	}
	start = park.Start{Park: stands.First, Source: mark.Offset}
	meta, err := c.parkMeta(p, &stands, &start)
	if err != nil {
		return start, mark, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.park.finished = finished
	start.Epoch = max(meta.Claimed, p.park.above) + 1
	return start, mark, nil
}

// parkMeta reads the committed park offset into start, where it can be used.
func (c *Consumer) parkMeta(p *partition, stands *cluster.Parked, start *park.Start) (park.Meta, error) {
	if !stands.Park.Known {
		return park.Meta{}, nil
	}
	at, end := stands.Park.Offset, stands.End
	meta, err := park.ParseMeta(stands.Park.Metadata)
	switch {
	case errors.Is(err, park.ErrForeign):
		c.log.Warn("the group's offset of the park partition is not ours: it is read from its start", "topic", p.park.topic, "partition", p.at.partition, "err", err)
	case err != nil:
		return meta, err
	case at < stands.First || at > end:
		c.log.Error("the park partition does not reach the group's offset: it is read from its start", "topic", p.park.topic, "partition", p.at.partition, "offset", at)
		return park.Meta{Claimed: meta.Claimed}, nil
	default:
		start.Park, start.AtLow = at, meta.AtLow
	}
	return meta, nil
}

// learnLimit finds how large the park topic's batches may be, once.
func (c *Consumer) learnLimit(ctx context.Context, topic string) error {
	if c.yard.Knows(topic) {
		return nil
	}
	n, err := cluster.LargestBatch(ctx, kadm.NewClient(c.client), topic)
	if n > 0 {
		c.yard.Learn(topic, n)
	}
	return err
}

// goBegin raises the fences and lets the source run. mu is held.
func (c *Consumer) goBegin(p *partition) {
	f := leat.Fence{Group: c.cfg.Group, Topic: p.at.topic, Partition: p.at.partition, Epoch: p.park.sending.Meta.Claimed}
	c.wg.Go(func() {
		c.persist(p, "raise the fence", func() error { return c.raise(p, f) })
	})
}

func (c *Consumer) raise(p *partition, f leat.Fence) error {
	for _, h := range p.route.Handlers {
		if h.Fence == nil {
			continue
		}
		err := h.Fence(p.ctx, f)
		if newer, ok := errors.AsType[*leat.FencedError](err); ok {
			c.mu.Lock()
			c.abandonPark(p, newer.Newest, err) // the group decides who claims above it
			c.mu.Unlock()
			return nil
		}
		if err != nil {
			return err
		}
	}
	c.beginSource(p, f)
	return nil
}

// beginSource lets the client read the source from the offset that the claim began with. What it had
// fetched is dropped: the claim may be a new one on a partition that stayed.
func (c *Consumer) beginSource(p *partition, f leat.Fence) {
	k := p.park
	c.betweenPolls(func() {
		c.mu.Lock()
		gone := p.void || p.lanes.Closed() || k.core.Over()
		c.mu.Unlock()
		if gone {
			return
		}
		c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{p.at.topic: {p.at.partition: {Epoch: k.source.Epoch, Offset: k.source.Offset}}})
		c.mu.Lock()
		defer c.mu.Unlock()
		if p.void || p.lanes.Closed() || k.core.Over() {
			return
		}
		p.ctx = leat.WithFence(p.ctx, f)
		p.Resume(k.source, k.finished)
		p.blind = false
		k.ready, k.away, k.stored = true, nil, time.Now()
		c.setPaused(p, p.halted)
		c.do(p, k.core.Begin())
		c.log.Info("park partition taken over", "topic", p.at.topic, "partition", p.at.partition, "epoch", f.Epoch, "keys", k.core.Active())
	})
}

// abandonPark ends the claim to p and begins anew above the given epoch. mu is held.
func (c *Consumer) abandonPark(p *partition, above int64, err error) {
	k := p.park
	if p.void || k.core == nil || k.over {
		return
	}
	k.over = true
	k.core.Close()
	k.above, k.away = max(k.above, above), err
	c.log.Warn("the claim to a park partition ends and begins anew", "topic", p.at.topic, "partition", p.at.partition, "err", err)
	c.closePart(p)
	c.releaseHand(p)
	c.yard.reader.Leave(p, k.topic, p.at.partition)
	c.wg.Go(func() { c.anew(p, err) })
}

// anew begins with a partition again when nothing of it is in hand any more.
func (c *Consumer) anew(p *partition, err error) {
	if !allDrained([]*partition{p}, c.cfg.DrainTimeout) {
		p.cancel(ErrLost)
		allDrained([]*partition{p}, cancelGrace)
	}
	if err != nil {
		cluster.Rest(c.ctx, claimPause) // what failed may need a moment
	}
	c.betweenPolls(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.parts[p.at] != p || p.leaving || c.state != running {
			return
		}
		c.dismissPart(p, ErrLost)
		next := c.adopt(p.at, p.member)
		next.park.above, next.park.away = p.park.above, err
	})
}

// releaseHand lets go of the source events that a closed core had in hand. Those that run end by
// themselves. mu is held.
func (c *Consumer) releaseHand(p *partition) {
	for offset, it := range p.park.hand {
		if it.Waiting() {
			c.release(it)
		}
		delete(p.park.hand, offset)
	}
	c.noteDrained(p)
}

// leavePark ends what a void partition has to do with its park partition. mu is held.
func (c *Consumer) leavePark(p *partition) {
	k := p.park
	if k == nil {
		return
	}
	k.dues = yard.Dues{}
	if k.core != nil {
		k.core.Close()
		c.yard.reader.Leave(p, k.topic, p.at.partition)
	}
}

// keepOffsets is how often the park offset is committed though nothing has moved: the coordinator
// forgets offsets of topics that the group is not subscribed to.
const keepOffsets = time.Hour

// parkCommit is what to commit of a parked partition whose source is settled below low, where there is
// anything. mu is held.
func (c *Consumer) parkCommit(p *partition, low lane.Mark) bool {
	k := p.park
	if !k.live() || !p.Tracker.Begun() {
		return false
	}
	m, more := k.core.Commit(low.Offset)
	k.sending = m
	return more || low.Offset > p.Committed.Offset || time.Since(k.stored) > keepOffsets
}

// parkCommitted goes on after a commit of both offsets. mu is held.
func (c *Consumer) parkCommitted(p *partition) {
	k := p.park
	k.stored = time.Now()
	if k.live() && !p.void {
		c.do(p, k.core.Committed(k.sending))
	}
}
