package consumer

import (
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/park"
)

// tries is what a parked event has behind it in this process. A restart begins its tiers anew: what it
// remembers is in park.Past.
type tries struct {
	round  int32
	failed int           // attempts from the park partition
	tier   int           // that the last of them was made after; -1: none, it is the event's first turn
	next   time.Duration // that its handler asked for, or 0
	panics int           // in a row
	first  time.Time     // the first failure in this round
}

// parkedEvent is the place of an item in the park partition.
type parkedEvent struct {
	park.Event
	tries
}

// triesOf is what an event has behind it. mu is held.
func (k *parking) triesOf(ev park.Event) tries {
	if t, known := k.tries[ev.Offset]; known && t.round == ev.Round {
		return t
	}
	t := tries{round: ev.Round, tier: -1}
	if ev.Round == 0 && ev.Past.Attempts > 0 { // its turns at the source are over
		t.tier, t.first = 0, time.UnixMilli(ev.Past.First)
	}
	return t
}

// scheduleDue notes when the first parked event of a key is to run. mu is held.
func (c *Consumer) scheduleDue(p *partition, ev park.Event) {
	k := p.park
	now, t := time.Now(), k.triesOf(ev)
	when := now
	switch {
	case t.next > 0:
		when = now.Add(t.next)
	case t.tier >= 0 && len(k.policy.Tiers) > 0:
		last := now
		if t.failed == 0 {
			last = time.UnixMilli(ev.Past.Last)
		}
		when = last.Add(k.policy.Tiers[min(t.tier, len(k.policy.Tiers)-1)])
	}
	c.yard.at(p, when, func() { c.do(p, k.core.Attempt(ev.Key, ev.Offset, ev.Round)) })
}

// runParked loads a parked event and puts it among those to be run. The core has only one of a key
// running, so it waits for no lane. mu is held.
func (c *Consumer) runParked(p *partition, ev park.Event) {
	p.park.loaded++
	c.yard.post(func() { c.load(p, ev) })
}

func (c *Consumer) load(p *partition, ev park.Event) {
	event, err := p.park.fetcher.event(p.ctx, p.at, ev.At)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if p.park.live() && p.ctx.Err() == nil {
			c.stopParking(p, err)
		}
		return
	}
	it := new(item)
	p.route.sort(&it.Value, event.Record, true)
	w := &it.Value
	w.part = p
	c.mu.Lock()
	defer c.mu.Unlock()
	w.event = &parkedEvent{ev, p.park.triesOf(ev)}
	if w.past == nil && ev.Past.Attempts > 0 {
		w.past = &history{attempts: int(ev.Past.Attempts), first: time.UnixMilli(ev.Past.First), last: time.UnixMilli(ev.Past.Last)}
	}
	if w.past != nil {
		w.past.panics = w.event.panics
	}
	if !p.park.live() || p.lanes.Closed() {
		p.park.loaded--
		return
	}
	class := rejects
	if w.handler != nil {
		class = w.handler.class
	}
	c.sched.Add(p.lanes, it, class, lane.Loose, sizeOf(w.rec))
	c.crew.call(c)
}

// finishParked ends an item out of the park partition, which the core decides about. mu is held.
func (c *Consumer) finishParked(it *item) {
	p := it.Value.part
	p.handled++
	c.sched.Done(it)
	forget(it)
	c.unload(p)
	c.settled(p)
}

// unload lets the next one be loaded. mu is held.
func (c *Consumer) unload(p *partition) {
	p.park.loaded--
	signal(c.yard.timer)
}

// retryOf is how often an event is tried in its lane: from a tier, once.
func (w *work) retryOf() leat.Retry {
	if w.event != nil && w.event.tier >= 0 && (w.past == nil || w.past.stage == handling) {
		return leat.Retry{Attempts: 1}
	}
	return w.handler.Retry
}

// parks says whether an event whose attempts are used up is to wait in the park partition, and notes
// the tier. It may change the reason.
func (c *Consumer) parks(w *work, v *verdict, err error, now time.Time) bool {
	k := w.part.park
	if k == nil || w.past.stage != handling || v.reason != ReasonExhausted {
		return false
	}
	if w.event == nil {
		return len(k.policy.Tiers) > 0
	}
	t := w.event.tries
	if t.first.IsZero() {
		t.first = w.past.first
		if w.event.Round > 0 {
			t.first = now
		}
	}
	if k.policy.MaxAge > 0 && now.Sub(t.first) >= k.policy.MaxAge {
		v.reason = ReasonExpired
		return false
	}
	t.failed, t.panics = t.failed+1, w.past.panics
	t.tier++
	t.next, _ = leat.RetryDelay(err)
	if t.tier >= len(k.policy.Tiers) && (k.policy.MaxAge == 0 || len(k.policy.Tiers) == 0) {
		return false
	}
	w.event.tries = t
	return true
}
