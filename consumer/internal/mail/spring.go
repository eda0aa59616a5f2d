package mail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

// Headers of Spring Kafka's retry topics, as @RetryableTopic writes and reads them (spring-kafka 2.7 to
// 4.1). Numbers are big-endian; those of retry_topic-*-timestamp as short as they can be.
const (
	springTopic     = "kafka_original-topic"
	springPartition = "kafka_original-partition" // int32
	springOffset    = "kafka_original-offset"    // int64
	springTimestamp = "kafka_original-timestamp" // int64, Unix milliseconds
	springTimeType  = "kafka_original-timestamp-type"
	springGroup     = "kafka_dlt-original-consumer-group"
	springClass     = "kafka_exception-fqcn"
	springMessage   = "kafka_exception-message"
	springStack     = "kafka_exception-stacktrace"

	springAttempts = "retry_topic-attempts"           // int32: which attempt comes next; one byte in old versions
	springOriginal = "retry_topic-original-timestamp" // as kafka_original-timestamp
	springDue      = "retry_topic-backoff-timestamp"  // Unix milliseconds
)

// springStory tells of an event that failed, and where it lay at its source.
func springStory(n *Note) []kgo.RecordHeader {
	timeType := "CreateTime"
	if n.Event.Attrs.TimestampType() == 1 {
		timeType = "LogAppendTime"
	}
	hs := []kgo.RecordHeader{
		{Key: springTopic, Value: []byte(n.Event.Topic)},
		{Key: springPartition, Value: binary.BigEndian.AppendUint32(nil, uint32(n.Event.Partition))},
		{Key: springOffset, Value: binary.BigEndian.AppendUint64(nil, uint64(n.Event.Offset))},
		{Key: springTimestamp, Value: binary.BigEndian.AppendUint64(nil, uint64(n.Event.Timestamp.UnixMilli()))},
		{Key: springTimeType, Value: []byte(timeType)},
		{Key: springGroup, Value: []byte(n.Story.Group)},
		{Key: springClass, Value: fmt.Appendf(nil, "%T", n.Cause)},
		{Key: springMessage, Value: []byte(letter.Clip(n.Story.Error, letter.MaxError))},
	}
	if n.Story.Stack != "" && n.Omit == 0 {
		hs = append(hs, kgo.RecordHeader{Key: springStack, Value: []byte(letter.Clip(n.Story.Stack, letter.MaxStack))})
	}
	return hs
}

// springRetry says which attempt comes next, and when.
func springRetry(n *Note) []kgo.RecordHeader {
	return []kgo.RecordHeader{
		{Key: springOriginal, Value: bigInteger(n.Event.Timestamp.UnixMilli())},
		{Key: springAttempts, Value: binary.BigEndian.AppendUint32(nil, uint32(n.Later.Tier+1))},
		{Key: springDue, Value: bigInteger(n.Later.Due.UnixMilli())},
	}
}

// bigInteger is a number as Java's BigInteger gives its bytes: two's complement, as few as do.
func bigInteger(n int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(n))
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

// fromBigInteger reads such bytes where they are a number from 0 on.
func fromBigInteger(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 16 || b[0] >= 0x80 {
		return 0, false
	}
	n := new(big.Int).SetBytes(b)
	return n.Int64(), n.IsInt64()
}

// errNotSpring is why a record of Spring's retry topics is passed over.
var errNotSpring = errors.New("no record of a retry topic of Spring Kafka")

// readSpring reads what Spring has written, into the story that leat has told before, if it has.
func (t *Topic) readSpring(rec *kgo.Record, d letter.DeadLetter) (letter.DeadLetter, int, time.Time, error) {
	last := map[string][]byte{}
	for _, h := range rec.Headers {
		last[h.Key] = h.Value
	}
	partition, offset, stamp := last[springPartition], last[springOffset], last[springTimestamp]
	due, ok := fromBigInteger(last[springDue])
	if !ok || len(partition) != 4 || len(offset) != 8 || len(stamp) != 8 {
		return d, 0, time.Time{}, errNotSpring
	}
	d.Source = leat.Position{
		Topic: string(last[springTopic]), Partition: int32(binary.BigEndian.Uint32(partition)),
		Offset: int64(binary.BigEndian.Uint64(offset)),
	}
	if d.Source.Partition < 0 || d.Source.Offset < 0 {
		return d, 0, time.Time{}, errNotSpring
	}
	d.Timestamp = time.UnixMilli(int64(binary.BigEndian.Uint64(stamp))).UTC()
	next := letter.SpringNext(last[springAttempts])
	d.Attempts = max(d.Attempts, next-1)
	return d, t.springTier(next), time.UnixMilli(due), nil
}

// springTier is the tier of the record: that of its topic, and where several are one topic, the one
// that the number of the attempt names.
func (t *Topic) springTier(next int) int {
	tier := 0
	for i := range t.Tiers {
		if t.Tiers[i].Topic == t.Name && (tier == 0 || i+2 <= next) {
			tier = i + 1
		}
	}
	return tier
}
