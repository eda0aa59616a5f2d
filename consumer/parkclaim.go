package consumer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
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
	ctx, cancel := context.WithTimeout(p.ctx, askTimeout)
	defer cancel()
	start, mark, err := c.parkStart(kadm.WithAuthorizedOps(ctx), p) // which is not answered out of the client's memory: the topic may be new
	if err != nil {
		return err
	}
	core := park.New(p.park.config(), start)
	err = c.commitMarks(ctx, func() map[*partition]place {
		p.park.sending = core.Claim()
		return map[*partition]place{p: {Mark: mark}}
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
	c.yard.order(readOrder{p, start.Park})
	c.do(p, core.Open())
	return nil
}

// parkStart is where the group stands in both partitions.
func (c *Consumer) parkStart(ctx context.Context, p *partition) (start park.Start, mark lane.Mark, err error) {
	adm := kadm.NewClient(c.client)
	if err := c.learnLimit(ctx, adm, p.park.topic); err != nil {
		return start, mark, err
	}
	offsets, err := adm.FetchOffsetsForTopics(ctx, c.cfg.Group, p.at.topic, p.park.topic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return start, mark, fmt.Errorf("fetch offsets: %w", err)
	}
	first, err := adm.ListStartOffsets(ctx, p.at.topic, p.park.topic)
	if err != nil {
		return start, mark, fmt.Errorf("list the starts of topics: %w", err)
	}
	end, err := adm.ListEndOffsets(ctx, p.park.topic)
	if err != nil {
		return start, mark, fmt.Errorf("list the end of the park topic: %w", err)
	}
	source, sok := first.Lookup(p.at.topic, p.at.partition)
	from, fok := first.Lookup(p.park.topic, p.at.partition)
	to, tok := end.Lookup(p.park.topic, p.at.partition)
	if err := errors.Join(source.Err, from.Err, to.Err); err != nil || !sok || !fok || !tok {
		signal(c.lookup)
		return start, mark, fmt.Errorf("look for partition %d of %s: it is not there yet, or not to be seen: %w", p.at.partition, p.park.topic, errors.Join(err, kerr.UnknownTopicOrPartition))
	}
	mark = lane.Mark{Offset: source.Offset, Epoch: -1}
	if o, ok := offsets.Lookup(p.at.topic, p.at.partition); ok && o.At >= 0 {
		mark = lane.Mark{Offset: o.At, Epoch: o.LeaderEpoch}
	}
	start = park.Start{Park: from.Offset, Source: mark.Offset}
	meta, err := c.parkMeta(p, offsets, &start, from.Offset, to.Offset)
	if err != nil {
		return start, mark, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	start.Epoch = max(meta.Claimed, p.park.above) + 1
	return start, mark, nil
}

// parkMeta reads the committed park offset into start, where it can be used.
func (c *Consumer) parkMeta(p *partition, offsets kadm.OffsetResponses, start *park.Start, first, end int64) (park.Meta, error) {
	o, ok := offsets.Lookup(p.park.topic, p.at.partition)
	if !ok || o.At < 0 {
		return park.Meta{}, nil
	}
	meta, err := park.ParseMeta(o.Metadata)
	switch {
	case errors.Is(err, park.ErrForeign):
		c.log.Warn("the group's offset of the park partition is not ours: it is read from its start", "topic", p.park.topic, "partition", p.at.partition, "err", err)
	case err != nil:
		return meta, err
	case o.At < first || o.At > end:
		c.log.Error("the park partition does not reach the group's offset: it is read from its start", "topic", p.park.topic, "partition", p.at.partition, "offset", o.At)
		return park.Meta{Claimed: meta.Claimed}, nil
	default:
		start.Park, start.AtLow = o.At, meta.AtLow
	}
	return meta, nil
}

// learnLimit finds how large the park topic's batches may be, once.
func (c *Consumer) learnLimit(ctx context.Context, adm *kadm.Client, topic string) error {
	if _, known := c.yard.limits.Load(topic); known {
		return nil
	}
	all, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return fmt.Errorf("describe %s: %w", topic, err)
	}
	for _, rc := range all {
		if errors.Is(rc.Err, kerr.UnknownTopicOrPartition) {
			signal(c.lookup)
			return fmt.Errorf("look for %s: %w", topic, rc.Err)
		}
		for _, s := range rc.Configs {
			if n, err := strconv.Atoi(s.MaybeValue()); s.Key == "max.message.bytes" && err == nil {
				c.yard.limits.Store(topic, int32(min(n, largestLetter)))
			}
		}
	}
	return nil
}

// goBegin raises the fences and lets the source run. mu is held.
func (c *Consumer) goBegin(p *partition) {
	f := leat.Fence{Group: c.cfg.Group, Topic: p.at.topic, Partition: p.at.partition, Epoch: p.park.sending.Meta.Claimed}
	c.wg.Go(func() {
		c.persist(p, "raise the fence", func() error { return c.raise(p, f) })
	})
}

func (c *Consumer) raise(p *partition, f leat.Fence) error {
	for _, h := range p.route.handlers {
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
		p.committed, p.tracker, p.blind = k.source, lane.NewTracker(k.source), false
		k.ready, k.away, k.stored = true, nil, time.Now()
		p.finished, p.metadata = lane.Finished{}, ""
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
	c.yard.order(readOrder{p, -1})
	c.wg.Go(func() { c.anew(p, err) })
}

// anew begins with a partition again when nothing of it is in hand any more.
func (c *Consumer) anew(p *partition, err error) {
	if !allDrained([]*partition{p}, c.cfg.DrainTimeout) {
		p.cancel(ErrLost)
		allDrained([]*partition{p}, cancelGrace)
	}
	if err != nil {
		rest(c.ctx, claimPause) // what failed may need a moment
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
	k.dues = nil
	if k.core != nil {
		k.core.Close()
		c.yard.order(readOrder{p, -1})
	}
}

// openYard makes the park topics' clients, where a topic's events are parked.
func (c *Consumer) openYard() error {
	for _, r := range c.routes {
		if r.parking != nil {
			c.yard = newYard(c)
			return c.yard.open()
		}
	}
	return nil
}

// keepOffsets is how often the park offset is committed though nothing has moved: the coordinator
// forgets offsets of topics that the group is not subscribed to.
const keepOffsets = time.Hour

// parkCommit is what to commit of a parked partition whose source is settled below low, where there is
// anything. mu is held.
func (c *Consumer) parkCommit(p *partition, low lane.Mark) bool {
	k := p.park
	if !k.live() || !p.tracker.Begun() {
		return false
	}
	m, more := k.core.Commit(low.Offset)
	k.sending = m
	return more || low.Offset > p.committed.Offset || time.Since(k.stored) > keepOffsets
}

// withParkOffsets adds the park partitions' offsets and their metadata to those of their sources.
func withParkOffsets(marks map[*partition]place, offsets map[string]map[int32]kgo.EpochOffset, texts map[at]*string) (parked bool) {
	for p := range marks {
		if !p.park.claimed() {
			continue
		}
		parked = true
		if offsets[p.park.topic] == nil {
			offsets[p.park.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.park.topic][p.at.partition] = kgo.EpochOffset{Epoch: -1, Offset: p.park.sending.Park}
		meta := p.park.sending.Meta.String()
		texts[at{p.park.topic, p.at.partition}] = &meta
	}
	return parked
}

// parkCommitted goes on after a commit of both offsets. mu is held.
func (c *Consumer) parkCommitted(p *partition) {
	k := p.park
	k.stored = time.Now()
	if k.live() && !p.void {
		c.do(p, k.core.Committed(k.sending))
	}
}
