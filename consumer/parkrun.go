package consumer

import (
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/letter"
	"github.com/leatdev/leat/consumer/park"
)

// parkedEvent is the place of an item in the park partition.
type parkedEvent struct {
	park.Event
	tries park.Tries
}

// triesOf is what an event has behind it. mu is held.
func (k *parking) triesOf(ev park.Event) park.Tries {
	if t, known := k.tries[ev.Offset]; known && t.Round == ev.Round {
		return t
	}
	return park.NewTries(ev)
}

// scheduleDue notes when the first parked event of a key is to run. mu is held.
func (c *Consumer) scheduleDue(p *partition, ev park.Event) {
	k := p.park
	t := k.triesOf(ev)
	c.yard.at(p, t.Due(&k.policy, ev.Past, time.Now()), func() { c.do(p, k.core.Attempt(ev.Key, ev.Offset, ev.Round)) })
}

// runParked loads a parked event and puts it among those to be run. The core has only one of a key
// running, so it waits for no lane. mu is held.
func (c *Consumer) runParked(p *partition, ev park.Event) {
	p.park.loaded++
	c.yard.Post(func() { c.load(p, ev) })
}

func (c *Consumer) load(p *partition, ev park.Event) {
	event, err := p.park.fetcher.Event(p.ctx, ev.At)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if p.park.live() && p.ctx.Err() == nil {
			c.stopParking(p, err)
		}
		return
	}
	var r route.Record
	p.route.Sort(&r, event.Record, true)
	it := new(item)
	w := &it.Value
	c.assign(w, &r)
	w.part = p
	c.mu.Lock()
	defer c.mu.Unlock()
	w.event = &parkedEvent{ev, p.park.triesOf(ev)}
	if w.past == nil && ev.Past.Attempts > 0 {
		w.past = &attempt.History{Attempts: int(ev.Past.Attempts), First: time.UnixMilli(ev.Past.First), Last: time.UnixMilli(ev.Past.Last)}
	}
	if w.past != nil {
		w.past.Panics = w.event.tries.Panics
	}
	if !p.park.live() || p.lanes.Closed() {
		p.park.loaded--
		return
	}
	class := rejects
	if w.handler != nil {
		class = w.handler.Class
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
	if w.event != nil && w.event.tries.Tier >= 0 && (w.past == nil || w.past.Stage == attempt.Handling) {
		return leat.Retry{Attempts: 1}
	}
	if w.past != nil && w.past.Tier > 0 && w.past.Stage == attempt.Handling {
		return leat.Retry{Attempts: 1}
	}
	return w.handler.Retry
}

// parks says whether an event whose attempts are used up is to wait in the park partition, and notes
// the tier. It may change the reason.
func (c *Consumer) parks(w *work, v *attempt.Verdict, err error, now time.Time) bool {
	k := w.part.park
	if k == nil || w.past.Stage != attempt.Handling || v.Reason != letter.ReasonExhausted {
		return false
	}
	if w.event == nil {
		return len(k.policy.Tiers) > 0
	}
	t := w.event.tries
	asked, _ := leat.RetryDelay(err)
	again, expired := t.Again(&k.policy, w.past.First, now, asked, w.past.Panics)
	if expired {
		v.Reason = letter.ReasonExpired
	}
	if again {
		w.event.tries = t
	}
	return again
}
