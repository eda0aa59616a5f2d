package attempt

import (
	"time"

	"github.com/leatdev/leat"
)

// BreakerState is what a breaker lets through.
type BreakerState uint8

// The states of a breaker.
const (
	breakerClosed   BreakerState = iota // all
	BreakerHalfOpen                     // probes
	BreakerOpen                         // nothing
)

// String names the state.
func (s BreakerState) String() string { return [...]string{"closed", "half-open", "open"}[s] }

// breakerSlots is how many parts the window has: as a whole it slides in steps of one.
const breakerSlots = 10

// Breaker counts attempts and decides. It knows no clock: times are nanoseconds that come in.
type Breaker struct {
	Config leat.Breaker
	State  BreakerState
	Turn   uint32 // counts the changes of state; a result of another turn says nothing
	since  int64  // when the state began

	ok, failed int // of the probes of this turn
	slots      [breakerSlots]breakerSlot
}

// breakerSlot is the attempts that ended in one part of the window.
type breakerSlot struct {
	number     int64 // which part of all time
	ok, failed int
}

// NewBreaker makes one that lets all through.
func NewBreaker(cfg leat.Breaker) *Breaker { return &Breaker{Config: cfg.WithDefaults()} }

// Result takes the outcome of an attempt that began in the given turn, and reports whether the state
// changed.
func (b *Breaker) Result(now int64, turn uint32, failed bool) (changed bool) {
	if turn != b.Turn {
		return false
	}
	switch b.State {
	case breakerClosed:
		return b.count(now, failed)
	case BreakerHalfOpen:
		return b.probed(now, failed)
	}
	return false
}

// count writes a result into the window and opens the breaker when too many of it are failures.
func (b *Breaker) count(now int64, failed bool) (changed bool) {
	width := max(1, int64(b.Config.Window)/breakerSlots)
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
	if ok+bad < b.Config.Min || float64(bad) < b.Config.Rate*float64(ok+bad) {
		return false
	}
	b.enter(BreakerOpen, now)
	return true
}

// probed decides as soon as the probes that are missing can change nothing any more.
func (b *Breaker) probed(now int64, failed bool) (changed bool) {
	if failed {
		b.failed++
	} else {
		b.ok++
	}
	opens := b.Config.Rate * float64(b.Config.Probes)
	switch {
	case float64(b.failed) >= opens:
		b.enter(BreakerOpen, now)
	case float64(b.Config.Probes-b.ok) < opens:
		b.enter(breakerClosed, now)
	default:
		return false
	}
	return true
}

func (b *Breaker) enter(s BreakerState, now int64) {
	*b = Breaker{Config: b.Config, State: s, Turn: b.Turn + 1, since: now}
}

// Wake lets probes start when the pause is over, and reports when that is to be.
func (b *Breaker) Wake(now int64) (changed bool, due int64, waits bool) {
	if b.State != BreakerOpen {
		return false, 0, false
	}
	if due = b.since + int64(b.Config.Pause); now < due {
		return false, due, true
	}
	b.enter(BreakerHalfOpen, now)
	return true, 0, false
}

// Limit is how many attempts may be in flight where full many could be.
func (b *Breaker) Limit(full int) int {
	switch b.State {
	case BreakerOpen:
		return 0
	case BreakerHalfOpen:
		return min(full, max(0, b.Config.Probes-b.ok-b.failed))
	}
	return full
}

// Shut says for how long nothing starts yet, where that is so.
func (b *Breaker) Shut(now int64) (left time.Duration, shut bool) {
	return max(0, time.Duration(b.since+int64(b.Config.Pause)-now)), b.State == BreakerOpen
}

// Spares says whether a failure now is not counted: the handler is stopped, or nothing has shown yet
// that it works again.
func (b *Breaker) Spares() bool {
	return b.State == BreakerOpen || b.State == BreakerHalfOpen && b.ok == 0
}

// Tells says whether the outcome of an attempt is a failure, or says nothing of what the handler calls.
func Tells(err error) (failed, tells bool) {
	if err == nil {
		return false, true
	}
	if _, skipped := leat.SkipReason(err); skipped || leat.IsPermanent(err) || leat.IsUnavailable(err) {
		return false, false
	}
	return true, true
}
