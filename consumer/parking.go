package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/consumer/internal/transact"
	"github.com/leatdev/leat/consumer/internal/yard"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/park"
)

// parking is what one assignment of a partition has to do with its park partition, where its topic
// parks events. The core decides; this does. All but fetcher is guarded by Consumer.mu.
type parking struct {
	policy    leat.Parking
	topic     string // the park topic
	core      *park.Core
	ready     bool                 // the core is live: the source may run
	hand      map[int64]*item      // source events that the core has not settled, by offset
	tries     map[int64]park.Tries // what parked heads have behind them in this process, by offset
	stories   map[int64]story      // of events that were given up, until their letters are sent
	read      int64                // offset after the last record that the reader gave us
	dues      yard.Dues            // what waits for its time
	loaded    int                  // parked events that are in memory to be run
	away      error                // why parking can't begin, or go on
	sending   park.Commit          // in the commit under way, or the last one
	source    lane.Mark            // where the source begins
	finished  lane.Finished        // of a member that transforms: what is finished above that
	stored    time.Time            // when the park offset was committed last
	over      bool                 // the claim has ended; a new one may be on its way
	postponed bool                 // the source's offset is being set by hand: the claim waits for it
	above     int64                // the claim has to be above this epoch
	fetcher   *yard.Fetcher
}

// newParking is nil where the topic's events are not parked.
func (c *Consumer) newParking(r *route.Route, name at) *parking {
	if r == nil || r.Parking == nil {
		return nil
	}
	topic := leat.ParkTopic(name.topic, c.cfg.Group)
	return &parking{
		policy: *r.Parking, topic: topic, hand: map[int64]*item{}, tries: map[int64]park.Tries{}, stories: map[int64]story{},
		fetcher: c.yard.Fetcher(topic, name.topic, name.partition),
	}
}

// config is the core's.
func (k *parking) config(atomic bool) park.Config {
	return park.Config{
		Atomic:  atomic,
		HoldKey: k.policy.OnDead == leat.HoldKey, MaxPerKey: k.policy.MaxPerKey, MaxKeys: k.policy.MaxKeys,
		BlockKey: k.policy.WhenFull == leat.BlockKey,
	}
}

// live says whether the core takes part in anything. mu is held.
func (k *parking) live() bool { return k != nil && k.ready && !k.core.Over() }

// full says whether the partition holds as much as it may. mu is held.
func (k *parking) full() bool { return k.live() && k.core.Full() }

// busy says whether something is under way that a partition waits for before it goes. mu is held.
func (k *parking) busy() bool { return k.live() && k.core.Unread() > 0 }

// offered gives an item that is out to the core before its first attempt, where the core has to do
// with its key, and says whether the attempt may go on. For all others it costs a look into two maps
// that are empty mostly. mu is held.
func (c *Consumer) offered(it *item) (run bool) {
	w := &it.Value
	k := w.part.park
	if k == nil || w.cleared || w.event != nil || !k.live() || !k.core.Knows(w.rec.Key, w.rec.Offset) {
		return true
	}
	return c.offer(it)
}

// offer gives an item that is out to the core. mu is held.
func (c *Consumer) offer(it *item) (run bool) {
	w := &it.Value
	k := w.part.park
	k.hand[w.rec.Offset] = it
	effects := k.core.Source(park.KeyOf(w.rec.Key, w.rec.Offset), w.rec.Offset)
	if len(effects) == 1 && effects[0].Do == park.Run && effects[0].Event.Offset == w.rec.Offset && !effects[0].Event.Parked {
		w.cleared = true
		return true
	}
	c.sched.Wait(it)
	if w.past != nil { // it may have been the one to find out
		c.unfreeze(w.part, w.past.Away)
	}
	c.do(w.part, effects)
	return false
}

// do does what the core asks for. mu is held.
func (c *Consumer) do(p *partition, effects []park.Effect) { c.doWith(p, effects, nil) }

// doWith is do for the effects of something by which m leaves: with the record that says so, or not at
// all. mu is held.
func (c *Consumer) doWith(p *partition, effects []park.Effect, m *transact.Made) {
	for i := range effects {
		if effects[i].Do == park.Append {
			c.append(p, &effects[i], m)
			m = nil
			continue
		}
		c.doOne(p, &effects[i])
	}
	k := p.park
	if k.ready && p.lanes.Closed() {
		c.noteDrained(p)
	} else if p.paused && p.stuck == nil && !p.blind && !p.halted && c.hasRoom(p) {
		c.setPaused(p, false)
	}
	c.crew.call(c)
}

func (c *Consumer) doOne(p *partition, e *park.Effect) {
	k, ev := p.park, e.Event
	switch e.Do {
	case park.Run:
		if ev.Parked {
			c.runParked(p, ev)
			return
		}
		if it := k.hand[ev.Offset]; it != nil {
			it.Value.cleared = true
			if p.lanes.Closed() {
				delete(k.hand, ev.Offset)
				c.release(it)
				return
			}
			c.sched.Delay(it, 0, false)
			signal(c.wake)
		}
	case park.Due:
		c.scheduleDue(p, ev)
	case park.Next:
		if it := k.hand[ev.Offset]; it != nil {
			c.sched.Pass(it)
		}
	case park.Settle:
		if it := k.hand[ev.Offset]; it != nil {
			delete(k.hand, ev.Offset)
			c.finish(it)
		}
	case park.Letter:
		c.yard.PostLetter(func() { c.writeLetter(parkedLetter{part: p, event: ev}) })
	case park.Begin:
		c.goBegin(p)
	case park.Stop:
		c.log.Warn("another member has marked the park partition", "topic", p.at.topic, "partition", p.at.partition, "epoch", e.Record.Epoch)
		c.abandonPark(p, e.Record.Epoch, nil)
	}
}

// resolve tells the core how an item ended that is out. It may be one that the core has not heard of:
// nothing was parked of its key when it began. mu is held.
func (c *Consumer) resolve(it *item, how park.Outcome) {
	w := &it.Value
	p, k := w.part, w.part.park
	if !k.live() {
		c.dropUndecided(it)
		return
	}
	ev := park.Event{Key: park.KeyOf(w.rec.Key, w.rec.Offset), Offset: w.rec.Offset, At: -1}
	switch {
	case w.event != nil:
		ev = w.event.Event
	case !w.cleared && !c.offer(it):
		return // the core has its own mind about it
	}
	if w.past != nil && w.past.First.IsZero() {
		w.past.First = time.Now()
		w.past.Last = w.past.First
	}
	past, reason := behind(w.past), ""
	if how == park.GiveUp {
		reason = string(w.past.Reason)
		k.stories[ev.Offset] = story{ev.Round, c.story(w)}
	}
	var leaves *transact.Made // of a source event it leaves when that is settled
	if w.event != nil {
		leaves = w.made
		delete(k.tries, ev.Offset)
		if how == park.Retry {
			k.tries[ev.Offset] = w.event.tries
		}
		c.finishParked(it)
	} else {
		c.sched.Wait(it)
	}
	c.doWith(p, k.core.Result(ev, how, past, reason), leaves)
}

// dropUndecided lets go of an item whose partition's claim is over: it comes again. mu is held.
func (c *Consumer) dropUndecided(it *item) {
	delete(it.Value.part.park.hand, it.Value.rec.Offset)
	c.release(it)
}

// behind is what the history of an event is in the park partition.
func behind(h *attempt.History) park.Past {
	if h == nil {
		return park.Past{}
	}
	past := park.Past{Attempts: int32(h.Attempts)}
	if !h.First.IsZero() {
		past.First, past.Last = h.First.UnixMilli(), h.Last.UnixMilli()
	}
	return past
}

// append hands a record to the writer, and what leaves with it. mu is held.
func (c *Consumer) append(p *partition, e *park.Effect, m *transact.Made) {
	out := outgoing{part: p, core: p.park.core, record: e.Record, at: e.Event.At, made: m}
	switch {
	case e.Record.Kind.Carries() && e.Event.At < 0:
		out.event = p.park.hand[e.Event.Offset].Value.rec
	case e.Record.Kind == park.Dead:
		if d := p.park.stories[e.Record.Offset].of(e.Record.Round); d != nil {
			out.story = d.Headers()
		}
	}
	c.yard.write(out)
}

// outgoing is a record on its way into the park partition.
type outgoing struct {
	part   *partition
	core   *park.Core
	record park.Record
	event  *kgo.Record // that it carries, where it comes from the source
	at     int64       // of the park record that carries the event, where event is nil
	story  []leat.Header
	made   *transact.Made // of a member that transforms: what leaves with it
}
