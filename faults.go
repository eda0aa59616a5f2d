package leat

import "fmt"

// FaultAt says that the event at the index of a batch failed with err, which may be any outcome; join
// several with [errors.Join]. The other events of the batch count as handled. FaultAt(i, nil) is nil.
func FaultAt(index int, err error) error {
	if err == nil {
		return nil
	}
	return &faultError{index, err}
}

// Faults are the faults of a batch by index. It is false where err, or an error that was joined into
// it, tells no index: then the batch failed as a whole. Of two faults at one index the first counts.
func Faults(err error) (map[int]error, bool) {
	found := map[int]error{}
	if err == nil || !collect(err, found) {
		return nil, false
	}
	return found, true
}

func collect(err error, found map[int]error) bool {
	switch e := err.(type) {
	case *faultError:
		if _, twice := found[e.index]; !twice {
			found[e.index] = e.err
		}
		return true
	case interface{ Unwrap() []error }:
		all := e.Unwrap()
		for _, one := range all {
			if one == nil || !collect(one, found) {
				return false
			}
		}
		return len(all) > 0
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		return inner != nil && collect(inner, found)
	}
	return false
}

type faultError struct {
	index int
	err   error
}

func (e *faultError) Error() string { return fmt.Sprintf("event %d of the batch: %v", e.index, e.err) }

// There is no Unwrap: whether one event of a batch failed for good says nothing of the others.
