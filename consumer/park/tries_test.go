package park_test

import (
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/park"
)

func TestTriesGoTierByTierUntilTheAge(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_000, 0)
	past := park.Past{Attempts: 1, First: begin.UnixMilli(), Last: begin.UnixMilli()}
	p := &leat.Parking{Tiers: []time.Duration{time.Second, time.Minute}, MaxAge: 10 * time.Minute}
	tries := park.NewTries(park.Event{Past: past})
	for n, step := range []struct {
		after, asked, pause time.Duration
		again, expired      bool
	}{
		{0, 0, time.Minute, true, false},
		{time.Minute, 0, time.Minute, true, false},              // the last tier, again and again
		{2 * time.Minute, time.Hour, time.Hour, true, false},    // as the handler asks
		{10 * time.Minute, 0, time.Hour, false, true},           // too old
		{10 * time.Minute, time.Second, time.Hour, false, true}, // for good
	} {
		now := begin.Add(step.after)
		again, expired := tries.Again(p, begin, now, step.asked, 0)
		if again != step.again || expired != step.expired {
			t.Errorf("step %d: again %t, expired %t", n, again, expired)
		}
		if got := tries.Due(p, past, now).Sub(now); got != step.pause {
			t.Errorf("step %d: due in %v, want %v", n, got, step.pause)
		}
	}
}

func TestWithoutAnAgeTheLastTierEndsAnEvent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000, 0)
	p := &leat.Parking{Tiers: []time.Duration{time.Second}}
	tries := park.NewTries(park.Event{})
	if due := tries.Due(p, park.Past{}, now); !due.Equal(now) {
		t.Errorf("an event's first turn is due at %v", due)
	}
	if again, _ := tries.Again(p, now, now, 0, 0); !again {
		t.Error("it has no tier")
	}
	if again, expired := tries.Again(p, now, now, 0, 0); again || expired {
		t.Errorf("behind the last tier: again %t, expired %t", again, expired)
	}
}
