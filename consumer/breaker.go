package consumer

import (
	"fmt"
	"time"

	"github.com/leatdev/leat"
)

// Breaker stops the handler while its attempts fail too often: the group's membership stays, other
// handlers run on, and no attempt is counted while it is open.
func Breaker(b leat.Breaker) leat.HandlerOption {
	return func(h *leat.Handler) { h.Breaker = &b }
}

// breakerState is what a breaker lets through.
type breakerState uint8

const (
	breakerClosed   breakerState = iota // all
	breakerHalfOpen                     // probes
	breakerOpen                         // nothing
)

func (s breakerState) String() string { return [...]string{"closed", "half-open", "open"}[s] }

// breakerSlots is how many parts the window has: as a whole it slides in steps of one.
const breakerSlots = 10

// breaker counts attempts and decides. It knows no clock: times are nanoseconds that come in.
type breaker struct {
	cfg   leat.Breaker
	state breakerState
	turn  uint32 // counts the changes of state; a result of another turn says nothing
	since int64  // when the state began

	ok, failed int // of the probes of this turn
	slots      [breakerSlots]breakerSlot
}

// breakerSlot is the attempts that ended in one part of the window.
type breakerSlot struct {
	number     int64 // which part of all time
	ok, failed int
}

func newBreaker(cfg leat.Breaker) *breaker { return &breaker{cfg: cfg.WithDefaults()} }

// result takes the outcome of an attempt that began in the given turn, and reports whether the state
// changed.
func (b *breaker) result(now int64, turn uint32, failed bool) (changed bool) {
	if turn != b.turn {
		return false
	}
	switch b.state {
	case breakerClosed:
		return b.count(now, failed)
	case breakerHalfOpen:
		return b.probed(now, failed)
	}
	return false
}

// count writes a result into the window and opens the breaker when too many of it are failures.
func (b *breaker) count(now int64, failed bool) (changed bool) {
	width := max(1, int64(b.cfg.Window)/breakerSlots)
	number := now / width
	slot := &b.slots[number%breakerSlots]
	if slot.number != number {
		*slot = breakerSlot{number: number}
	}
	if !failed {
		slot.ok++
		return false
	}
	slot.failed++
	ok, bad := 0, 0
	for _, s := range b.slots {
		if s.number > number-breakerSlots {
			ok, bad = ok+s.ok, bad+s.failed
		}
	}
	if ok+bad < b.cfg.Min || float64(bad) < b.cfg.Rate*float64(ok+bad) {
		return false
	}
	b.enter(breakerOpen, now)
	return true
}

// probed decides as soon as the probes that are missing can change nothing any more.
func (b *breaker) probed(now int64, failed bool) (changed bool) {
	if failed {
		b.failed++
	} else {
		b.ok++
	}
	opens := b.cfg.Rate * float64(b.cfg.Probes)
	switch {
	case float64(b.failed) >= opens:
		b.enter(breakerOpen, now)
	case float64(b.cfg.Probes-b.ok) < opens:
		b.enter(breakerClosed, now)
	default:
		return false
	}
	return true
}

func (b *breaker) enter(s breakerState, now int64) {
	*b = breaker{cfg: b.cfg, state: s, turn: b.turn + 1, since: now}
}

// wake lets probes start when the pause is over, and reports when that is to be.
func (b *breaker) wake(now int64) (changed bool, due int64, waits bool) {
	if b.state != breakerOpen {
		return false, 0, false
	}
	if due = b.since + int64(b.cfg.Pause); now < due {
		return false, due, true
	}
	b.enter(breakerHalfOpen, now)
	return true, 0, false
}

// limit is how many attempts may be in flight where full many could be.
func (b *breaker) limit(full int) int {
	switch b.state {
	case breakerOpen:
		return 0
	case breakerHalfOpen:
		return min(full, max(0, b.cfg.Probes-b.ok-b.failed))
	}
	return full
}

// spares says whether a failure now is not counted: the handler is stopped, or nothing has shown yet
// that it works again.
func (b *breaker) spares() bool {
	return b.state == breakerOpen || b.state == breakerHalfOpen && b.ok == 0
}

// tells says whether the outcome of an attempt is a failure, or says nothing of what the handler calls.
func tells(err error) (failed, tells bool) {
	if err == nil {
		return false, true
	}
	if _, skipped := leat.SkipReason(err); skipped || leat.IsPermanent(err) || leat.IsUnavailable(err) {
		return false, false
	}
	return true, true
}

// breakerTurn is the turn in which an attempt begins.
func (c *Consumer) breakerTurn(h *handler) uint32 {
	if h.breaker == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return h.breaker.turn
}

// breakerResult tells h's breaker how an attempt ended.
func (c *Consumer) breakerResult(h *handler, turn uint32, err error) {
	b := h.breaker
	if b == nil {
		return
	}
	failed, told := tells(err)
	if !told {
		return
	}
	c.mu.Lock()
	was := b.state
	if changed := b.result(time.Now().UnixNano(), turn, failed); changed || was == breakerHalfOpen {
		c.obey(h)
	}
	state, pause := b.state, b.cfg.Pause
	c.mu.Unlock()
	switch {
	case state == was:
	case state == breakerOpen:
		c.log.Error("breaker opened: the handler fails too often and stands still", "topic", h.Topic.Name, "event_type", h.Kind.Type, "duration", pause, "err", err)
	default:
		c.log.Info("breaker closed: the handler works again", "topic", h.Topic.Name, "event_type", h.Kind.Type)
	}
}

// obey gives the handler's classes the limits that its breaker says. mu is held.
func (c *Consumer) obey(h *handler) {
	c.sched.SetLimit(h.class, h.breaker.limit(h.parallel))
	if h.Batch != nil {
		c.sched.SetLimit(h.single, h.breaker.limit(h.parallel))
	}
	c.crew.call(c)
	signal(c.wake)
}

// spare turns a failure that is not to be counted into another attempt.
func (c *Consumer) spare(h *handler, v verdict) verdict {
	if h.breaker == nil || v.act != again && (v.act != giveUp || v.reason != ReasonExhausted && v.reason != ReasonPanic) {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !h.breaker.spares() {
		return v
	}
	return verdict{act: spared, delay: max(v.delay, h.Retry.WithDefaults().Base)}
}

// wakeBreaker lets h's breaker look at the time, and returns when it wants to again. mu is held.
func (c *Consumer) wakeBreaker(h *handler, now int64) (due int64, waits bool) {
	changed, due, waits := h.breaker.wake(now)
	if changed {
		c.obey(h)
		c.log.Info("breaker half-open: some events try", "topic", h.Topic.Name, "event_type", h.Kind.Type, "events", h.breaker.cfg.Probes)
	}
	return due, waits
}

// breakerTrouble says why the handler stands still, or nil. mu is held.
func (c *Consumer) breakerTrouble(h *handler, now time.Time) error {
	if h.breaker == nil || h.breaker.state != breakerOpen {
		return nil
	}
	left := time.Duration(h.breaker.since + int64(h.breaker.cfg.Pause) - now.UnixNano())
	return fmt.Errorf("breaker of %s on %s is open: its attempts fail too often; the next probes start in %v", h.Kind.Type, h.Topic.Name, max(0, left).Round(time.Second))
}
