package consumer

import (
	"context"
	"time"
)

// keep wakes delayed lanes when they are due, keeps the clock going, and looks for attempts that ignore the end of their
// context. Run waits for it.
func (c *Consumer) keep(ctx context.Context) {
	watch := time.NewTicker(tick)
	defer watch.Stop()
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for {
		c.mu.Lock()
		due, some := c.sched.Wake(time.Now().UnixNano())
		c.crew.call(c)
		c.mu.Unlock()
		if some {
			timer.Reset(time.Until(time.Unix(0, due)))
		} else {
			timer.Stop()
		}
		select {
		case <-timer.C:
		case <-c.wake:
		case <-watch.C:
			now := time.Now()
			c.clock.set(now)
			c.watch(now)
		case <-ctx.Done():
			return
		}
	}
}

// watch tells of attempts that should have ended HungAfter ago.
func (c *Consumer) watch(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.crew.all {
		if w.item == nil || w.told || !c.hung(w, now) {
			continue
		}
		w.told = true
		at := w.item.Value.part.at
		c.log.Error("a handler ignores the end of its context: its lane and its worker are stuck until it returns",
			"topic", at.topic, "partition", at.partition, "event_type", w.item.Value.handler.Kind.Type, "duration", c.clock.since(w.since, now))
	}
}

// hung says whether a worker's attempt is long past its time. mu is held.
func (c *Consumer) hung(w *worker, now time.Time) bool {
	h := w.item.Value.handler
	return h != nil && h.timeout > 0 && c.clock.since(w.since, now) > h.timeout+c.cfg.HungAfter
}
