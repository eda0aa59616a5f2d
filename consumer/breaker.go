package consumer

import (
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/letter"
)

// Breaker stops the handler while its attempts fail too often: the group's membership stays, other
// handlers run on, and no attempt is counted while it is open.
func Breaker(b leat.Breaker) leat.HandlerOption {
	return func(h *leat.Handler) { h.Breaker = &b }
}

// breakerTurn is the turn in which an attempt begins.
func (c *Consumer) breakerTurn(h *handler) uint32 {
	if h.breaker == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return h.breaker.Turn
}

// breakerResult tells h's breaker how an attempt ended.
func (c *Consumer) breakerResult(h *handler, turn uint32, err error) {
	b := h.breaker
	if b == nil {
		return
	}
	failed, told := attempt.Tells(err)
	if !told {
		return
	}
	c.mu.Lock()
	was := b.State
	if changed := b.Result(time.Now().UnixNano(), turn, failed); changed || was == attempt.BreakerHalfOpen {
		c.obey(h)
	}
	state, pause := b.State, b.Config.Pause
	c.mu.Unlock()
	switch {
	case state == was:
	case state == attempt.BreakerOpen:
		c.log.Error("breaker opened: the handler fails too often and stands still", "topic", h.Topic.Name, "event_type", h.Kind.Type, "duration", pause, "err", err)
	default:
		c.log.Info("breaker closed: the handler works again", "topic", h.Topic.Name, "event_type", h.Kind.Type)
	}
}

// obey gives the handler's classes the limits that its breaker says. mu is held.
func (c *Consumer) obey(h *handler) {
	c.sched.SetLimit(h.Class, h.breaker.Limit(h.Parallel))
	if h.Batch != nil {
		c.sched.SetLimit(h.Single, h.breaker.Limit(h.Parallel))
	}
	c.crew.call(c)
	signal(c.wake)
}

// spare turns a failure that is not to be counted into another attempt.
func (c *Consumer) spare(h *handler, v attempt.Verdict) attempt.Verdict {
	if h.breaker == nil || v.Act != attempt.Again && (v.Act != attempt.GiveUp || v.Reason != letter.ReasonExhausted && v.Reason != letter.ReasonPanic) {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !h.breaker.Spares() {
		return v
	}
	return attempt.Verdict{Act: attempt.Spared, Delay: max(v.Delay, h.Retry.WithDefaults().Base)}
}

// wakeBreaker lets h's breaker look at the time, and returns when it wants to again. mu is held.
func (c *Consumer) wakeBreaker(h *handler, now int64) (due int64, waits bool) {
	changed, due, waits := h.breaker.Wake(now)
	if changed {
		c.obey(h)
		c.log.Info("breaker half-open: some events try", "topic", h.Topic.Name, "event_type", h.Kind.Type, "events", h.breaker.Config.Probes)
	}
	return due, waits
}

// breakerTrouble says why the handler stands still, or nil. mu is held.
func (c *Consumer) breakerTrouble(h *handler, now time.Time) error {
	if h.breaker == nil {
		return nil
	}
	left, shut := h.breaker.Shut(now.UnixNano())
	if !shut {
		return nil
	}
	return fmt.Errorf("breaker of %s on %s is open: its attempts fail too often; the next probes start in %v", h.Kind.Type, h.Topic.Name, left.Round(time.Second))
}
