package consumer

import (
	"cmp"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/lane"
)

// Limit bounds how many attempts of the handler begin in a second, in each member of the group. What
// waits for its turn holds no worker, and [Consumer.SetRate] changes the rate at run time.
func Limit(l leat.RateLimit) leat.HandlerOption {
	return func(h *leat.Handler) { h.Limit = &l }
}

// limiter is the token buckets of one handler, one per class of events. Consumer.mu guards it.
type limiter struct {
	rate    leat.RateLimit
	buckets map[string]*bucket
	crowded int // buckets at which the idle ones are dropped
}

// bucket is one class's tokens, and the events that wait for one.
type bucket struct {
	tokens float64
	at     int64 // when they were counted, in nanoseconds
	gate   lane.Gate[work]
}

// crowd is how many classes a limiter keeps before it looks for idle ones.
const crowd = 1000

func newLimiter(rate leat.RateLimit) *limiter {
	return &limiter{rate: rate.WithDefaults(), buckets: map[string]*bucket{}, crowded: crowd}
}

// fill adds what has come since.
func (l *limiter) fill(b *bucket, now int64) {
	b.tokens = min(float64(l.rate.Burst), b.tokens+l.rate.PerSecond*max(0, float64(now-b.at))/1e9)
	b.at = now
}

// take takes a token, where there is one and nobody waits for it.
func (l *limiter) take(b *bucket, now int64) bool {
	if b.gate.Holds() > 0 {
		return false
	}
	if l.fill(b, now); b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// next is when it pays to look at a bucket again for which events wait: when there is a token, or
// several, for small waits cost more than they are worth.
func (l *limiter) next(b *bucket) int64 {
	const pause = 5e6 // nanoseconds
	want := max(1, min(float64(l.rate.Burst)/2, l.rate.PerSecond*pause/1e9))
	return b.at + int64((want-b.tokens)/l.rate.PerSecond*1e9) + 1
}

func (l *limiter) bucket(class string, now int64) *bucket {
	b := l.buckets[class]
	if b != nil {
		return b
	}
	if len(l.buckets) >= l.crowded {
		for name, b := range l.buckets {
			if l.fill(b, now); b.gate.Holds() == 0 && b.tokens >= float64(l.rate.Burst) {
				delete(l.buckets, name) // like a new one
			}
		}
		l.crowded = max(crowd, 2*len(l.buckets))
	}
	b = &bucket{tokens: float64(l.rate.Burst), at: now}
	l.buckets[class] = b
	return b
}

// mayBegin says whether an item that is out may begin its attempt; if not, it waits at the gate of its
// class, and holds no worker. mu is held, and given up while the handler tells the class.
func (c *Consumer) mayBegin(it *item) bool {
	w := &it.Value
	h := w.handler
	if h == nil || h.limiter == nil || it.Let() || w.past != nil && w.past.stage == burying {
		return true
	}
	class := ""
	if of := h.limiter.rate.Class; of != nil {
		c.mu.Unlock()
		class = classOf(of, leat.NewEnvelope(w.wire, &h.Kind, c.cfg.Codec, 1))
		c.mu.Lock()
	}
	now := time.Now().UnixNano()
	l := h.limiter
	b := l.bucket(class, now)
	if l.take(b, now) {
		return true
	}
	p := w.part
	c.sched.Hold(&b.gate, it)
	c.noteDrained(p)
	signal(c.wake)
	return false
}

// classOf is the class of an event; one that can't be told is that of the others like it.
func classOf(of func(*leat.Envelope) string, e *leat.Envelope) (class string) {
	defer func() { _ = recover() }()
	return of(e)
}

// letThrough opens the gates for which tokens have come, and returns when to look again. mu is held.
func (c *Consumer) letThrough(l *limiter, now int64) (next int64, any bool) {
	for _, b := range l.buckets {
		if b.gate.Holds() == 0 {
			continue
		}
		l.fill(b, now)
		b.tokens -= float64(c.sched.Open(&b.gate, int(b.tokens)))
		if b.gate.Holds() == 0 {
			continue
		}
		if due := l.next(b); !any || due < next {
			next, any = due, true
		}
	}
	return next, any
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
		for name, h := range r.handlers {
			if typ == "" || typ == name {
				found = true
				c.setRate(h, perSecond)
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
			for _, b := range old.buckets {
				c.sched.Open(&b.gate, b.gate.Holds())
			}
			c.crew.call(c)
		}
		return
	}
	if old == nil {
		h.limiter = newLimiter(rate)
		return
	}
	now := time.Now().UnixNano()
	for _, b := range old.buckets {
		old.fill(b, now)
	}
	old.rate = rate.WithDefaults()
}
