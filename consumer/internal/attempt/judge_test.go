package attempt

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	retry := leat.Retry{Attempts: 3, Base: time.Second, Max: 4 * time.Second}
	panicked := &leat.PanicError{Value: "oops"}
	undecodable := &leat.UndecodableError{Err: no}
	for name, c := range map[string]struct {
		err  error
		past History
		want Verdict
	}{
		"success":                  {nil, History{}, Verdict{Act: Done}},
		"first failure":            {no, History{}, Verdict{Act: Again, Delay: 500 * time.Millisecond}},
		"second failure":           {no, History{Failed: 1}, Verdict{Act: Again, Delay: time.Second}},
		"last failure":             {no, History{Failed: 2}, Verdict{Act: GiveUp, Reason: letter.ReasonExhausted}},
		"asked for a delay":        {leat.RetryAfter(no, time.Hour), History{}, Verdict{Act: Again, Delay: time.Hour}},
		"asked, but used up":       {leat.RetryAfter(no, time.Hour), History{Failed: 2}, Verdict{Act: GiveUp, Reason: letter.ReasonExhausted}},
		"permanent":                {fmt.Errorf("charge: %w", leat.Permanent(no)), History{}, Verdict{Act: GiveUp, Reason: letter.ReasonPermanent}},
		"undecodable":              {undecodable, History{}, Verdict{Act: GiveUp, Reason: letter.ReasonUndecodable}},
		"skip":                     {leat.Skip("old"), History{}, Verdict{Act: Done, Skip: "old"}},
		"unavailable":              {leat.Unavailable(no), History{Failed: 99}, Verdict{Act: Pause, Delay: 50 * time.Millisecond}},
		"unavailable for long":     {leat.Unavailable(no), History{Away: 50}, Verdict{Act: Pause, Delay: 2500 * time.Millisecond}},
		"unavailable, not the end": {leat.Permanent(leat.Unavailable(no)), History{}, Verdict{Act: Pause, Delay: 50 * time.Millisecond}},
		"first panic":              {panicked, History{}, Verdict{Act: Again, Delay: 500 * time.Millisecond}},
		"second panic":             {panicked, History{Failed: 1, Panics: 1}, Verdict{Act: GiveUp, Reason: letter.ReasonPanic}},
		"panic after a failure":    {panicked, History{Failed: 1}, Verdict{Act: Again, Delay: time.Second}},
	} {
		if got := Judge(c.err, c.past, retry, 0.5); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestHistoryCountsWhatCounts(t *testing.T) {
	t.Parallel()
	no, at := errors.New("no"), time.Unix(1, 0)
	var h History
	h.Note(leat.Unavailable(no), Verdict{Act: Pause}, at)
	h.Note(no, Verdict{Act: Again}, at.Add(time.Second))
	h.Note(&leat.PanicError{}, Verdict{Act: Again}, at.Add(2*time.Second))
	if h.Attempts != 2 || h.Failed != 2 || h.Panics != 1 || h.Away != 0 || !h.First.Equal(at) || !h.Last.Equal(at.Add(2*time.Second)) {
		t.Errorf("history %+v", h)
	}
	h.Note(no, Verdict{Act: GiveUp}, at.Add(3*time.Second))
	h.Advance(letter.ReasonExhausted, true)
	if h.Stage != Exhausting || !errors.Is(h.Cause, no) || h.Failed != 0 || h.Attempts != 3 {
		t.Errorf("history %+v", h)
	}
	h.Note(no, Verdict{Act: Again}, at.Add(4*time.Second))
	if h.Advance(letter.ReasonExhausted, true); h.Stage != Burying || h.Attempts != 3 {
		t.Errorf("history %+v", h)
	}
	var raw History
	if raw.Advance(letter.ReasonUndecodable, true); raw.Stage != Burying {
		t.Error("OnExhausted would get a record that is no event of its type")
	}
}

func TestAnAttemptIsAContextLikeAnyOther(t *testing.T) {
	t.Parallel()
	type key struct{}
	lost := errors.New("lost")
	parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	var c Clock
	c.Set(time.Now())
	a := &Context{Context: parent, Timeout: time.Hour, Clock: &c, Began: c.Read()}
	if at, ok := a.Deadline(); !ok || time.Until(at) > time.Hour || time.Until(at) < 59*time.Minute {
		t.Errorf("deadline %v %v", at, ok)
	}
	derived, stop := context.WithCancel(a)
	defer stop()
	if derived.Value(key{}) != "value" || leat.FromContext(derived) != &a.Envelope || derived.Err() != nil {
		t.Error("values or state of the parent are not seen")
	}
	cancel(lost)
	<-derived.Done()
	if !errors.Is(context.Cause(derived), lost) || !errors.Is(a.Err(), context.Canceled) {
		t.Errorf("cause %v, err %v", context.Cause(derived), a.Err())
	}
	late := &Context{Context: t.Context(), Clock: &c, Began: c.Read()}
	late.End()
	if <-late.Done(); late.Err() == nil {
		t.Error("an attempt that has ended is not over")
	}
}
