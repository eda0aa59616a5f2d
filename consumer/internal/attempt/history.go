package attempt

import (
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/letter"
)

// Stage is what the next attempt on an event does.
type Stage uint8

// The stages.
const (
	Handling   Stage = iota // the handler
	Exhausting              // OnExhausted
	Burying                 // the dead letter
)

// History is what has happened to an event so far. An event that never failed has none.
type History struct {
	Stage    Stage
	Attempts int // of the handler, counted
	Failed   int // counted in this stage
	Panics   int // in a row
	Away     int // Attempts in a row that found the infrastructure away
	First    time.Time
	Last     time.Time
	Cause    error         // why the handler was given up, or why it never began
	Reason   letter.Reason // the same in a word
	Err      error         // the last error
	Alone    bool          // the dead letter is sent in a batch of its own
	Omit     int           // how many things the dead letter has to leave out

	Tier  int             // of the retry topic that it came by, from 1 on; 0: the source
	Later *leat.RetryTier // burying: it goes there, and not to the dead letters; nil: to these
	Due   time.Time       // when it is to be tried again there
}

// Note writes a failed attempt into the history.
func (h *History) Note(err error, v Verdict, now time.Time) {
	if h.First.IsZero() {
		h.First = now
	}
	h.Last, h.Err = now, err
	if v.Act == Pause {
		h.Away++
		return
	}
	h.Away = 0
	if v.Act == Spared {
		return
	}
	h.Failed++
	if h.Stage == Handling {
		h.Attempts++
	}
	if _, panicked := errors.AsType[*leat.PanicError](err); panicked {
		h.Panics++
	} else {
		h.Panics = 0
	}
}

// Advance moves to the next stage after a giveUp. OnExhausted gets an event that failed, never a
// record that is no event of its type.
func (h *History) Advance(reason letter.Reason, hasExhausted bool) {
	switch {
	case h.Stage == Handling && hasExhausted && reason != letter.ReasonUndecodable:
		h.Stage, h.Cause, h.Reason = Exhausting, h.Err, reason
	case h.Stage == Handling:
		h.Stage, h.Cause, h.Reason = Burying, h.Err, reason
	default:
		h.Stage = Burying
	}
	h.Failed, h.Panics, h.Away = 0, 0, 0
}

// Story is the error that a dead letter tells.
func (h *History) Story() string {
	switch {
	case h.Cause == nil && h.Err == nil:
		return ""
	case h.Cause == nil:
		return h.Err.Error()
	case h.Err == nil || errors.Is(h.Err, h.Cause):
		return h.Cause.Error()
	}
	return fmt.Sprintf("%v; then OnExhausted: %v", h.Cause, h.Err)
}

// Lighter makes what is to be written smaller, and says whether it could: first it travels alone, then
// it leaves things out. What can't move to a retry topic with its value goes to the dead letters.
func (h *History) Lighter() bool {
	switch {
	case !h.Alone:
		h.Alone = true
	case h.Later != nil && h.Omit == len(mail.Omissible)-1:
		h.Later, h.Omit = nil, 0
	case h.Omit == len(mail.Omissible):
		return false
	default:
		h.Omit++
	}
	return true
}

// What it is that has to be written of the event.
func (h *History) What() string {
	if h.Later != nil {
		return "retry record"
	}
	return "dead letter"
}
