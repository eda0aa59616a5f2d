package mail

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

const retryVersion = "v1"

// retryHeader says it of an event that is on its way.
func retryHeader(d *Deferral) kgo.RecordHeader {
	return kgo.RecordHeader{Key: letter.HeaderRetry, Value: fmt.Appendf(nil, "%s %d %d", retryVersion, d.Tier, d.Due.UnixMilli())}
}

// parseRetry reads it; false says that the record has none.
func parseRetry(headers []kgo.RecordHeader) (tier int, due time.Time, ok bool) {
	if len(headers) == 0 || headers[len(headers)-1].Key != letter.HeaderRetry {
		return 0, due, false
	}
	words := strings.Split(string(headers[len(headers)-1].Value), " ")
	if len(words) != 3 || words[0] != retryVersion {
		return 0, due, false
	}
	n, err := strconv.ParseUint(words[1], 10, 16)
	at, errAt := strconv.ParseInt(words[2], 10, 64)
	if err != nil || errAt != nil || n < 1 || at < 0 {
		return 0, due, false
	}
	return int(n), time.UnixMilli(at), true
}

// RetryTopic is a topic in which events of a source wait.
type Topic struct {
	Name   string
	Source string
	Group  string           // that could not handle them
	Tiers  []leat.RetryTier // all of the source's
	Spring bool             // by Spring's names and headers
}

// Waiting is an event out of a retry topic.
type Waiting struct {
	Event *kgo.Record       // as it was at its source
	Story letter.DeadLetter // what has happened to it so far
	Tier  int               // from 1 on
	Due   time.Time
}

// Read takes the event out of a record; false says that the record carries none of the group's. With
// Spring's names groups may share a topic.
func (t *Topic) Read(rec *kgo.Record) (w Waiting, ok bool) {
	d, err := letter.ParseDeadLetter(Headers(rec))
	tier, due, ours := parseRetry(rec.Headers)
	switch {
	case ours && err == nil:
	case t.Spring:
		d, tier, due, err = t.readSpring(rec, d)
	default:
		return w, false
	}
	if err != nil || d.Source.Topic != t.Source || ours && d.Group != t.Group {
		return w, false
	}
	event := &kgo.Record{
		Topic: d.Source.Topic, Partition: d.Source.Partition, Offset: d.Source.Offset, LeaderEpoch: -1,
		Key: rec.Key, Value: rec.Value, Headers: t.ownHeaders(rec.Headers), Timestamp: d.Timestamp,
	}
	return Waiting{event, d, tier, due}, true
}

// ownHeaders are the event's own: those before the story, which begins with the reason, without what
// Spring has added.
func (t *Topic) ownHeaders(headers []kgo.RecordHeader) []kgo.RecordHeader {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == letter.HeaderReason {
			headers = headers[:i:i]
			break
		}
	}
	if t.Spring {
		return slices.DeleteFunc(slices.Clone(headers), func(h kgo.RecordHeader) bool { return letter.OfSpring(h.Key) })
	}
	return headers
}
