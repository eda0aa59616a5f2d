package park

import (
	"time"

	"github.com/leatdev/leat"
)

// Tries is what a parked event has behind it in its owner's process. A restart begins its tiers anew: what
// it remembers is in [Past].
type Tries struct {
	Round  int32
	Tier   int // that the last of them was made after; -1: none, it is the event's first turn
	Panics int // in a row

	failed int           // attempts from the park partition
	next   time.Duration // that its handler asked for, or 0
	first  time.Time     // the first failure in this round
}

// NewTries is what an event has behind it that this process has not tried in this round.
func NewTries(ev Event) Tries {
	t := Tries{Round: ev.Round, Tier: -1}
	if ev.Round == 0 && ev.Past.Attempts > 0 { // its turns at the source are over
		t.Tier, t.first = 0, time.UnixMilli(ev.Past.First)
	}
	return t
}

// Due is when the event is to be tried.
func (t *Tries) Due(p *leat.Parking, past Past, now time.Time) time.Time {
	switch {
	case t.next > 0:
		return now.Add(t.next)
	case t.Tier >= 0 && len(p.Tiers) > 0:
		last := now
		if t.failed == 0 {
			last = time.UnixMilli(past.Last)
		}
		return last.Add(p.Tiers[min(t.Tier, len(p.Tiers)-1)])
	}
	return now
}

// Again takes the failure of an attempt, after which the handler asked for a pause (0: it did not), and says
// whether the event is to be tried once more; expired says that it is too old for that. failed is when it
// failed first of all.
func (t *Tries) Again(p *leat.Parking, failed, now time.Time, asked time.Duration, panics int) (again, expired bool) {
	if t.first.IsZero() {
		t.first = failed
		if t.Round > 0 {
			t.first = now
		}
	}
	if p.MaxAge > 0 && now.Sub(t.first) >= p.MaxAge {
		return false, true
	}
	t.failed, t.Panics, t.next = t.failed+1, panics, asked
	t.Tier++
	return t.Tier < len(p.Tiers) || p.MaxAge != 0 && len(p.Tiers) > 0, false
}
