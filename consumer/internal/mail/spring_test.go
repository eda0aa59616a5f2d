package mail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

// springWaits is a retry topic with Spring's names, where the last two delays share one.
func springWaits() *Topic {
	policy := leat.RetryTopics{Delays: []time.Duration{time.Second, 2 * time.Second, 2 * time.Second}, Spring: &leat.SpringRetries{}}
	return &Topic{Name: "orders-retry-2000", Source: "orders", Group: "g", Tiers: policy.Tiers("orders", "g"), Spring: true}
}

// bySpring is a record as spring-kafka 4.1.1 writes it into a retry topic, after the given attempts.
func bySpring(attempts byte) *kgo.Record {
	h := func(key string, value ...byte) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: value} }
	return &kgo.Record{
		Topic: "orders-retry-2000", Partition: 0, Offset: 77, Key: []byte("k"), Value: []byte("v"),
		Headers: []kgo.RecordHeader{
			h("own", 'x'),
			h(springTopic, []byte("orders")...), h(springPartition, 0, 0, 0, 3), h(springOffset, 0, 0, 0, 0, 0, 0, 1, 2),
			h(springTimestamp, binary.BigEndian.AppendUint64(nil, 1_790_000_000_123)...), h(springTimeType, []byte("CreateTime")...),
			h(springGroup, []byte("g")...), h(springClass, []byte("java.lang.IllegalStateException")...), h(springMessage, []byte("no")...),
			h(springOriginal, 1, 0xa0, 0xc4, 0x50, 0x6c, 0x7b), h(springAttempts, 0, 0, 0, 2), h(springDue, 1, 0xa0, 0xc4, 0x50, 0x74, 0x4b),
			h(springAttempts, 0, 0, 0, attempts), h(springDue, bigInteger(1_790_000_002_123)...),
		},
	}
}

func TestWhatSpringLeftInItsRetryTopicsIsRead(t *testing.T) {
	t.Parallel()
	r := springWaits()
	for next, tier := range map[byte]int{3: 2, 4: 3, 9: 3, 2: 2} {
		w, ok := r.Read(bySpring(next))
		if !ok {
			t.Fatal("it was passed over")
		}
		src := w.Event
		at := leat.Position{Topic: src.Topic, Partition: src.Partition, Offset: src.Offset}
		if at != (leat.Position{Topic: "orders", Partition: 3, Offset: 258}) || src.Timestamp.UnixMilli() != 1_790_000_000_123 || len(src.Headers) != 1 || src.Headers[0].Key != "own" {
			t.Errorf("it lay at %v, of %v, with headers %v", at, src.Timestamp, src.Headers)
		}
		if w.Tier != tier || w.Story.Attempts != int(next)-1 || w.Due.UnixMilli() != 1_790_000_002_123 {
			t.Errorf("attempt %d: tier %d after %d attempts, due %v; want tier %d", next, w.Tier, w.Story.Attempts, w.Due, tier)
		}
	}
	r.Source = "payments"
	if _, ok := r.Read(bySpring(2)); ok {
		t.Error("an event of another source was taken")
	}
}

// What leat writes is what Spring reads, and what it reads again: by its own header, and when Spring
// has passed it on.
func TestWhatIsWrittenForSpringIsReadAgain(t *testing.T) {
	t.Parallel()
	r := springWaits()
	first := time.UnixMilli(1_790_000_001_000).UTC()
	due := first.Add(2 * time.Second)
	event := &kgo.Record{Topic: "orders", Partition: 3, Offset: 258, Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "own", Value: []byte("x")}}, Timestamp: time.UnixMilli(1_790_000_000_123)}
	rec := (&Writer{group: "g"}).Record(&Note{
		Event: event, Spring: true, Cause: errors.New("no"), Later: &Deferral{Topic: r.Tiers[1].Topic, Tier: 2, Due: due},
		Story: letter.DeadLetter{
			Source: leat.Position{Topic: "orders", Partition: 3, Offset: 258}, Timestamp: event.Timestamp, Group: "g", Reason: letter.ReasonExhausted,
			Error: "no", Attempts: 5, FirstFailure: first, LastFailure: first, Version: "v",
		},
	})
	got := map[string][]byte{}
	for _, h := range rec.Headers {
		got[h.Key] = h.Value
	}
	for key, want := range map[string][]byte{
		springTopic: []byte("orders"), springPartition: {0, 0, 0, 3}, springOffset: {0, 0, 0, 0, 0, 0, 1, 2},
		springTimestamp: {0, 0, 1, 0xa0, 0xc4, 0x50, 0x6c, 0x7b}, springOriginal: {1, 0xa0, 0xc4, 0x50, 0x6c, 0x7b},
		springAttempts: {0, 0, 0, 3}, springDue: bigInteger(due.UnixMilli()),
		springMessage: []byte("no"), springTimeType: []byte("CreateTime"),
	} {
		if !bytes.Equal(got[key], want) {
			t.Errorf("%s is %x, want %x", key, got[key], want)
		}
	}
	if rec.Topic != "orders-retry-2000" || rec.Partition != 3 {
		t.Errorf("it goes to %s/%d", rec.Topic, rec.Partition)
	}
	w, ok := r.Read(rec)
	if !ok || w.Tier != 2 || w.Story.Attempts != 5 || !w.Story.FirstFailure.Equal(first) || !w.Due.Equal(due) {
		t.Fatalf("read again: %t %+v", ok, w)
	}
	if diff := cmp.Diff(event.Headers, w.Event.Headers); diff != "" {
		t.Errorf("headers (-source +again):\n%s", diff)
	}
	other := *r
	other.Group = "other"
	if _, ok := other.Read(rec); ok {
		t.Error("another group's event was taken")
	}
	passedOn := *rec
	passedOn.Headers = append(rec.Headers[:len(rec.Headers):len(rec.Headers)],
		kgo.RecordHeader{Key: springAttempts, Value: []byte{0, 0, 0, 4}}, kgo.RecordHeader{Key: springDue, Value: bigInteger(99)})
	w, ok = r.Read(&passedOn)
	if !ok || w.Tier != 3 || w.Story.Attempts != 5 || w.Due.UnixMilli() != 99 || len(w.Event.Headers) != 1 {
		t.Errorf("passed on by Spring: %t %+v", ok, w)
	}
}

func TestNumbersAreThoseOfJavasBigInteger(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64][]byte{0: {0}, 127: {127}, 128: {0, 128}, 256: {1, 0}, 1_790_000_000_123: {1, 0xa0, 0xc4, 0x50, 0x6c, 0x7b}} {
		if got := bigInteger(n); !bytes.Equal(got, want) {
			t.Errorf("%d is %x, want %x", n, got, want)
		}
		if back, ok := fromBigInteger(want); !ok || back != n {
			t.Errorf("%x is %d, %t", want, back, ok)
		}
	}
}

func FuzzRetried(f *testing.F) {
	f.Add([]byte("v1 1 1000"), []byte{0, 0, 0, 2}, []byte{1, 2}, []byte{0, 0, 0, 1})
	f.Add([]byte("v1 0 -1"), []byte{9}, []byte{0xff}, []byte{})
	f.Fuzz(func(t *testing.T, own, attempts, due, partition []byte) {
		r := springWaits()
		rec := bySpring(2)
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: springAttempts, Value: attempts}, kgo.RecordHeader{Key: springDue, Value: due},
			kgo.RecordHeader{Key: springPartition, Value: partition}, kgo.RecordHeader{Key: letter.HeaderRetry, Value: own})
		if w, ok := r.Read(rec); ok && (w.Event.Partition < 0 || w.Tier < 1 || w.Story.Attempts < 1) {
			t.Errorf("%+v", w)
		}
		if tier, at, ok := parseRetry(rec.Headers); ok {
			again, atAgain, _ := parseRetry([]kgo.RecordHeader{retryHeader(&Deferral{Tier: tier, Due: at})})
			if again != tier || !atAgain.Equal(at) {
				t.Errorf("%q comes back as %d %v", own, again, atAgain)
			}
		}
	})
}
