package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/consumer/lane"
)

const (
	// pollRecords is how many records one poll takes over from the client.
	pollRecords = 2000
	// patience is how long the poll loop waits for a full partition to make room before it asks whether
	// others would gain by pausing its fetching, which throws away what the client has fetched ahead.
	patience = 5 * time.Millisecond
	// endurance is how long it waits at most, whoever would gain.
	endurance = time.Second
)

// pollLoop takes records from the client and gives them to the lanes, until the consumer drains.
// Run waits for it.
func (c *Consumer) pollLoop() {
	defer close(c.pollDone)
	for {
		ctx, ok := c.nextPoll()
		if !ok {
			return
		}
		fetches := c.client.PollRecords(ctx, pollRecords)
		if fetches.IsClientClosed() {
			return
		}
		var full []*partition
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if f.Err != nil {
				c.pollError(f.Topic, f.Partition, f.Err)
			}
			if p := c.dispatch(f); p != nil {
				full = append(full, p)
			}
		})
		if len(full) > 0 {
			c.relieve(full)
		}
	}
}

// nextPoll runs what has to run between two polls and prepares the next.
func (c *Consumer) nextPoll() (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopPoll != nil {
		c.stopPoll()
	}
	for len(c.between) > 0 {
		fns := c.between
		c.between = nil
		c.mu.Unlock()
		for _, fn := range fns {
			fn()
		}
		c.mu.Lock()
	}
	if c.state != running {
		return nil, false
	}
	ctx, stop := context.WithCancel(c.ctx)
	c.stopPoll = stop
	return ctx, true
}

// betweenPolls runs fn when no fetch is between the client and the lanes, and waits until it has. It ends
// the poll under way, which loses nothing: a poll that is cut short has taken nothing out of the client.
//
// A new assignment begins this way. Otherwise: a poll takes records of a partition out of the client;
// the partition is revoked, its offsets committed, and assigned to us anew from there; the poll
// returns, and its old records look like those of the new assignment behind a gap; what lies in the
// gap is then taken for a repeat, and lost.
func (c *Consumer) betweenPolls(fn func()) {
	ran := make(chan struct{})
	c.mu.Lock()
	c.between = append(c.between, func() { fn(); close(ran) })
	if c.stopPoll != nil {
		c.stopPoll()
	}
	c.mu.Unlock()
	select {
	case <-ran:
	case <-c.pollDone: // draining: nothing is assigned to us any more
	}
}

// dispatch puts the records of one partition into its lanes, and returns the partition where it is
// full now. Records of a partition that is not ours any more are dropped, and so are repeats.
func (c *Consumer) dispatch(f kgo.FetchTopicPartition) *partition {
	name := at{f.Topic, f.Partition}
	c.mu.Lock()
	p := c.parts[name]
	if p == nil || p.blind || p.lanes.Closed() {
		c.stale += int64(len(f.Records))
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()

	items := make([]item, len(f.Records))
	verdicts := c.verdicts(len(f.Records))
	var record route.Record
	for i, r := range f.Records {
		if r.Attrs.IsControl() {
			verdicts[i].pass = true
			continue
		}
		s := &verdicts[i]
		fate := p.route.Take(&record, r, c.cfg.Strict)
		if s.pass = fate != route.Runs; s.pass {
			s.unhandled = fate == route.Unhandled
			continue
		}
		c.assign(&items[i].Value, &record)
		items[i].Value.part = p
		s.key, s.due = p.route.Key(&record, p.seed), record.Due
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if p.lanes.Closed() { // revoked meanwhile
		c.stale += int64(len(f.Records))
		return nil
	}
	p.Extend(f.HighWatermark, f.LastStableOffset)
	c.admit(p, f.Records, items, verdicts)
	c.measureMap(p)
	c.crew.call(c)
	if c.full(p) {
		return p
	}
	return nil
}

// verdicts is room for what dispatch finds out about n records, the same each time: only the poll loop
// dispatches.
func (c *Consumer) verdicts(n int) []sorting {
	c.sorted = slices.Grow(c.sorted[:0], n)[:n]
	clear(c.sorted)
	return c.sorted
}

// sorting is what dispatch has found out about a record.
type sorting struct {
	key       lane.Key
	pass      bool
	unhandled bool  // pass, because nobody takes its type
	due       int64 // when it may start, in Unix nanoseconds; 0: at once
}

// admit gives sorted records to tracker and lanes. mu is held.
func (c *Consumer) admit(p *partition, records []*kgo.Record, items []item, sorted []sorting) {
	for i, r := range records {
		if sorted[i].pass {
			if p.Tracker.Pass(r.Offset, r.LeaderEpoch) && sorted[i].unhandled {
				c.passed++
				c.metrics.passed.With(p.at.topic).Inc()
			}
			continue
		}
		if !p.Finished.Empty() && c.alreadyDone(p, r) {
			continue
		}
		w := &items[i].Value
		seq, fresh := p.Tracker.Add(r.Offset, r.LeaderEpoch)
		if !fresh {
			c.stale++
			continue
		}
		w.seq = seq
		p.Tracker.Stamp(seq, r.Timestamp.UnixMilli())
		class := rejects
		if w.handler != nil {
			class = w.handler.Class
		}
		if sorted[i].due > 0 {
			c.sched.AddAt(p.lanes, &items[i], class, sizeOf(r), sorted[i].due)
			signal(c.wake)
			continue
		}
		c.sched.Add(p.lanes, &items[i], class, sorted[i].key, sizeOf(r))
	}
}

// sizeOf is about what a record holds in memory.
func sizeOf(r *kgo.Record) int {
	const overhead = 400 // the record, its headers and its item
	return len(r.Key) + len(r.Value) + overhead
}

// relieve waits for full partitions to make room, and pauses the fetching of those that don't, once that
// helps others: what the client has fetched ahead of a paused partition it has to fetch again. What was
// fetched is kept.
func (c *Consumer) relieve(full []*partition) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for waited := patience; ; waited += patience {
		if !c.awaitRoom(full, timer) {
			return
		}
		if !c.saturated(waited) {
			break
		}
		timer.Reset(patience)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range full {
		if !p.lanes.Closed() && c.full(p) {
			c.setPaused(p, true)
		}
	}
}

// awaitRoom waits until the timer fires, and says whether there still is something to wait for then.
func (c *Consumer) awaitRoom(full []*partition, timer *time.Timer) bool {
	for {
		select {
		case <-c.room:
			if !c.stillFull(full) {
				return false
			}
		case <-timer.C:
			return c.stillFull(full)
		case <-c.ctx.Done():
			return false
		}
	}
}

func (c *Consumer) stillFull(full []*partition) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(full, func(p *partition) bool { return !p.lanes.Closed() && c.full(p) })
}

// saturated says whether records of other partitions could not start any sooner if they were fetched
// now: every handler has as many events as it may have in flight, or more that are ready to start; or a
// whole transaction waits to be sent.
func (c *Consumer) saturated(waited time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != running || len(c.between) > 0 {
		return false
	}
	if c.txn.laden() {
		return true
	}
	return waited < endurance && !c.starving()
}

// starving says whether a handler may start more than there is for it. mu is held.
func (c *Consumer) starving() bool {
	return slices.ContainsFunc(c.handlers, func(h *handler) bool { return c.sched.Starves(h.Class) })
}

// pollError looks at an error that came instead of records.
func (c *Consumer) pollError(topic string, id int32, err error) {
	var dataLoss *kgo.ErrDataLoss
	var tooLarge *kgo.ErrDecompressTooLarge
	switch {
	case errors.Is(err, context.Canceled):
		// our own: the poll was cut short
	case errors.As(err, &dataLoss):
		c.restart(at{topic, id}, dataLoss)
	case errors.Is(err, kerr.OffsetOutOfRange):
		c.stick(at{topic, id}, fmt.Errorf("%w: the records from the group's offset on are gone (retention, or a topic made anew) or were never there; nobody knows what was missed. Stop the group, set its offset by hand (kafka-consumer-groups --reset-offsets), start again", err))
	case errors.As(err, &tooLarge):
		c.stick(at{topic, id}, fmt.Errorf("%w: set leat.max.decompressed.batch.bytes (128 MiB unless set) higher if the batch at offset %d is honest, or stop the group and set its offset to %d, behind the batch", err, tooLarge.Offset, tooLarge.NextOffset))
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		c.setMissing(topic, "it does not exist, or was made anew: "+err.Error())
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		c.setMissing(topic, "reading it is not allowed: give the user READ on the topic")
	default:
		if group, ok := errors.AsType[*kgo.ErrGroupSession](err); ok {
			c.setGroupError(group)
			return
		}
		c.log.Warn("fetch records", "topic", topic, "partition", id, "err", err)
	}
}

// stick records that nothing more can be fetched of a partition, and stops asking for it: the client
// would go on at once, without end.
func (c *Consumer) stick(name at, err error) {
	c.mu.Lock()
	p := c.parts[name]
	known := p == nil || p.lanes.Closed() || p.stuck != nil
	if !known {
		p.stuck = err
		c.setPaused(p, true)
	}
	c.mu.Unlock()
	if !known {
		c.log.Error("partition stopped", "topic", name.topic, "partition", name.partition, "err", err)
	}
}

// restart begins a partition anew where the client stands after the log was cut off behind us by an
// unclean election: offsets from there on are used again for other records.
func (c *Consumer) restart(name at, loss *kgo.ErrDataLoss) {
	c.log.Error("records were lost by the cluster", "topic", name.topic, "partition", name.partition, "offset", loss.ResetTo, "consumed_to", loss.ConsumedTo, "err", loss)
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.parts[name]; old != nil && !old.lanes.Closed() {
		c.dismissPart(old, ErrLost)
		c.adopt(name, old.member)
	}
}
