package kafka

import (
	"errors"
	"fmt"
	"strings"
)

// ErrFenced says that another transactor with the same id has taken over: this one must end and may
// only come back if it still leads. A transaction that ran past its timeout looks the same.
var ErrFenced = errors.New("fenced: another producer with this transactional id has taken over, or the transaction outlived its timeout")

// ErrUnusable says that a transactor has met an error before and commits nothing any more.
var ErrUnusable = errors.New("unusable after an earlier error: close it and open a new one")

// Error is what went wrong with one act on the cluster.
type Error struct {
	Op        string // what was done, for example "produce"
	Topic     string // "" where no topic is meant
	Partition int32  // -1 where no partition is meant
	Err       error
	Hint      string // what to try next; "" where there is nothing to say
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Topic != "" {
		b.WriteString(" " + e.Topic)
		if e.Partition >= 0 {
			fmt.Fprintf(&b, "/%d", e.Partition)
		}
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }
