package mail

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/letter"
)

// AtSource is the record of an event of the source topic that came back, as it was there; nil where a
// record of a redrive topic is none. Its own place stays that of the record that was read.
func AtSource(rec *kgo.Record, source string) *kgo.Record {
	back, ok := letter.ParseReturned(Headers(rec))
	if !ok || back.Source.Topic != source {
		return nil
	}
	last := len(rec.Headers) - 1
	return &kgo.Record{
		Topic: back.Source.Topic, Partition: back.Source.Partition, Offset: back.Source.Offset, LeaderEpoch: -1,
		Key: rec.Key, Value: rec.Value, Headers: rec.Headers[:last:last], Timestamp: back.Timestamp,
	}
}
