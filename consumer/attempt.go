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

// attemptContext is the context of one attempt. It is context.WithDeadline in effect, but most
// handlers never look at the deadline, so its timer is set only when somebody asks: that saves four
// allocations and a microsecond for each event.
type attemptContext struct {
	context.Context // the partition's, with the envelope
	deadline        time.Time

	mu     sync.Mutex
	inner  atomic.Pointer[context.Context] // with the timer
	cancel context.CancelFunc
	over   bool
}

// Deadline is when the attempt's time is over.
func (a *attemptContext) Deadline() (time.Time, bool) { return a.deadline, true }

// Done is closed when the attempt's time is over, its partition is taken away, or it has ended.
func (a *attemptContext) Done() <-chan struct{} { return a.timed().Done() }

// Err says whether Done is closed.
func (a *attemptContext) Err() error { return a.timed().Err() }

// Value asks the inner context once there is one, so that contexts derived from this one attach to
// it directly.
func (a *attemptContext) Value(key any) any {
	if inner := a.inner.Load(); inner != nil {
		return (*inner).Value(key)
	}
	return a.Context.Value(key)
}

func (a *attemptContext) timed() context.Context {
	if inner := a.inner.Load(); inner != nil {
		return *inner
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if inner := a.inner.Load(); inner != nil {
		return *inner
	}
	inner, cancel := context.WithDeadlineCause(a.Context, a.deadline, ErrTimeout)
	a.inner.Store(&inner)
	a.cancel = cancel
	if a.over {
		cancel()
	}
	return inner
}

// end ends the attempt and releases its timer.
func (a *attemptContext) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.cancel != nil {
		a.cancel()
	}
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
