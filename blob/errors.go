package blob

import (
	"errors"
	"fmt"
)

// ErrNotFound says that the store has no payload of the name.
var ErrNotFound = errors.New("payload not found")

// ErrTooLarge says that a payload is larger than the reader takes.
var ErrTooLarge = errors.New("payload is too large")

// CorruptError says that a payload is not the one that was put.
type CorruptError struct {
	Name string
	What string // size or sum
	Have string
	Want string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("payload %s is not the one that was put: its %s is %s, not %s", e.Name, e.What, e.Have, e.Want)
}
