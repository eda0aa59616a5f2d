package attempt

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat"
)

// ErrTimeout is the cause of the end of an attempt that took longer than the handler's timeout.
var ErrTimeout = errors.New("the attempt took longer than the handler's timeout")

// Context is one attempt on an event: its envelope and its context, in one allocation. The context is
// context.WithDeadline in effect, but most handlers never look at the deadline, so its timer is set
// only when somebody asks: that saves four allocations and a microsecond for each event.
type Context struct {
	context.Context // the partition's
	Envelope        leat.Envelope
	Timeout         time.Duration // 0: none
	Clock           *Clock
	Began           int64 // by the clock

	mu     sync.Mutex
	inner  atomic.Pointer[context.Context] // with the timer
	cancel context.CancelFunc
	over   bool

	Several bool // a batch: no one envelope is that of the attempt
}

// Deadline is when the attempt's time is over.
func (a *Context) Deadline() (time.Time, bool) { return a.timed().Deadline() }

// Done is closed when the attempt's time is over, its partition is taken away, or it has ended.
func (a *Context) Done() <-chan struct{} { return a.timed().Done() }

// Err says whether Done is closed.
func (a *Context) Err() error { return a.timed().Err() }

// Value knows the envelope. For all else it asks the inner context once there is one, so that contexts
// derived from this one attach to it directly.
func (a *Context) Value(key any) any {
	if leat.IsEnvelopeKey(key) && !a.Several {
		return &a.Envelope
	}
	if inner := a.inner.Load(); inner != nil {
		return (*inner).Value(key)
	}
	return a.Context.Value(key)
}

func (a *Context) timed() context.Context {
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

func (a *Context) withTimer(now time.Time) (context.Context, context.CancelFunc) {
	if a.Timeout == 0 {
		return context.WithCancel(a.Context)
	}
	return context.WithDeadlineCause(a.Context, now.Add(a.Timeout-a.Clock.Since(a.Began, now)), ErrTimeout)
}

// End ends the attempt and releases its timer.
func (a *Context) End() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.cancel != nil {
		a.cancel()
	}
}

// Clock tells the time to within tick, for a hundredth of what the real one takes. The keeper keeps it
// going.
type Clock struct{ now atomic.Int64 }

// Tick is how exact the clock is.
const Tick = 250 * time.Millisecond

// Set tells the clock the time.
func (c *Clock) Set(now time.Time) { c.now.Store(now.UnixNano()) }

// Read is the time, in Unix nanoseconds.
func (c *Clock) Read() int64 { return c.now.Load() }

// Since is the time from a moment that the clock has told until now, at most a tick too short.
func (c *Clock) Since(then int64, now time.Time) time.Duration {
	return max(0, time.Duration(now.UnixNano()-then)-Tick)
}

// errGoexit is what a handler that ended its goroutine is reported as.
var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

// Guarded calls fn and makes an error of a panic. A handler that ends its goroutine takes the worker
// with it; the deferred function reports it to escaped, which the worker's own end looks at.
func Guarded(ctx context.Context, e *leat.Envelope, fn func(context.Context, *leat.Envelope) error) (err error) {
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

// Goexit is the error of a handler that ended its goroutine.
func Goexit(stack []byte) error { return &leat.PanicError{Value: errGoexit, Stack: stack} }
