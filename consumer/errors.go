package consumer

import "errors"

// Causes of a handler's context having ended, as [context.Cause] tells them.
var (
	// ErrTimeout says that the attempt took longer than the handler's Timeout.
	ErrTimeout = errors.New("the attempt took longer than the handler's timeout")
	// ErrRevoked says that the partition goes to another member and the time to finish is over.
	ErrRevoked = errors.New("the partition goes to another member of the group")
	// ErrLost says that the member lost its partitions without being asked, for example because
	// its session expired: another member may already work on them.
	ErrLost = errors.New("the partition was lost to another member of the group")
	// ErrStopped says that the consumer is stopping and its DrainTimeout is over.
	ErrStopped = errors.New("the consumer is stopping")
)

// ErrNotADeadLetter says that a record's headers don't tell a dead letter's story.
var ErrNotADeadLetter = errors.New("not a dead letter")
