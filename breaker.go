package leat

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Breaker stops a handler whose attempts fail too often, so that what it calls can recover and no
// attempt of its events is spent meanwhile. Closed, it watches; open, nothing of the handler starts;
// half-open, some events start as probes, and it closes when they succeed or opens again with the
// first that fails. Failures are errors that are tried again, panics and timeouts;
// [Permanent], [Skip] and [Unavailable] say nothing of what the handler calls. The zero value opens
// at half of at least 20 attempts within 10 s, for 30 s, and closes after 3 probes.
type Breaker struct {
	Rate   float64       // share of failures that opens it, above 0 and at most 1; 0: 0.5
	Min    int           // attempts within Window below which it stays closed; 0: 20
	Window time.Duration // how far back attempts count; 0: 10 s
	Pause  time.Duration // how long it is open before it lets probes start; 0: 30 s
	Probes int           // probes that have to succeed; 0: 3
}

// WithDefaults fills what is zero.
func (b Breaker) WithDefaults() Breaker {
	b.Rate = cmp.Or(b.Rate, 0.5)
	b.Min = cmp.Or(b.Min, 20)
	b.Window = cmp.Or(b.Window, 10*time.Second)
	b.Pause = cmp.Or(b.Pause, 30*time.Second)
	b.Probes = cmp.Or(b.Probes, 3)
	return b
}

// Validate reports impossible values.
func (b Breaker) Validate() error {
	switch {
	case b.Rate < 0 || b.Rate > 1:
		return fmt.Errorf("breaker: Rate is %v, want above 0 and at most 1", b.Rate)
	case b.Min < 0 || b.Probes < 0:
		return errors.New("breaker: Min and Probes can't be negative; 0 is the default")
	case b.Window < 0 || b.Pause < 0:
		return errors.New("breaker: Window and Pause can't be negative; 0 is the default")
	}
	return nil
}

// RateLimit bounds how many attempts of a handler begin in a second, in one member of the group, by a
// token bucket. An event that waits for its turn holds no worker; its key waits with it.
type RateLimit struct {
	// PerSecond is how many attempts may begin in a second; needed, above 0.
	PerSecond float64
	// Burst is how many may begin at once after a pause; 0: a tenth of PerSecond, at least 1.
	Burst int
	// Class, where set, gives each class of events (a tenant, a provider) a bucket of its own. It must
	// be quick and must not panic: it runs before every attempt.
	Class func(*Envelope) string
}

// WithDefaults fills what is zero.
func (l RateLimit) WithDefaults() RateLimit {
	l.Burst = cmp.Or(l.Burst, max(1, int(l.PerSecond/10)))
	return l
}

// Validate reports impossible values.
func (l RateLimit) Validate() error {
	switch {
	case !(l.PerSecond > 0) || l.PerSecond > 1e9:
		return fmt.Errorf("rate limit: PerSecond is %v, want above 0", l.PerSecond)
	case l.Burst < 0:
		return errors.New("rate limit: Burst can't be negative; 0 is the default")
	}
	return nil
}
