package letter

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/leatdev/leat"
)

var errNotSprings = fmt.Errorf("%w of Spring Kafka's", ErrNotADeadLetter)

// springAttempts says which attempt comes next.
const springAttempts = "retry_topic-attempts"

// undecodableBySpring is the exception of Spring's deserializers.
const undecodableBySpring = "org.springframework.kafka.support.serializer.DeserializationException"

// ParseSpring reads a dead letter of Spring Kafka's, which DeadLetterPublishingRecoverer or the
// retry topics of @RetryableTopic have written: its story, and the event's own headers. Group is "" where
// Spring was older than 2.8, and Attempts 1 where nothing says how many there were. An error is an
// [ErrNotADeadLetter].
func ParseSpring(headers []leat.Header) (d DeadLetter, own []leat.Header, err error) {
	last := map[string][]byte{}
	story := len(headers) // of leat, where Spring has passed on what leat wrote
	for i, h := range headers {
		last[h.Key] = h.Value
		if h.Key == HeaderReason {
			story = i
		}
	}
	for _, h := range headers[:story] {
		if !OfSpring(h.Key) {
			own = append(own, h)
		}
	}
	said := func(name string) []byte { // the recoverer names its headers in its own way
		if v, ok := last["kafka_dlt-"+name]; ok {
			return v
		}
		return last["kafka_"+name]
	}
	partition, offset, stamp := said("original-partition"), said("original-offset"), said("original-timestamp")
	if len(partition) != 4 || len(offset) != 8 || len(stamp) != 8 || len(said("original-topic")) == 0 {
		return d, nil, errNotSprings
	}
	if was, err := ParseDeadLetter(headers); err == nil {
		d = was
	}
	d.Source = leat.Position{
		Topic: string(said("original-topic")), Partition: int32(binary.BigEndian.Uint32(partition)),
		Offset: int64(binary.BigEndian.Uint64(offset)),
	}
	if d.Source.Partition < 0 || d.Source.Offset < 0 {
		return d, nil, errNotSprings
	}
	d.Timestamp = time.UnixMilli(int64(binary.BigEndian.Uint64(stamp))).UTC()
	d.Group = cmp.Or(string(said("original-consumer-group")), d.Group)
	d.Attempts = max(d.Attempts, SpringNext(last[springAttempts])-1)
	d.Error = Clip(string(said("exception-message")), MaxError)
	d.Stack = Clip(string(said("exception-stacktrace")), MaxStack)
	d.Reason = ReasonExhausted
	for _, class := range []string{"exception-fqcn", "exception-cause-fqcn", "key-exception-fqcn"} {
		if strings.HasPrefix(string(said(class)), undecodableBySpring) {
			d.Reason = ReasonUndecodable
		}
	}
	return d, own, nil
}

// OfSpring says whether Spring adds headers of this name on the way.
func OfSpring(name string) bool {
	for _, prefix := range []string{"kafka_original-", "kafka_dlt-", "kafka_exception-", "kafka_key-exception-", "retry_topic-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// SpringNext is which attempt comes next by Spring's header: the second where it says nothing.
func SpringNext(b []byte) int {
	switch len(b) {
	case 1: // of old versions
		return max(2, int(int8(b[0])))
	case 4:
		return max(2, int(int32(binary.BigEndian.Uint32(b))))
	}
	return 2
}
