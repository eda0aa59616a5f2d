package redrive_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/leattest/broker"
)

// springs writes dead letters as Spring Kafka does, of the offsets and of another group.
func (r *rig) springs(t *testing.T, b *broker.Broker, from string, offsets ...uint64) {
	t.Helper()
	dead := func(group string, offset uint64) *kgo.Record {
		return &kgo.Record{Topic: from, Key: []byte("k"), Value: []byte(`{"Key":"k","N":7}`), Headers: []kgo.RecordHeader{
			{Key: "ce_type", Value: []byte(placed{}.EventType())},
			{Key: "kafka_dlt-original-topic", Value: []byte(r.topic.Name)},
			{Key: "kafka_dlt-original-partition", Value: make([]byte, 4)},
			{Key: "kafka_dlt-original-offset", Value: binary.BigEndian.AppendUint64(nil, offset)},
			{Key: "kafka_dlt-original-timestamp", Value: make([]byte, 8)},
			{Key: "kafka_dlt-original-consumer-group", Value: []byte(group)},
			{Key: "kafka_dlt-exception-message", Value: []byte("no luck")},
		}}
	}
	for _, offset := range offsets {
		b.Produce(t, dead(r.group, offset), dead(r.group, offset), dead("other", offset), &kgo.Record{Topic: from, Value: []byte("x")})
	}
}

// Spring's dead letters become the group's, each once, whatever has become of them, and go back to it.
func TestSpringsDeadLettersAreAdoptedOnce(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}}))
		r.letters(t, 3)
		from := b.CreateTopic(t, r.topic.Name+"-dlt", 1, nil)
		r.springs(t, b, from, 3, 1, 4) // of 1 the group has a letter
		adopt := func(want, others int) {
			t.Helper()
			letters, passed, err := redrive.Adoptable(t.Context(), r.client, r.group, from)
			if err != nil || len(letters) != want || passed != others {
				t.Fatalf("%d letters can be adopted, %d passed over (%v), want %d and %d", len(letters), passed, err, want, others)
			}
			n, err := r.job("").Adopt(t.Context(), letters)
			if err != nil || n != want {
				t.Fatalf("%d letters adopted (%v), want %d", n, err, want)
			}
			if n, err := r.job("").Adopt(t.Context(), letters); err != nil || n != 0 {
				t.Errorf("again: %d letters adopted (%v), want none", n, err)
			}
		}
		adopt(2, 6)
		story, err := redrive.Read(t.Context(), r.client, r.group, r.topic.Name)
		if err != nil {
			t.Fatal(err)
		}
		all := story.Letters()
		if len(all) != 5 || all[4].Source.Offset != 4 || all[4].Error != "no luck" || all[4].Attempts != 1 || all[4].LastFailure.IsZero() || len(all[4].Headers) != 1 {
			t.Fatalf("the group's letters are %d, the last %+v", len(all), all[len(all)-1])
		}
		r.failing()
		j := r.job(redrive.Redriven)
		j.Filter.Source, j.Wait = &leat.Position{Topic: r.topic.Name, Offset: 4}, true
		if n, err := j.Run(t.Context()); err != nil || n.Handled != 1 {
			t.Fatalf("redriven: %+v (%v), want one handled", n, err)
		}
		r.effects(t, 3, 4, 7)
		adopt(0, 6)
		r.states(t, redrive.Open, redrive.Open, redrive.Open, redrive.Open, redrive.Done)
	})
}
