package consumer

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat"
)

// attempt is one attempt on an event: its envelope and its context, in one allocation. The context is
// context.WithDeadline in effect, but most handlers never look at the deadline, so its timer is set
// only when somebody asks: that saves four allocations and a microsecond for each event.
type attempt struct {
	context.Context // the partition's
	envelope        leat.Envelope
	timeout         time.Duration // 0: none
	clock           *clock
	began           int64 // by the clock

	mu     sync.Mutex
	inner  atomic.Pointer[context.Context] // with the timer
	cancel context.CancelFunc
	over   bool

	several bool // a batch: no one envelope is that of the attempt
}

// Deadline is when the attempt's time is over.
func (a *attempt) Deadline() (time.Time, bool) { return a.timed().Deadline() }

// Done is closed when the attempt's time is over, its partition is taken away, or it has ended.
func (a *attempt) Done() <-chan struct{} { return a.timed().Done() }

// Err says whether Done is closed.
func (a *attempt) Err() error { return a.timed().Err() }

// Value knows the envelope. For all else it asks the inner context once there is one, so that contexts derived from this one attach to
// it directly.
func (a *attempt) Value(key any) any {
	if leat.IsEnvelopeKey(key) && !a.several {
		return &a.envelope
	}
	if inner := a.inner.Load(); inner != nil {
		return (*inner).Value(key)
	}
	return a.Context.Value(key)
}

func (a *attempt) timed() context.Context {
	if inner := a.inner.Load(); inner != nil {
		return *inner
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if inner := a.inner.Load(); inner != nil {
		return *inner
	}
	inner, cancel := a.withTimer(time.Now())
	a.inner.Store(&inner)
	a.cancel = cancel
	if a.over {
		cancel()
	}
	return inner
}

func (a *attempt) withTimer(now time.Time) (context.Context, context.CancelFunc) {
	if a.timeout == 0 {
		return context.WithCancel(a.Context)
	}
	return context.WithDeadlineCause(a.Context, now.Add(a.timeout-a.clock.since(a.began, now)), ErrTimeout)
}

// end ends the attempt and releases its timer.
func (a *attempt) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.cancel != nil {
		a.cancel()
	}
}

// clock tells the time to within tick, for a hundredth of what the real one takes. The keeper keeps it
// going.
type clock struct{ now atomic.Int64 }

// tick is how exact the clock is.
const tick = 250 * time.Millisecond

func (c *clock) set(now time.Time) { c.now.Store(now.UnixNano()) }

func (c *clock) read() int64 { return c.now.Load() }

// since is the time from a moment that the clock has told until now, at most a tick too short.
func (c *clock) since(then int64, now time.Time) time.Duration {
	return max(0, time.Duration(now.UnixNano()-then)-tick)
}

// errGoexit is what a handler that ended its goroutine is reported as.
var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

// guarded calls fn and makes an error of a panic. A handler that ends its goroutine takes the worker
// with it; the deferred function reports it to escaped, which the worker's own end looks at.
func guarded(ctx context.Context, e *leat.Envelope, fn func(context.Context, *leat.Envelope) error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil {
			err = &leat.PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	err = fn(ctx, e)
	returned = true
	return err
}
