package letter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

// springDead is a dead letter as spring-kafka 4.1.1 writes it, by the names of the prefix.
func springDead(prefix string, more ...leat.Header) []leat.Header {
	h := func(key string, value ...byte) leat.Header { return leat.Header{Key: prefix + key, Value: value} }
	return append([]leat.Header{
		{Key: "own", Value: []byte("x")},
		h("exception-fqcn", []byte("org.springframework.kafka.listener.ListenerExecutionFailedException")...),
		h("exception-cause-fqcn", []byte("java.lang.IllegalStateException")...), h("exception-message", []byte("Listener failed; no luck")...),
		h("exception-stacktrace", []byte("at home")...), h("original-topic", []byte("orders")...), h("original-partition", 0, 0, 0, 3),
		h("original-offset", 0, 0, 0, 0, 0, 0, 1, 2), h("original-timestamp", 0, 0, 1, 0xa0, 0xc4, 0x50, 0x6c, 0x7b),
		h("original-timestamp-type", []byte("CreateTime")...),
		{Key: "kafka_dlt-original-consumer-group", Value: []byte("g")},
	}, more...)
}

func TestADeadLetterOfSpringsIsRead(t *testing.T) {
	t.Parallel()
	want := letter.DeadLetter{
		Source: leat.Position{Topic: "orders", Partition: 3, Offset: 258}, Timestamp: time.UnixMilli(1_790_000_000_123).UTC(), Group: "g",
		Reason: letter.ReasonExhausted, Error: "Listener failed; no luck", Stack: "at home", Attempts: 1,
	}
	attempts := leat.Header{Key: "retry_topic-attempts", Value: []byte{0, 0, 0, 5}}
	was := letter.DeadLetter{Source: want.Source, Group: "g", Reason: letter.ReasonPermanent, Error: "before", Attempts: 2, FirstFailure: time.Unix(100, 0).UTC(), Handler: "h"}
	for name, tt := range map[string]struct {
		headers []leat.Header
		change  func(*letter.DeadLetter)
	}{
		"recoverer":    {springDead("kafka_dlt-"), func(*letter.DeadLetter) {}},
		"retry topics": {springDead("kafka_", attempts), func(d *letter.DeadLetter) { d.Attempts = 4 }},
		"after leat's": {
			append(springDead("kafka_", was.Headers()...), attempts),
			func(d *letter.DeadLetter) { d.Attempts, d.FirstFailure, d.Handler = 4, was.FirstFailure, "h" },
		},
		"undecodable": {
			springDead("kafka_dlt-", leat.Header{Key: "kafka_dlt-exception-cause-fqcn", Value: []byte("org.springframework.kafka.support.serializer.DeserializationException")}),
			func(d *letter.DeadLetter) { d.Reason = letter.ReasonUndecodable },
		},
	} {
		expected := want
		tt.change(&expected)
		got, own, err := letter.ParseSpring(tt.headers)
		if diff := cmp.Diff(expected, got); diff != "" || err != nil {
			t.Errorf("%s (-want +got): %v\n%s", name, err, diff)
		}
		if len(own) != 1 || own[0].Key != "own" {
			t.Errorf("%s: the event's own headers are %v", name, own)
		}
	}
	for name, headers := range map[string][]leat.Header{
		"none": nil, "no topic": springDead("kafka_", leat.Header{Key: "kafka_original-topic"}), "no number": springDead("kafka_", leat.Header{Key: "kafka_original-offset", Value: []byte("7")}),
		"below 0": springDead("kafka_", leat.Header{Key: "kafka_original-partition", Value: []byte{0xff, 0, 0, 0}}),
	} {
		if d, _, err := letter.ParseSpring(headers); !errors.Is(err, letter.ErrNotADeadLetter) {
			t.Errorf("%s: %+v %v, want ErrNotADeadLetter", name, d, err)
		}
	}
}

func FuzzParseSpring(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1}, []byte{0, 0, 0, 0, 0, 0, 0, 7}, []byte{0, 0, 0, 2}, []byte("x"))
	f.Add([]byte{0xff, 0, 0, 1}, []byte{0xff, 0, 0, 0, 0, 0, 0, 7}, []byte{0x80}, []byte("\xff"))
	f.Fuzz(func(t *testing.T, partition, offset, attempts, said []byte) {
		d, own, err := letter.ParseSpring(springDead(
			"kafka_", leat.Header{Key: "kafka_original-partition", Value: partition}, leat.Header{Key: "kafka_original-offset", Value: offset},
			leat.Header{Key: "retry_topic-attempts", Value: attempts}, leat.Header{Key: "kafka_exception-message", Value: said},
		))
		if err != nil {
			return
		}
		if d.Source.Partition < 0 || d.Source.Offset < 0 || d.Attempts < 1 || len(own) != 1 {
			t.Fatalf("%+v, own headers %v", d, own)
		}
		if again, err := letter.ParseDeadLetter(d.Headers()); err != nil || again.Source != d.Source || again.Attempts != d.Attempts {
			t.Fatalf("written and read again: %+v (%v), was %+v", again, err, d)
		}
	})
}
