package leat

import (
	"errors"
	"fmt"
	"time"
)

// Permanent says that no further attempt can help: the event goes to the dead letters (or to
// OnExhausted) at once and other keys run on. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// RetryAfter asks for the next attempt after d in place of the back-off. It counts as an attempt.
// RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, max(d, 0)}
}

// Skip passes the event over: it counts as handled and is counted by reason. Keep reasons few and
// constant.
func Skip(reason string) error { return &skipError{reason} }

// Unavailable says that the infrastructure, not the event, is at fault: a database or broker that
// is away, a serialization failure, an exhausted pool. The partition pauses, the event is tried
// again without limit and no attempt is counted. Unavailable(nil) is nil.
func Unavailable(err error) error {
	if err == nil {
		return nil
	}
	return &unavailableError{err}
}

// IsPermanent reports whether err says that no attempt can help: Permanent, or undecodable.
func IsPermanent(err error) bool {
	if _, ok := errors.AsType[*permanentError](err); ok {
		return true
	}
	_, ok := errors.AsType[*UndecodableError](err)
	return ok
}

// IsUnavailable reports whether err is the infrastructure's fault.
func IsUnavailable(err error) bool {
	_, ok := errors.AsType[*unavailableError](err)
	return ok
}

// RetryDelay is the delay that RetryAfter asked for.
func RetryDelay(err error) (time.Duration, bool) {
	e, ok := errors.AsType[*retryAfterError](err)
	if !ok {
		return 0, false
	}
	return e.after, true
}

// SkipReason is the reason that Skip gave.
func SkipReason(err error) (string, bool) {
	e, ok := errors.AsType[*skipError](err)
	if !ok {
		return "", false
	}
	return e.reason, true
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

type unavailableError struct{ err error }

func (e *unavailableError) Error() string { return e.err.Error() }
func (e *unavailableError) Unwrap() error { return e.err }

type skipError struct{ reason string }

func (e *skipError) Error() string { return "skipped: " + e.reason }

// UndecodableError says that a record's data is not an event of its type. It is permanent.
type UndecodableError struct {
	Type     string
	Position Position
	Err      error
}

func (e *UndecodableError) Error() string {
	return fmt.Sprintf("record %v is no %s: %v", e.Position, e.Type, e.Err)
}

func (e *UndecodableError) Unwrap() error { return e.Err }

// PanicError is a handler's panic as an error, with the stack.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.Value) }
