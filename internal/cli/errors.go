package cli

import "fmt"

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
)

// usageError is a command line or a setting that can't be meant.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// foundError is the verdict of a check that found something; what is said on stderr, if anything.
type foundError struct{ what string }

func (e *foundError) Error() string { return e.what }

func foundf(format string, args ...any) error { return &foundError{fmt.Sprintf(format, args...)} }

// Found is the verdict of a demo whose audit found something: it leaves with exit status 3.
func Found(what string) error { return &foundError{what} }
