package consumer

import (
	"context"
	"time"

	"github.com/leatdev/leat/consumer/internal/attempt"
)

// keep wakes delayed lanes when they are due, keeps the clock going, and looks for attempts that ignore
// the end of their context. Run waits for it.
func (c *Consumer) keep(ctx context.Context) {
	watch := time.NewTicker(attempt.Tick)
	defer watch.Stop()
	timer := time.NewTimer(attempt.Tick)
	defer timer.Stop()
	for {
		c.mu.Lock()
		now := time.Now()
		due, some := c.wakeHandlers(now.UnixNano())
		if next, any := c.sched.Wake(now.UnixNano()); any && (!some || next < due) {
			due, some = next, true
		}
		if next, any := c.watchRuns(now); any && (!some || next < due) {
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
			c.clock.Set(now)
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
			earlier(h.limiter.Release(c.sched, now))
		}
	}
	return due, some
}
