package attempt

import (
	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/lane"
)

// Limiter is the token buckets of one handler, one per class of events. It knows no clock: times are
// nanoseconds that come in.
type Limiter[T any] struct {
	Rate    leat.RateLimit
	buckets map[string]*bucket[T]
	crowded int // buckets at which the idle ones are dropped
}

// bucket is one class's tokens, and the events that wait for one.
type bucket[T any] struct {
	tokens float64
	at     int64 // when they were counted, in nanoseconds
	gate   lane.Gate[T]
}

// crowd is how many classes a limiter keeps before it looks for idle ones.
const crowd = 1000

// NewLimiter makes one whose buckets are full.
func NewLimiter[T any](rate leat.RateLimit) *Limiter[T] {
	return &Limiter[T]{Rate: rate.WithDefaults(), buckets: map[string]*bucket[T]{}, crowded: crowd}
}

// fill adds what has come since.
func (l *Limiter[T]) fill(b *bucket[T], now int64) {
	b.tokens = min(float64(l.Rate.Burst), b.tokens+l.Rate.PerSecond*max(0, float64(now-b.at))/1e9)
	b.at = now
}

// take takes a token, where there is one and nobody waits for it.
func (l *Limiter[T]) take(b *bucket[T], now int64) bool {
	if b.gate.Holds() > 0 {
		return false
	}
	if l.fill(b, now); b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// next is when it pays to look at a bucket again for which events wait: when there is a token, or
// several, for small waits cost more than they are worth.
func (l *Limiter[T]) next(b *bucket[T]) int64 {
	const pause = 5e6 // nanoseconds
	want := max(1, min(float64(l.Rate.Burst)/2, l.Rate.PerSecond*pause/1e9))
	return b.at + int64((want-b.tokens)/l.Rate.PerSecond*1e9) + 1
}

func (l *Limiter[T]) bucket(class string, now int64) *bucket[T] {
	b := l.buckets[class]
	if b != nil {
		return b
	}
	if len(l.buckets) >= l.crowded {
		for name, b := range l.buckets {
			if l.fill(b, now); b.gate.Holds() == 0 && b.tokens >= float64(l.Rate.Burst) {
				delete(l.buckets, name) // like a new one
			}
		}
		l.crowded = max(crowd, 2*len(l.buckets))
	}
	b = &bucket[T]{tokens: float64(l.Rate.Burst), at: now}
	l.buckets[class] = b
	return b
}

// Waiting is how many keys' next events wait for a token.
func (l *Limiter[T]) Waiting() (n int) {
	for _, b := range l.buckets {
		n += b.gate.Holds()
	}
	return n
}

// SetRate takes another rate from now on.
func (l *Limiter[T]) SetRate(rate leat.RateLimit, now int64) {
	for _, b := range l.buckets {
		l.fill(b, now)
	}
	l.Rate = rate.WithDefaults()
}

// Release lets the scheduler have what tokens have come for, and returns when to look again.
func (l *Limiter[T]) Release(s *lane.Scheduler[T], now int64) (next int64, any bool) {
	for _, b := range l.buckets {
		if b.gate.Holds() == 0 {
			continue
		}
		l.fill(b, now)
		b.tokens -= float64(s.Open(&b.gate, int(b.tokens)))
		if b.gate.Holds() == 0 {
			continue
		}
		if due := l.next(b); !any || due < next {
			next, any = due, true
		}
	}
	return next, any
}

// ReleaseAll lets the scheduler have all that waits.
func (l *Limiter[T]) ReleaseAll(s *lane.Scheduler[T]) {
	for _, b := range l.buckets {
		s.Open(&b.gate, b.gate.Holds())
	}
}

// Admit says whether an item of the class may begin now; if not, the scheduler holds it until it may.
func (l *Limiter[T]) Admit(s *lane.Scheduler[T], it *lane.Item[T], class string, now int64) bool {
	b := l.bucket(class, now)
	if l.take(b, now) {
		return true
	}
	s.Hold(&b.gate, it)
	return false
}
