package consumer

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/consumer/internal/transact"
	"github.com/leatdev/leat/consumer/lane"
)

// work is one record on its way. Who has its item may read and write it.
type work struct {
	rec     *kgo.Record
	wire    leat.Wire
	handler *handler // nil: to be rejected
	part    *partition
	seq     uint64           // in the partition's tracker
	past    *attempt.History // nil: nothing went wrong

	made *transact.Made // what leaves with it in a transaction; nil: nothing

	event   *parkedEvent // nil: it comes from the source
	cleared bool         // the core of its park partition has let it run
}

type item = lane.Item[work]

// partition is one assignment of a partition to this member. When the partition goes away and comes
// back, that is another partition: whatever still holds this one finds it void.
type partition struct {
	at     at
	epoch  int64
	member string // our id in the group when it was given to us
	route  *route.Route
	seed   maphash.Seed

	ctx    context.Context // of its attempts
	cancel context.CancelCauseFunc

	park *parking // nil: its topic's events are not parked

	// The rest is guarded by Consumer.mu.
	lane.Progress
	lanes   *lane.Part[work]
	drained chan struct{} // closed when it is closed and nothing is in hand
	cut     int64         // when its context ended, by the clock; 0: not yet
	void    bool          // taken away: nothing that finishes counts
	blind   bool          // the place to read from is not known yet: what comes is dropped
	reached int           // outcomes that wait for a transaction
	leaves  bool          // some are in the one that is being made
	paused  bool          // its fetching is
	halted  bool          // the control topic lets nothing of it start
	sought  bool          // blind since a seek, which has not ended
	leaving bool          // the group has taken it away: nobody may begin anew with it
	tight   bool          // the offset map may be full
	handled int64
	buried  int64

	away      error // what the infrastructure answered while the lanes are frozen
	awaySince time.Time
	unburied  error // why a dead letter can't be written
	stuck     error // why nothing can be fetched any more
}

// adopt makes the state of a newly assigned partition. mu is held.
func (c *Consumer) adopt(name at, member string) *partition {
	if old := c.parts[name]; old != nil {
		c.dismissPart(old, ErrLost)
	}
	c.epoch++
	p := &partition{
		at: name, epoch: c.epoch, member: member, route: c.routeOf(name.topic), seed: maphash.MakeSeed(),
		lanes: c.sched.NewPart(), drained: make(chan struct{}), Progress: lane.NewProgress(),
	}
	p.ctx, p.cancel = context.WithCancelCause(c.ctx)
	c.parts[name] = p
	if p.park = c.newParking(p.route, name); p.park != nil {
		c.setPaused(p, true)
		p.blind = true
		c.wg.Go(func() { c.claim(p) })
	}
	c.heedOn(p)
	return p
}

// closePart lets nothing of p start any more. mu is held.
func (c *Consumer) closePart(p *partition) {
	if p.lanes.Closed() {
		return
	}
	c.sched.Close(p.lanes)
	c.shortenRuns()
	c.setPaused(p, false) // the client would remember it for the next time
	c.noteDrained(p)
}

func (c *Consumer) noteDrained(p *partition) {
	if p.lanes.Closed() && p.lanes.InHand() == 0 && !p.park.busy() {
		select {
		case <-p.drained:
		default:
			close(p.drained)
		}
	}
}

// dismissPart makes p void: nothing that finishes later counts. mu is held.
func (c *Consumer) dismissPart(p *partition, cause error) {
	c.closePart(p)
	p.void = true
	c.cutPart(p, cause)
	if _, ok := c.sending[p]; ok {
		c.recall(errLostMeanwhile)
	}
	c.leavePark(p)
	if c.parts[p.at] == p {
		delete(c.parts, p.at)
	}
}

// cutPart ends the contexts of what is in hand. mu is held.
func (c *Consumer) cutPart(p *partition, cause error) {
	if p.cut == 0 {
		p.cut = c.clock.Read()
		p.cancel(cause)
	}
}

func (c *Consumer) voidAll() {
	for _, p := range c.parts {
		c.dismissPart(p, ErrStopped)
	}
}

// finish ends an item whose record is dealt with. mu is held.
func (c *Consumer) finish(it *item) {
	p := it.Value.part
	if p.void {
		c.stale++
		c.release(it)
		return
	}
	c.endPlace(&it.Value)
	p.handled++
	c.sched.Done(it)
	forget(it)
	c.settled(p)
}

// forget drops the record of an item that has ended: the items of a batch lie in one piece, which
// lives as long as the slowest of them.
func forget(it *item) { it.Value = work{part: it.Value.part} }

// release lets go of an item whose record is for somebody else to deal with. mu is held.
func (c *Consumer) release(it *item) {
	p := it.Value.part
	if k := p.park; k != nil {
		if it.Value.event != nil {
			c.unload(p)
		} else if k.hand[it.Value.rec.Offset] == it {
			delete(k.hand, it.Value.rec.Offset)
		}
	}
	c.sched.Release(it)
	forget(it)
	c.noteDrained(p)
}

// settled looks at what may go on after an item of p has ended. mu is held.
func (c *Consumer) settled(p *partition) {
	c.noteDrained(p)
	if p.paused && p.stuck == nil && !p.halted && !p.blind && c.hasRoom(p) {
		c.setPaused(p, false)
	}
	if p.lanes.Items() == c.cfg.MaxQueued/2 || p.lanes.Items() == 0 {
		signal(c.room)
	}
}

// full says whether p must not take in more. mu is held.
func (c *Consumer) full(p *partition) bool {
	return p.lanes.Items() >= c.maxQueued() || p.lanes.Bytes() >= c.bytesEach() || p.Tracker.Span() >= c.maxSpan(p) || c.mapFull(p) || p.park.full()
}

// hasRoom says whether a paused p should be fetched again: far below its bounds, for a pause throws
// away what the client has fetched ahead.
func (c *Consumer) hasRoom(p *partition) bool {
	return p.lanes.Items() <= c.cfg.MaxQueued/4 && p.lanes.Bytes() <= c.bytesEach()/4 && p.Tracker.Span() <= c.maxSpan(p)/2 && !c.mapFull(p) && !p.park.full()
}

// overdraft is how many times MaxQueued a partition may keep while handlers have nothing to do.
const overdraft = 4

// maxQueued is the bound on a partition's records in memory. Where handlers starve, as batches do that take
// one event of a key, what they lack may lie behind a full partition, in the same fetch: to pause that one
// would throw away the rest of it, to wait would gain nothing. What waits for a transaction is no lack.
func (c *Consumer) maxQueued() int {
	if !c.txn.laden() && c.starving() {
		return overdraft * c.cfg.MaxQueued
	}
	return c.cfg.MaxQueued
}

// spanOfParking is how many times MaxSpan a partition may run ahead of what it parks.
const spanOfParking = 4

// maxSpan is the bound on p's span. An event is not settled before its record of the park partition is
// read back. That takes milliseconds, in which quick events come far; to wait for it would stop them all.
func (c *Consumer) maxSpan(p *partition) int {
	if p.park.busy() {
		return spanOfParking * c.cfg.MaxSpan
	}
	return c.cfg.MaxSpan
}

// bytesEach is a partition's share of the memory.
func (c *Consumer) bytesEach() int {
	return max(minBytes, min(c.cfg.MaxQueuedBytes, c.cfg.MaxBytes/max(1, len(c.parts))))
}

// setPaused pauses or resumes the fetching of p. Both only write to the client's memory, and are
// called under mu so that their order is that of the decisions.
func (c *Consumer) setPaused(p *partition, paused bool) {
	if p.paused == paused {
		return
	}
	p.paused = paused
	one := map[string][]int32{p.at.topic: {p.at.partition}}
	if paused {
		c.paused++
		c.client.PauseFetchPartitions(one)
	} else {
		c.paused--
		c.client.ResumeFetchPartitions(one)
	}
}

// signal puts a value into a channel of one, where there is none.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
