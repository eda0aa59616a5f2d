package kafka

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// SendError says which of the events of one call failed. It unwraps to all of their errors.
type SendError struct {
	Sent     int // how many there were
	Failures []SendFailure
}

// SendFailure is one event that is not acknowledged.
type SendFailure struct {
	Index int // in the order of the call, from 0
	Err   error
}

func (e *SendError) Error() string {
	first := e.Failures[0]
	return fmt.Sprintf("%d of %d events failed, the first is event %d: %v", len(e.Failures), e.Sent, first.Index+1, first.Err)
}

// Unwrap are the failures' errors.
func (e *SendError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// report gathers what becomes of the events of one call.
type report struct {
	n    int
	left sync.WaitGroup

	mu       sync.Mutex
	failures []SendFailure
}

func newReport(n int) *report {
	r := &report{n: n}
	r.left.Add(n)
	return r
}

func (r *report) settle(i int, err error) {
	if err != nil {
		r.mu.Lock()
		r.failures = append(r.failures, SendFailure{Index: i, Err: err})
		r.mu.Unlock()
	}
	r.left.Done()
}

// wait returns when all are settled.
func (r *report) wait() error {
	r.left.Wait()
	if len(r.failures) == 0 {
		return nil
	}
	slices.SortFunc(r.failures, func(a, b SendFailure) int { return cmp.Compare(a.Index, b.Index) })
	return &SendError{Sent: r.n, Failures: r.failures}
}
