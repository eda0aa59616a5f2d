package consumer

import (
	"cmp"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
)

// Limit bounds how many attempts of the handler begin in a second, in each member of the group. What
// waits for its turn holds no worker, and [Consumer.SetRate] changes the rate at run time.
func Limit(l leat.RateLimit) leat.HandlerOption {
	return func(h *leat.Handler) { h.Limit = &l }
}

// mayBegin says whether an item that is out may begin its attempt; if not, it waits at the gate of its
// class, and holds no worker. mu is held, and given up while the handler tells the class.
func (c *Consumer) mayBegin(it *item) bool {
	w := &it.Value
	h := w.handler
	if h == nil || h.limiter == nil || it.Let() || w.past != nil && w.past.Stage == attempt.Burying {
		return true
	}
	class := ""
	if of := h.limiter.Rate.Class; of != nil {
		c.mu.Unlock()
		class = classOf(of, leat.NewEnvelope(w.wire, &h.Kind, c.cfg.Codec, 1))
		c.mu.Lock()
	}
	now := time.Now().UnixNano()
	p := w.part
	if h.limiter.Admit(c.sched, it, class, now) {
		return true
	}
	c.noteDrained(p)
	signal(c.wake)
	return false
}

// classOf is the class of an event; one that can't be told is that of the others like it.
func classOf(of func(*leat.Envelope) string, e *leat.Envelope) (class string) {
	defer func() { _ = recover() }()
	return of(e)
}

// SetRate changes at run time how many attempts per second a handler may begin in this member, for
// each class of its events: that of the event type on the topic, or of all on the topic where typ is
// empty. 0 is what its Limit says, or no limit where it has none.
func (c *Consumer) SetRate(topic, typ string, perSecond float64) error {
	if perSecond != 0 {
		if err := (leat.RateLimit{PerSecond: perSecond}).Validate(); err != nil {
			return fmt.Errorf("set rate of %s: %w", cmp.Or(typ, topic), err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, found := c.routes[topic], false
	if r != nil {
		for name, h := range r.Handlers {
			if typ == "" || typ == name {
				found = true
				c.setRate(c.classes[h.Class], perSecond)
			}
		}
	}
	if !found {
		return fmt.Errorf("set rate: no handler of %s on topic %q in group %s", cmp.Or(typ, "any type"), topic, c.cfg.Group)
	}
	signal(c.wake)
	return nil
}

// setRate gives h the rate, and lets through what waits if there is none any more. mu is held.
func (c *Consumer) setRate(h *handler, perSecond float64) {
	c.shortenRuns()
	rate := leat.RateLimit{}
	if h.Limit != nil {
		rate = *h.Limit
	}
	if perSecond > 0 && perSecond != rate.PerSecond {
		rate.PerSecond, rate.Burst = perSecond, 0
	}
	old := h.limiter
	if rate.PerSecond == 0 {
		h.limiter = nil
		if old != nil {
			old.ReleaseAll(c.sched)
			c.crew.call(c)
		}
		return
	}
	if old == nil {
		h.limiter = attempt.NewLimiter[work](rate)
		return
	}
	old.SetRate(rate, time.Now().UnixNano())
}
