package kafka

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrNoTopic says that a topic does not exist.
var ErrNoTopic = errors.New("the topic does not exist")

// ErrNotAllowed says that this user may not do that to the topic.
var ErrNotAllowed = errors.New("not allowed")

// ErrTooLarge says that a message is larger than the client or its topic allows.
var ErrTooLarge = errors.New("the message is too large")

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

// IsAway says whether err tells of brokers that can't be reached, or can't serve, at the moment: the
// same call may succeed a little later. What the cluster refuses is not.
func IsAway(err error) bool {
	if _, ok := errors.AsType[*kgo.ErrFirstReadEOF](err); ok { // a proxy or a broker that is going away
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || kgo.IsRetryableBrokerErr(err) || kerr.IsRetriable(err)
}

// produceError says what a failure to write means and what to try.
func produceError(op, topic string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Op: op, Topic: topic, Partition: -1, Err: err}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		e.Err = fmt.Errorf("%w (%w)", ErrNoTopic, err)
		e.Hint = "its owner creates it at start; see: leat topic plan"
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		e.Err = fmt.Errorf("%w (%w)", ErrTooLarge, err)
		e.Hint = "raise the topic's max.message.bytes and the client's max.request.size, or send less"
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		e.Err = fmt.Errorf("%w (%w)", ErrNotAllowed, err)
		e.Hint = "this user needs the right to Write and Describe on the topic"
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		e.Hint = "this user needs the right to Write and Describe on the transactional id"
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		e.Hint = "this user needs the right to IdempotentWrite on the cluster"
	case errors.Is(err, kerr.NotEnoughReplicas), errors.Is(err, kerr.NotEnoughReplicasAfterAppend):
		e.Hint = "fewer replicas are in sync than min.insync.replicas asks for: look for brokers that are down"
	case errors.Is(err, kgo.ErrRecordTimeout):
		e.Hint = "no acknowledgement in time: look for brokers that are down; the event may or may not be in the log"
	}
	return e
}
