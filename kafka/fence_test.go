package kafka

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A fence that a record met comes as an error that tells of its topic already.
func TestAFenceThatARecordMetIsAFence(t *testing.T) {
	t.Parallel()
	met := &Error{Op: "produce to", Topic: "t", Partition: -1, Err: kerr.InvalidProducerEpoch}
	err := new(Transactor).fail("produce", met)
	if !errors.Is(err, ErrFenced) || !errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, ErrNoTopic) {
		t.Errorf("got %v", err)
	}
}
