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
		now := time.Now().UnixNano()
		due, some := c.wakeHandlers(now)
		if next, any := c.sched.Wake(now); any && (!some || next < due) {
			due, some = next, true
		}
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

// wakeHandlers lets breakers and rate limits look at the time, and returns when the first of them wants
// to again. mu is held.
func (c *Consumer) wakeHandlers(now int64) (due int64, some bool) {
	earlier := func(next int64, any bool) {
		if any && (!some || next < due) {
			due, some = next, true
		}
	}
	for _, h := range c.handlers {
		if h.breaker != nil {
			earlier(c.wakeBreaker(h, now))
		}
		if h.limiter != nil {
			earlier(c.letThrough(h.limiter, now))
		}
	}
	return due, some
}
