package leat_test

import (
	"testing"
	"time"

	"github.com/leatdev/leat"
)

func TestRetryDelayIsFullJitterUnderAnExponentialCeiling(t *testing.T) {
	t.Parallel()
	r := leat.Retry{Base: 100 * time.Millisecond, Max: time.Second}
	for i, ceiling := range []time.Duration{100, 200, 400, 800, 1000, 1000, 1000} {
		ceiling *= time.Millisecond
		attempt := i + 1
		if got := r.Delay(attempt, 0); got != time.Millisecond {
			t.Errorf("attempt %d: lowest %v", attempt, got)
		}
		if got := r.Delay(attempt, 0.5); got != ceiling/2 {
			t.Errorf("attempt %d: middle %v, want %v", attempt, got, ceiling/2)
		}
		if got := r.Delay(attempt, 0.999999); got > ceiling || got < ceiling*99/100 {
			t.Errorf("attempt %d: highest %v, want just under %v", attempt, got, ceiling)
		}
	}
	if got := r.Delay(1<<30, 0.5); got != 500*time.Millisecond {
		t.Errorf("a huge attempt waits %v", got)
	}
}

func TestRetryDefaultsAndLimits(t *testing.T) {
	t.Parallel()
	var zero leat.Retry
	if zero.Exhausted(4) || !zero.Exhausted(5) {
		t.Error("the zero value does not mean 5 attempts")
	}
	if (leat.Retry{Attempts: -1}).Exhausted(1 << 40) {
		t.Error("endless attempts ended")
	}
	if !(leat.Retry{Attempts: 1}).Exhausted(1) {
		t.Error("one attempt is not the only one")
	}
	for _, bad := range []leat.Retry{{Base: -1}, {Max: -1}, {Base: 2, Max: 1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v passed", bad)
		}
	}
	if got := (leat.Retry{Base: time.Minute}).WithDefaults().Max; got != time.Minute {
		t.Errorf("Max below Base: %v", got)
	}
}
