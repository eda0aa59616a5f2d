package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

func TestWhatCanNotBeHandledIsDeadLetteredWithItsStory(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		structured := kgo.RecordHeader{Key: "content-type", Value: []byte("application/cloudevents+json")}
		typed := kgo.RecordHeader{Key: "ce_type", Value: []byte("test.order.placed.v1")}
		r.raw([]byte("a"), []byte("\x00\xff not an event"))
		r.raw([]byte("a"), []byte("{broken"), structured)
		r.raw([]byte("a"), []byte(`{"N":"text"}`), typed, kgo.RecordHeader{Key: "x", Value: []byte{1}})
		for i, key := range []string{"permanent", "exhausted", "panic", "fine"} {
			r.send(Placed{Key: key, N: i})
		}
		done := newLedger()
		r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			switch e.Key() {
			case "permanent":
				return leat.Permanent(errors.New("over the limit"))
			case "exhausted":
				return errors.New("still no")
			case "panic":
				panic("oops")
			}
			return done.note(ctx, e)
		}, quick)))
		r.awaitCommitted(7)

		const typ = "test.order.placed.v1"
		pos := func(offset int64) leat.Position { return leat.Position{Topic: r.topic.Name, Offset: offset} }
		want := []consumer.DeadLetter{
			{Source: pos(0), Reason: consumer.ReasonNotAnEvent},
			{Source: pos(1), Reason: consumer.ReasonNotAnEvent},
			{Source: pos(2), Reason: consumer.ReasonUndecodable, Handler: typ, Attempts: 1},
			{Source: pos(3), Reason: consumer.ReasonPermanent, Handler: typ, Attempts: 1, Error: "over the limit"},
			{Source: pos(4), Reason: consumer.ReasonExhausted, Handler: typ, Attempts: 3, Error: "still no"},
			{Source: pos(5), Reason: consumer.ReasonPanic, Handler: typ, Attempts: 2, Error: "handler panicked: oops"},
		}
		letters := r.deadLetters()
		var got []consumer.DeadLetter
		for _, l := range letters {
			got = append(got, l.DeadLetter)
		}
		for i := range want {
			want[i].Group, want[i].Version = r.group, "v-test"
		}
		byOffset := cmpopts.SortSlices(func(a, b consumer.DeadLetter) bool { return a.Source.Offset < b.Source.Offset })
		told := cmpopts.IgnoreFields(consumer.DeadLetter{}, "Timestamp", "FirstFailure", "LastFailure", "Stack", "Error")
		if diff := cmp.Diff(want, got, byOffset, told); diff != "" {
			t.Fatalf("dead letters (-want +got):\n%s", diff)
		}
		for _, l := range letters {
			w := want[l.Source.Offset]
			if l.Error == "" || w.Error != "" && l.Error != w.Error {
				t.Errorf("error of %v is %q, want %q", l.Source, l.Error, w.Error)
			}
			if (l.Stack != "") != (l.Reason == consumer.ReasonPanic) {
				t.Errorf("stack of %v is %q", l.Source, l.Stack)
			}
			if l.Timestamp.IsZero() || l.FirstFailure.IsZero() || l.LastFailure.Before(l.FirstFailure) {
				t.Errorf("times of %v: %v %v %v", l.Source, l.Timestamp, l.FirstFailure, l.LastFailure)
			}
		}
		r.sameAsSource(letters)
		if n := done.len(); n != 1 {
			t.Errorf("%d effects, want 1", n)
		}
	})
}

// sameAsSource checks that dead letters keep key, value and headers of their records.
func (r *rig) sameAsSource(letters []letter) {
	r.t.Helper()
	source := r.b.ReadAll(r.t, r.topic.Name, kgo.ReadCommitted())
	for _, l := range letters {
		from := source[l.Source.Offset]
		kept := l.rec.Headers[:len(from.Headers)]
		if diff := cmp.Diff(from.Headers, kept, cmpopts.EquateEmpty()); diff != "" {
			r.t.Errorf("headers of %v (-source +letter):\n%s", l.Source, diff)
		}
		if string(l.rec.Key) != string(from.Key) || string(l.rec.Value) != string(from.Value) {
			r.t.Errorf("key or value of %v changed", l.Source)
		}
		if l.rec.Partition != l.Source.Partition {
			r.t.Errorf("letter of %v on partition %d", l.Source, l.rec.Partition)
		}
	}
}

func TestAStrictGroupRefusesTypesWithoutAHandler(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(Paid{Key: "a"}, Placed{Key: "a"})
		done := newLedger()
		cfg := r.config(consumer.On(r.topic, done.note))
		cfg.Strict = true
		r.start(cfg)
		r.awaitCommitted(2)
		letters := r.deadLetters()
		if len(letters) != 1 || letters[0].Reason != consumer.ReasonUnhandled || letters[0].Source.Offset != 0 {
			t.Errorf("dead letters %+v", letters)
		}
	})
}

func TestForeignRecordsAreReadAsTheTopicSays(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.topic.Foreign = Placed{}
		r.raw([]byte("a"), []byte(`{"Key":"a","N":0}`))
		done := newLedger()
		r.start(r.config(consumer.On(r.topic, done.note)))
		r.awaitCommitted(1)
		done.inOrder(t, 1, 1)
	})
}

func TestOnExhaustedEndsAnEventInPlaceOfTheDeadLetter(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.send(Placed{Key: "used-up"}, Placed{Key: "permanent"}, Placed{Key: "both-fail"})
		r.raw([]byte("x"), []byte("nonsense"), kgo.RecordHeader{Key: "ce_type", Value: []byte("test.order.placed.v1")})
		no := errors.New("no")
		var ended nameSet
		r.start(r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "permanent" {
				return leat.Permanent(no)
			}
			return no
		}, quick, consumer.OnExhausted(func(_ context.Context, e *leat.Event[Placed], cause error) error {
			if !errors.Is(cause, no) {
				t.Errorf("cause %v", cause)
			}
			if e.Key() == "both-fail" {
				return errors.New("nor this")
			}
			ended.add(e.Key())
			return nil
		}))))
		r.awaitCommitted(4)
		if n := ended.len(); n != 2 {
			t.Errorf("OnExhausted ended %d, want 2", n)
		}
		letters := r.deadLetters()
		if len(letters) != 2 {
			t.Fatalf("dead letters %+v", letters)
		}
		for _, l := range letters {
			switch l.Source.Offset {
			case 2:
				if l.Reason != consumer.ReasonExhausted || !strings.Contains(l.Error, "no; then OnExhausted: nor this") {
					t.Errorf("letter %+v", l.DeadLetter)
				}
			case 3:
				if l.Reason != consumer.ReasonUndecodable {
					t.Errorf("letter %+v", l.DeadLetter)
				}
			default:
				t.Errorf("letter %+v", l.DeadLetter)
			}
		}
	})
}

// A record near the topic's limit still fits with its story: the dead-letter topic takes more.
func TestARecordAtTheLimitIsDeadLetteredWhole(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.topic.Name = r.b.CreateTopic(t, r.b.Name("limited"), 1, map[string]string{"max.message.bytes": "200000"})
		value := noise(199_800)
		r.raw([]byte("a"), value)
		r.start(r.config(consumer.On(r.topic, newLedger().note)))
		r.awaitCommitted(1)
		letters := r.deadLetters()
		if len(letters) != 1 || !bytes.Equal(letters[0].rec.Value, value) || letters[0].Omitted != nil {
			t.Fatalf("%d dead letters, or not whole", len(letters))
		}
	})
}

// noise is bytes that do not compress.
func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

// deep panics under n frames.
func deep(n int) error {
	if n == 0 {
		panic(strings.Repeat("long story ", 50))
	}
	return errors.Join(deep(n - 1))
}

// Where somebody made the dead-letter topic too small, the letter leaves out what it must: first the
// stack, then most of the error, at last the value, which still lies at the source.
func TestALetterTooLargeForItsTopicLeavesThingsOut(t *testing.T) {
	conform(t, 1, func(t *testing.T, r *rig) {
		r.b.CreateTopic(t, leat.DeadLetters(r.topic.Name, r.group), 1, map[string]string{"max.message.bytes": "2600"})
		r.send(Placed{Key: "small"}, Placed{Key: "large", Note: strings.Repeat("x", 3000)})
		cfg := r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			return deep(50)
		}, quick))
		cfg.Kafka.Properties = map[string]string{"compression.type": "none"}
		r.start(cfg)
		r.awaitCommitted(2)
		letters := r.deadLetters()
		if len(letters) != 2 {
			t.Fatalf("%d dead letters, want 2", len(letters))
		}
		for _, l := range letters {
			var want []string
			switch l.Source.Offset {
			case 0:
				want = []string{"stack"}
				if len(l.rec.Value) == 0 || l.Error == "" {
					t.Errorf("value %q, error %q", l.rec.Value, l.Error)
				}
			case 1:
				want = []string{"stack", "error", "value"}
			}
			if diff := cmp.Diff(want, l.Omitted); diff != "" {
				t.Errorf("omitted of %v (-want +got):\n%s", l.Source, diff)
			}
		}
	})
}

func TestNothingIsCommittedPastARecordThatCanNotBeDeadLettered(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(3, 10)...)
		dlq := leat.DeadLetters(r.topic.Name, r.group)
		r.b.CreateTopic(t, dlq, 1, nil)
		fault := r.b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: dlq, Err: kerr.TopicAuthorizationFailed, Count: -1})
		done := newLedger()
		m := r.start(r.config(consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			if e.Key() == "k1" && e.Data.N == 0 {
				return leat.Permanent(errors.New("no"))
			}
			return done.note(ctx, e)
		})))
		done.await(t, 20) // the other keys
		time.Sleep(20 * time.Second)
		if sum := r.committedSum(); sum != 1 {
			t.Errorf("committed %d, want 1: what lies below the record", sum)
		}
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), dlq) {
			t.Errorf("Ready: %v", err)
		}
		fault.Remove()
		r.awaitCommitted(30)
		if fault.Hits() < 5 {
			t.Errorf("%d faults met, want at least 5", fault.Hits())
		}
		leattest.Eventually(t, "ready again", m.Ready)
		if letters := r.deadLetters(); len(letters) != 1 {
			t.Errorf("%d dead letters, want 1", len(letters))
		}
		if n := done.len(); n != 29 {
			t.Errorf("%d effects, want 29", n)
		}
	})
}
