package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

// parking is what one assignment of a partition has to do with its park partition, where its topic
// parks events. The core decides; this does. All but fetcher is guarded by Consumer.mu.
type parking struct {
	policy    leat.Parking
	topic     string // the park topic
	core      *park.Core
	ready     bool            // the core is live: the source may run
	hand      map[int64]*item // source events that the core has not settled, by offset
	tries     map[int64]tries // what parked heads have behind them in this process, by offset
	stories   map[int64]story // of events that were given up, until their letters are sent
	read      int64           // offset after the last record that the reader gave us
	dues      dues            // what waits for its time
	loaded    int             // parked events that are in memory to be run
	away      error           // why parking can't begin, or go on
	sending   park.Commit     // in the commit under way, or the last one
	source    lane.Mark       // where the source begins
	stored    time.Time       // when the park offset was committed last
	over      bool            // the claim has ended; a new one may be on its way
	postponed bool            // the source's offset is being set by hand: the claim waits for it
	above     int64           // the claim has to be above this epoch
	fetcher   *fetcher
}

// newParking is nil where the topic's events are not parked.
func (c *Consumer) newParking(r *route, name at) *parking {
	if r == nil || r.parking == nil {
		return nil
	}
	topic := leat.ParkTopic(name.topic, c.cfg.Group)
	return &parking{
		policy: *r.parking, topic: topic, hand: map[int64]*item{}, tries: map[int64]tries{}, stories: map[int64]story{},
		fetcher: &fetcher{log: kafka.NewFetcher(c.yard.single, topic, name.partition)},
	}
}

// config is the core's.
func (k *parking) config() park.Config {
	return park.Config{
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
	c.do(w.part, effects)
	return false
}

// do does what the core asks for. mu is held.
func (c *Consumer) do(p *partition, effects []park.Effect) {
	for i := range effects {
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
	case park.Append:
		c.append(p, e)
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
		c.yard.postLetter(func() { c.writeLetter(parkedLetter{part: p, event: ev}) })
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
	if w.past != nil && w.past.first.IsZero() {
		w.past.first = time.Now()
		w.past.last = w.past.first
	}
	past, reason := w.past.behind(), ""
	if how == park.GiveUp {
		reason = string(w.past.reason)
		k.stories[ev.Offset] = story{ev.Round, c.letters.story(w, c.cfg.Version)}
	}
	if w.event != nil {
		delete(k.tries, ev.Offset)
		if how == park.Retry {
			k.tries[ev.Offset] = w.event.tries
		}
		c.finishParked(it)
	} else {
		c.sched.Wait(it)
	}
	c.do(p, k.core.Result(ev, how, past, reason))
}

// dropUndecided lets go of an item whose partition's claim is over: it comes again. mu is held.
func (c *Consumer) dropUndecided(it *item) {
	delete(it.Value.part.park.hand, it.Value.rec.Offset)
	c.release(it)
}

// behind is what the history of an event is in the park partition.
func (h *history) behind() park.Past {
	if h == nil {
		return park.Past{}
	}
	past := park.Past{Attempts: int32(h.attempts)}
	if !h.first.IsZero() {
		past.First, past.Last = h.first.UnixMilli(), h.last.UnixMilli()
	}
	return past
}

// append hands a record to the writer. mu is held.
func (c *Consumer) append(p *partition, e *park.Effect) {
	out := outgoing{part: p, core: p.park.core, record: e.Record, at: e.Event.At}
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
}
