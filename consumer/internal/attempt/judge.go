package attempt

import (
	"errors"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

// Verdict is what becomes of an event after an attempt.
type Verdict struct {
	Act    Act
	Delay  time.Duration // of Again and Pause
	Skip   string        // why it was passed over, where it was
	Reason letter.Reason // of GiveUp
}

// Act is what is to be done.
type Act uint8

// The acts.
const (
	Done   Act = iota // finished
	Again             // another attempt after delay; counted
	Spared            // another attempt after delay; not counted
	Pause             // another attempt after delay, and the partition waits; not counted
	GiveUp            // no further attempt in this stage
)

// Away is how an event waits for infrastructure.
var Away = leat.Retry{Attempts: -1, Base: 100 * time.Millisecond, Max: 5 * time.Second}

// panicLimit is how many panics in a row end an event: the second one is the event's fault, the
// first may have been a race's.
const panicLimit = 2

// Judge decides what becomes of an event whose attempt ended in err. h is its history without that
// attempt; random is uniform in [0, 1). What the infrastructure is to blame for comes before all
// else: it is never the event's fault, whatever the handler thinks.
func Judge(err error, h History, retry leat.Retry, random float64) Verdict {
	if err == nil {
		return Verdict{Act: Done}
	}
	if leat.IsUnavailable(err) {
		return Verdict{Act: Pause, Delay: Away.Delay(h.Away+1, random)}
	}
	if _, undecodable := errors.AsType[*leat.UndecodableError](err); undecodable {
		return Verdict{Act: GiveUp, Reason: letter.ReasonUndecodable}
	}
	if leat.IsPermanent(err) {
		return Verdict{Act: GiveUp, Reason: letter.ReasonPermanent}
	}
	if reason, skipped := leat.SkipReason(err); skipped {
		return Verdict{Act: Done, Skip: reason}
	}
	if _, panicked := errors.AsType[*leat.PanicError](err); panicked && h.Panics+1 >= panicLimit {
		return Verdict{Act: GiveUp, Reason: letter.ReasonPanic}
	}
	if retry.Exhausted(h.Failed + 1) {
		return Verdict{Act: GiveUp, Reason: letter.ReasonExhausted}
	}
	delay, asked := leat.RetryDelay(err)
	if !asked {
		delay = retry.Delay(h.Failed+1, random)
	}
	return Verdict{Act: Again, Delay: delay}
}
