package consumer

import (
	"errors"

	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/cluster"
)

// Causes of a handler's context having ended, as [context.Cause] tells them.
var (
	// ErrTimeout says that the attempt took longer than the handler's Timeout.
	ErrTimeout = attempt.ErrTimeout
	// ErrRevoked says that the partition goes to another member and the time to finish is over.
	ErrRevoked = errors.New("the partition goes to another member of the group")
	// ErrLost says that the member lost its partitions without being asked, for example because
	// its session expired: another member may already work on them.
	ErrLost = errors.New("the partition was lost to another member of the group")
	// ErrSought says that somebody has set the group's offset of the partition (leat group seek) and
	// the time to finish is over.
	ErrSought = errors.New("the group goes on from another offset of the partition")
	// ErrStopped says that the consumer is stopping and its DrainTimeout is over.
	ErrStopped = errors.New("the consumer is stopping")
)

// ErrCut, as the cause of the end of Run's context, ends a consumer as far as possible like a kill does:
// nothing is drained, committed or dead-lettered any more.
var ErrCut = errors.New("the consumer was cut off")

// ErrHung ends Run when a handler has ignored the end of its context for longer than LeaveAfter. Leave
// the process then: nothing else ends such a handler.
var ErrHung = errors.New("a handler ignores the end of its context")

// ErrNoShareGroups says that a cluster has no share groups, or too old ones.
var ErrNoShareGroups = cluster.ErrNoShareGroups
