package registry

import (
	"context"
	"errors"
	"fmt"
)

// Record is one record of the log, as it stands in Kafka's topic _schemas: a key of JSON, a value of
// JSON, or nil for a tombstone.
type Record struct {
	Key   []byte
	Value []byte
	Time  int64 // when it was written, Unix milliseconds; 0: the log says when
}

// Entry is a record with its place in the log.
type Entry struct {
	Record
	Position int64 // grows from record to record, not by one
}

// Log keeps the records that a registry's state is a replay of. The registry judges each command
// against the state at one position of the log and appends what the command comes to directly behind
// that position, so that what was judged is what is written:
//
//	end := End()                       a linearised read: all that was acknowledged before is below it
//	wait until all below end is applied
//	records := judge(state, command)   the state at position p, p >= end
//	next := Append(p, records)
//	wait until all below next is applied, then answer
//
// A registry runs one Follow at a time, and one Append at a time; End and Leader are called at any
// time. Any number of processes may share a log; whose appends are let through is the log's to decide.
type Log interface {
	// Follow hands over all records from the start of the log in order, and then each that is
	// appended, by whomever, until ctx ends: it then returns nil. next is the position behind the
	// entries; a call without entries only says how far the log was read. What follow hands over was
	// acknowledged or will stay: it is never taken back. An error ends the registry.
	Follow(ctx context.Context, apply func(entries []Entry, next int64)) error

	// End returns a position such that every record whose Append was acknowledged before the call, by
	// any process, is below it, and no Append whose answer was lost can land below it any more. The
	// Kafka log writes a NOOP record where it can't know otherwise (after it became leader, after a
	// lost answer). It fails with ErrUnavailable where it can't be told.
	End(ctx context.Context) (int64, error)

	// Append writes the records in order, directly behind the position after. They stay across a
	// crash of the process before it returns. It returns the position behind the last of them. The
	// errors say what is known:
	//
	//   - ErrStale: nothing was written, another record stands behind after. Read on, judge again.
	//   - ErrNotLeader: nothing was written, this process may not write. Ask Leader.
	//   - ErrTooLarge: nothing was written, a record exceeds what the log takes.
	//   - any other: unknown. The records may be in the log, all or the first few; the next End says.
	//
	// A log without transactions may keep the first few records when the process dies: the registry
	// orders them so that each prefix is a state that it could have chosen.
	Append(ctx context.Context, after int64, records []Record) (next int64, err error)

	// Leader tells where commands go: self where this process may append; else url is the address
	// of the process that may, "" where nobody knows.
	Leader() (url string, self bool)
}

// What a log answers; see [Log].
var (
	ErrStale       = errors.New("another record was written first")
	ErrNotLeader   = errors.New("this registry does not lead")
	ErrTooLarge    = errors.New("the record is too large for the log")
	ErrUnavailable = errors.New("the log can't be reached")
)

// MaxRecord is how many bytes the value of a record may have, as with Kafka's own default for a
// batch, less room for its key and frame.
const MaxRecord = 1<<20 - 16<<10

// checkSizes holds records to MaxRecord.
func checkSizes(records []Record) error {
	for _, r := range records {
		if n := len(r.Key) + len(r.Value); n > MaxRecord {
			return fmt.Errorf("append a record of %d bytes: %w, which takes %d", n, ErrTooLarge, MaxRecord)
		}
	}
	return nil
}
