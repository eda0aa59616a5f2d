package yard

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/letter"
	"github.com/leatdev/leat/consumer/park"
)

// Record is a record of a park partition. One that carries an event has its value and its headers,
// behind these the time of its record at the source, which the broker's own time replaces; one that
// gives an event up has the story of its dead letter. What it says stands in the last header.
func Record(topic string, partition int32, rec park.Record, event *kgo.Record, story []leat.Header) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: partition}
	if rec.Kind != park.Mark {
		r.Key = rec.Key.Bytes()
	}
	if event != nil {
		r.Value = event.Value
		r.Headers = make([]kgo.RecordHeader, 0, len(event.Headers)+2)
		r.Headers = append(r.Headers, event.Headers...)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: letter.HeaderTimestamp, Value: []byte(letter.Stamp(event.Timestamp))})
	}
	for _, h := range story {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	r.Headers = append(r.Headers, kgo.RecordHeader(rec.Header()))
	return r
}

// Event is an event out of a park partition, as it was at its source, and what its record says.
type Event struct {
	*kgo.Record
	Says park.Record
}

// EventOf takes the event of a source partition out of a record that carries one.
func EventOf(topic string, partition int32, r *kgo.Record) (Event, error) {
	says, err := park.Parse(r.Key, mail.Headers(r))
	if err != nil {
		return Event{}, err
	}
	if !says.Kind.Carries() {
		return Event{}, fmt.Errorf("offset %d of %s/%d: %w: a %v where an event is due", r.Offset, r.Topic, r.Partition, park.ErrMalformed, says.Kind)
	}
	event := &kgo.Record{
		Topic: topic, Partition: partition, Offset: says.Offset, LeaderEpoch: -1,
		Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: r.Headers[: len(r.Headers)-1 : len(r.Headers)-1],
	}
	if last := len(event.Headers) - 1; last >= 0 && event.Headers[last].Key == letter.HeaderTimestamp {
		at, err := time.Parse(time.RFC3339Nano, string(event.Headers[last].Value))
		if err != nil {
			return Event{}, fmt.Errorf("offset %d of %s/%d: header %s: %w", r.Offset, r.Topic, r.Partition, letter.HeaderTimestamp, err)
		}
		event.Timestamp = at
		event.Headers = event.Headers[:last:last]
	}
	return Event{event, says}, nil
}
