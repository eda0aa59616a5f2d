package payload

import (
	"errors"
	"fmt"

	"github.com/leatdev/leat"
)

// DecodeBatch reads the events that can be read, with their places in the batch, and the faults of the
// others.
func DecodeBatch[T any](envelopes []*leat.Envelope) (events []*leat.Event[T], places []int, faults []error) {
	events, places = make([]*leat.Event[T], 0, len(envelopes)), make([]int, 0, len(envelopes))
	for i, e := range envelopes {
		ev, err := leat.DecodeEvent[T](e)
		if err != nil {
			faults = append(faults, leat.FaultAt(i, err))
			continue
		}
		events, places = append(events, ev), append(places, i)
	}
	return events, places, faults
}

// Replace is err with the indexes that places says.
func Replace(err error, places []int) error {
	faults, told := leat.Faults(err)
	if !told {
		return err
	}
	var all []error
	for i, fault := range faults {
		if i < 0 || i >= len(places) {
			return Outside(i, len(places), err)
		}
		all = append(all, leat.FaultAt(places[i], fault))
	}
	return errors.Join(all...)
}

// Outside is the error of a handler that tells of a fault at an index that its batch does not have.
func Outside(i, n int, err error) error {
	return fmt.Errorf("the handler tells of a fault at index %d of a batch of %d: %s", i, n, err)
}

// One is the error of a batch of one as that of its event.
func One(err error) error {
	if faults, told := leat.Faults(err); told {
		if fault := faults[0]; fault != nil && len(faults) == 1 {
			return fault
		}
	}
	return err
}
