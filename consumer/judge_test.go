package consumer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leatdev/leat"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	retry := leat.Retry{Attempts: 3, Base: time.Second, Max: 4 * time.Second}
	panicked := &leat.PanicError{Value: "oops"}
	undecodable := &leat.UndecodableError{Err: no}
	for name, c := range map[string]struct {
		err  error
		past history
		want verdict
	}{
		"success":                  {nil, history{}, verdict{act: done}},
		"first failure":            {no, history{}, verdict{act: again, delay: 500 * time.Millisecond}},
		"second failure":           {no, history{failed: 1}, verdict{act: again, delay: time.Second}},
		"last failure":             {no, history{failed: 2}, verdict{act: giveUp, reason: ReasonExhausted}},
		"asked for a delay":        {leat.RetryAfter(no, time.Hour), history{}, verdict{act: again, delay: time.Hour}},
		"asked, but used up":       {leat.RetryAfter(no, time.Hour), history{failed: 2}, verdict{act: giveUp, reason: ReasonExhausted}},
		"permanent":                {fmt.Errorf("charge: %w", leat.Permanent(no)), history{}, verdict{act: giveUp, reason: ReasonPermanent}},
		"undecodable":              {undecodable, history{}, verdict{act: giveUp, reason: ReasonUndecodable}},
		"skip":                     {leat.Skip("old"), history{}, verdict{act: done, skip: "old"}},
		"unavailable":              {leat.Unavailable(no), history{failed: 99}, verdict{act: pause, delay: 50 * time.Millisecond}},
		"unavailable for long":     {leat.Unavailable(no), history{away: 50}, verdict{act: pause, delay: 2500 * time.Millisecond}},
		"unavailable, not the end": {leat.Permanent(leat.Unavailable(no)), history{}, verdict{act: pause, delay: 50 * time.Millisecond}},
		"first panic":              {panicked, history{}, verdict{act: again, delay: 500 * time.Millisecond}},
		"second panic":             {panicked, history{failed: 1, panics: 1}, verdict{act: giveUp, reason: ReasonPanic}},
		"panic after a failure":    {panicked, history{failed: 1}, verdict{act: again, delay: time.Second}},
	} {
		if got := judge(c.err, c.past, retry, 0.5); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestHistoryCountsWhatCounts(t *testing.T) {
	t.Parallel()
	no, at := errors.New("no"), time.Unix(1, 0)
	var h history
	h.note(leat.Unavailable(no), verdict{act: pause}, at)
	h.note(no, verdict{act: again}, at.Add(time.Second))
	h.note(&leat.PanicError{}, verdict{act: again}, at.Add(2*time.Second))
	if h.attempts != 2 || h.failed != 2 || h.panics != 1 || h.away != 0 || !h.first.Equal(at) || !h.last.Equal(at.Add(2*time.Second)) {
		t.Errorf("history %+v", h)
	}
	h.note(no, verdict{act: giveUp}, at.Add(3*time.Second))
	h.advance(ReasonExhausted, true)
	if h.stage != exhausting || !errors.Is(h.cause, no) || h.failed != 0 || h.attempts != 3 {
		t.Errorf("history %+v", h)
	}
	h.note(no, verdict{act: again}, at.Add(4*time.Second))
	if h.advance(ReasonExhausted, true); h.stage != burying || h.attempts != 3 {
		t.Errorf("history %+v", h)
	}
	var raw history
	if raw.advance(ReasonUndecodable, true); raw.stage != burying {
		t.Error("OnExhausted would get a record that is no event of its type")
	}
}

func TestAnAttemptIsAContextLikeAnyOther(t *testing.T) {
	t.Parallel()
	type key struct{}
	lost := errors.New("lost")
	parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	var c clock
	c.set(time.Now())
	a := &attempt{Context: parent, timeout: time.Hour, clock: &c, began: c.read()}
	if at, ok := a.Deadline(); !ok || time.Until(at) > time.Hour || time.Until(at) < 59*time.Minute {
		t.Errorf("deadline %v %v", at, ok)
	}
	derived, stop := context.WithCancel(a)
	defer stop()
	if derived.Value(key{}) != "value" || leat.FromContext(derived) != &a.envelope || derived.Err() != nil {
		t.Error("values or state of the parent are not seen")
	}
	cancel(lost)
	<-derived.Done()
	if !errors.Is(context.Cause(derived), lost) || !errors.Is(a.Err(), context.Canceled) {
		t.Errorf("cause %v, err %v", context.Cause(derived), a.Err())
	}
	late := &attempt{Context: t.Context(), clock: &c, began: c.read()}
	late.end()
	if <-late.Done(); late.Err() == nil {
		t.Error("an attempt that has ended is not over")
	}
}
