package consumer

import (
	"errors"
	"time"

	"github.com/leatdev/leat"
)

// stage is what the next attempt on an event does.
type stage uint8

const (
	handling   stage = iota // the handler
	exhausting              // OnExhausted
	burying                 // the dead letter
)

// history is what has happened to an event so far. An event that never failed has none.
type history struct {
	stage    stage
	attempts int // of the handler, counted
	failed   int // counted in this stage
	panics   int // in a row
	away     int // attempts in a row that found the infrastructure away
	first    time.Time
	last     time.Time
	cause    error  // why the handler was given up, or why it never began
	reason   Reason // the same in a word
	err      error  // the last error
	alone    bool   // the dead letter is sent in a batch of its own
	omit     int    // how many things the dead letter has to leave out
}

// verdict is what becomes of an event after an attempt.
type verdict struct {
	act    act
	delay  time.Duration // of again and pause
	skip   string        // why it was passed over, where it was
	reason Reason        // of giveUp
}

type act uint8

const (
	done   act = iota // finished
	again             // another attempt after delay; counted
	spared            // another attempt after delay; not counted
	pause             // another attempt after delay, and the partition waits; not counted
	giveUp            // no further attempt in this stage
)

// awayRetry is how an event waits for infrastructure.
var awayRetry = leat.Retry{Attempts: -1, Base: 100 * time.Millisecond, Max: 5 * time.Second}

// panicLimit is how many panics in a row end an event: the second one is the event's fault, the
// first may have been a race's.
const panicLimit = 2

// judge decides what becomes of an event whose attempt ended in err. h is its history without that
// attempt; random is uniform in [0, 1). What the infrastructure is to blame for comes before all
// else: it is never the event's fault, whatever the handler thinks.
func judge(err error, h history, retry leat.Retry, random float64) verdict {
	if err == nil {
		return verdict{act: done}
	}
	if leat.IsUnavailable(err) {
		return verdict{act: pause, delay: awayRetry.Delay(h.away+1, random)}
	}
	if _, undecodable := errors.AsType[*leat.UndecodableError](err); undecodable {
		return verdict{act: giveUp, reason: ReasonUndecodable}
	}
	if leat.IsPermanent(err) {
		return verdict{act: giveUp, reason: ReasonPermanent}
	}
	if reason, skipped := leat.SkipReason(err); skipped {
		return verdict{act: done, skip: reason}
	}
	if _, panicked := errors.AsType[*leat.PanicError](err); panicked && h.panics+1 >= panicLimit {
		return verdict{act: giveUp, reason: ReasonPanic}
	}
	if retry.Exhausted(h.failed + 1) {
		return verdict{act: giveUp, reason: ReasonExhausted}
	}
	delay, asked := leat.RetryDelay(err)
	if !asked {
		delay = retry.Delay(h.failed+1, random)
	}
	return verdict{act: again, delay: delay}
}

// note writes a failed attempt into the history.
func (h *history) note(err error, v verdict, now time.Time) {
	if h.first.IsZero() {
		h.first = now
	}
	h.last, h.err = now, err
	if v.act == pause {
		h.away++
		return
	}
	h.away = 0
	if v.act == spared {
		return
	}
	h.failed++
	if h.stage == handling {
		h.attempts++
	}
	if _, panicked := errors.AsType[*leat.PanicError](err); panicked {
		h.panics++
	} else {
		h.panics = 0
	}
}

// advance moves to the next stage after a giveUp. OnExhausted gets an event that failed, never a
// record that is no event of its type.
func (h *history) advance(reason Reason, hasExhausted bool) {
	switch {
	case h.stage == handling && hasExhausted && reason != ReasonUndecodable:
		h.stage, h.cause, h.reason = exhausting, h.err, reason
	case h.stage == handling:
		h.stage, h.cause, h.reason = burying, h.err, reason
	default:
		h.stage = burying
	}
	h.failed, h.panics, h.away = 0, 0, 0
}
