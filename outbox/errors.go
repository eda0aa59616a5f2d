package outbox

import (
	"errors"
	"fmt"
)

// ErrNotThere says that no row of that id waits in the outbox: it left, or was parked, or never was.
var ErrNotThere = errors.New("no such row waits in the outbox")

// ErrNotParked says that no event that had this id in the outbox is parked.
var ErrNotParked = errors.New("no such event is parked")

// errNoneKept says that the database can't keep events.
var errNoneKept = errors.New("events that have left are kept in mode retain, on PostgreSQL: there are none on SQLite")

// TooLargeError says that an event is larger than its topic or its box takes.
type TooLargeError struct {
	Type, Topic, ID string
	Size, Max       int // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("event %s of type %s has %d bytes, topic %s takes %d: make it smaller, let its data go to a store (payload.url), or raise max.message.bytes and MaxBytes", e.ID, e.Type, e.Size, e.Topic, e.Max)
}

// SetupError says that something is set up so that the relay could lose or reorder events, and that
// it does not start before a person has changed it.
type SetupError struct {
	What string // what was found
	Hint string // what to do about it
}

func (e *SetupError) Error() string { return e.What + ": " + e.Hint }
