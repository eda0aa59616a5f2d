package consumer

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/park"
)

// parkRecord is a record of a park partition. One that carries an event has its value and its headers,
// behind these the time of its record at the source, which the broker's own time replaces; one that
// gives an event up has the story of its dead letter. What it says stands in the last header.
func parkRecord(topic string, partition int32, rec park.Record, event *kgo.Record, story []leat.Header) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: partition}
	if rec.Kind != park.Mark {
		r.Key = rec.Key.Bytes()
	}
	if event != nil {
		r.Value = event.Value
		r.Headers = make([]kgo.RecordHeader, 0, len(event.Headers)+2)
		r.Headers = append(r.Headers, event.Headers...)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderTimestamp, Value: []byte(stamp(event.Timestamp))})
	}
	for _, h := range story {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	r.Headers = append(r.Headers, kgo.RecordHeader(rec.Header()))
	return r
}

// carried is an event out of a park partition, as it was at its source, and what its record says.
type carried struct {
	*kgo.Record
	says park.Record
}

// carriedBy takes the event out of a record that carries one.
func carriedBy(source at, r *kgo.Record) (carried, error) {
	says, err := park.Parse(r.Key, headersOf(r))
	if err != nil {
		return carried{}, err
	}
	if !says.Kind.Carries() {
		return carried{}, fmt.Errorf("offset %d of %s/%d: %w: a %v where an event is due", r.Offset, r.Topic, r.Partition, park.ErrMalformed, says.Kind)
	}
	event := &kgo.Record{
		Topic: source.topic, Partition: source.partition, Offset: says.Offset, LeaderEpoch: -1,
		Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: r.Headers[: len(r.Headers)-1 : len(r.Headers)-1],
	}
	if last := len(event.Headers) - 1; last >= 0 && event.Headers[last].Key == HeaderTimestamp {
		at, err := time.Parse(time.RFC3339Nano, string(event.Headers[last].Value))
		if err != nil {
			return carried{}, fmt.Errorf("offset %d of %s/%d: header %s: %w", r.Offset, r.Topic, r.Partition, HeaderTimestamp, err)
		}
		event.Timestamp = at
		event.Headers = event.Headers[:last:last]
	}
	return carried{event, says}, nil
}

// recordSize is at least what a record takes in a batch of its own.
func recordSize(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value) + 128
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

// story is what the dead letter of an event is to tell, in its round.
type story struct {
	round  int32
	letter DeadLetter
}

// of is the story where it is of the round.
func (s story) of(round int32) *DeadLetter {
	if s.round != round || s.letter.Reason == "" {
		return nil
	}
	return &s.letter
}
