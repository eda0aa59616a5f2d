package leat

import (
	"errors"
	"time"
)

// Retry is exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015):
// before attempt n+1 the wait is uniform in (0, min(Max, Base*2^(n-1))]. The zero value means 5
// attempts, Base 100 ms, Max 10 s.
type Retry struct {
	Attempts int           // attempts in all, the first included; 0: 5, negative: without end
	Base     time.Duration // 0: 100 ms
	Max      time.Duration // 0: 10 s
}

// WithDefaults fills what is zero.
func (r Retry) WithDefaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 5
	}
	if r.Base == 0 {
		r.Base = 100 * time.Millisecond
	}
	if r.Max == 0 {
		r.Max = max(10*time.Second, r.Base)
	}
	return r
}

// Validate reports impossible values.
func (r Retry) Validate() error {
	if r.Base < 0 || r.Max < 0 {
		return errors.New("retry: Base and Max can't be negative")
	}
	if r.Base > 0 && r.Max > 0 && r.Max < r.Base {
		return errors.New("retry: Max is below Base")
	}
	return nil
}

// Exhausted says whether no attempt is left after the given number of attempts.
func (r Retry) Exhausted(attempts int) bool {
	r = r.WithDefaults()
	return r.Attempts > 0 && attempts >= r.Attempts
}

// Delay is the wait after the given attempt (from 1). random is uniform in [0, 1).
func (r Retry) Delay(attempt int, random float64) time.Duration {
	r = r.WithDefaults()
	ceiling := r.Base
	for i := 1; i < attempt && ceiling < r.Max; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, r.Max)
	return max(time.Duration(random*float64(ceiling)), time.Millisecond)
}
