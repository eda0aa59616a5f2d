package outbox_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/outbox"
)

// One event is larger than its topic takes. It is parked with a letter in its place, and the others
// go on, those of its key too. The limit is lowered while the relay runs, so that the broker's
// refusal is the first it hears of it.
func TestAnEventThatIsTooLargeIsParkedAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		r, _ := w.relay()
		w.publish(moved{Key: "k", N: 1})
		w.empty()
		lower(t, w, "2000")
		for n := 2; n <= 21; n++ {
			pad := ""
			if n == 12 {
				pad = random(5000)
			}
			w.publish(moved{Key: "k", N: n, Pad: pad}, moved{Key: "other", N: n - 1})
		}
		w.empty()
		s, err := r.Status(t.Context())
		if err != nil || s.Parked != 1 {
			t.Errorf("%d parked, %v", s.Parked, err)
		}
		all := slices.DeleteFunc(w.distinct(w.topic.Name), func(s seen) bool { return s.Key == "probe" })
		if len(all) != 40 {
			t.Errorf("%d events left, want 40", len(all))
		}
		last := map[string]int{}
		for _, s := range all {
			if s.N <= last[s.Key] {
				t.Errorf("%s: version %d comes after %d", s.Key, s.N, last[s.Key])
			}
			last[s.Key] = s.N
		}
		letters := w.b.ReadAll(t, leat.DeadLetters(w.topic.Name, w.name), kgo.ReadCommitted())
		if len(letters) != 1 {
			t.Fatalf("%d letters", len(letters))
		}
		id := w.data.Int(t, `select id from leat_outbox_parked`)
		l := letters[0]
		var headers []leat.Header
		for _, h := range l.Headers {
			headers = append(headers, leat.Header(h))
		}
		story, err := consumer.ParseDeadLetter(headers)
		if err != nil || story.Reason != consumer.ReasonUnsendable || story.Error == "" || story.Group != w.name ||
			story.Source != (leat.Position{Topic: w.topic.Name, Partition: -1, Offset: id}) {
			t.Errorf("the letter's story is %+v, %v", story, err)
		}
		if header(l, outbox.HeaderRow) != fmt.Sprint(id) || header(l, "ce_type") != "test.thing.moved.v1" || string(l.Key) != "k" || len(l.Value) != 0 {
			t.Errorf("the letter is %+v", l)
		}
	})
}

// A letter that is refused itself keeps nobody up: the event is parked without it.
func TestALetterThatIsRefusedIsLeftOut(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		lower(t, w, "2000")
		w.publish(moved{Key: "k", N: 1}, moved{Key: random(150_000), N: 1}, moved{Key: "k", N: 2})
		w.relay()
		w.empty()
		if n := w.data.Int(t, `select count(*) from leat_outbox_parked`); n != 1 {
			t.Errorf("%d parked", n)
		}
		all := slices.DeleteFunc(w.distinct(w.topic.Name), func(s seen) bool { return s.Key == "probe" })
		inOrder(t, all, 2)
	})
}

// limit sets what the topic takes, in bytes.
func (w *world) limit(limit string) {
	w.t.Helper()
	t := w.t
	resp, err := kadm.NewClient(w.b.Client(t)).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}, w.topic.Name)
	if err == nil {
		_, err = resp.On(w.topic.Name, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lower sets what the topic takes, below 3,000 bytes, and waits until the broker holds to it.
func lower(t *testing.T, w *world, limit string) {
	t.Helper()
	w.limit(limit)
	probe := w.probe()
	leattest.Eventually(t, "the broker holds to the limit", func() error {
		err := probe()
		if errors.Is(err, kerr.MessageTooLarge) {
			return nil
		}
		return fmt.Errorf("a record that is too large: %w", cmp.Or(err, errors.New("taken")))
	})
}

// lift sets what the topic takes, above 4,000 bytes, and waits until the broker holds to it.
func lift(t *testing.T, w *world, limit string) {
	t.Helper()
	w.limit(limit)
	leattest.Eventually(t, "the broker takes more", w.probe())
}

// probe sends a record of 3,000 bytes.
func (w *world) probe() func() error {
	cl := w.b.Client(w.t)
	return func() error {
		value := []byte(`{"key":"probe","pad":"` + random(3000) + `"}`)
		return cl.ProduceSync(w.t.Context(), &kgo.Record{Topic: w.topic.Name, Key: []byte("probe"), Value: value}).FirstErr()
	}
}

// random does not compress.
func random(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(leat.NewID())
	}
	return b.String()[:n]
}

// What a topic takes is asked for anew before an event is parked for its size: the limit may have been
// raised while the relay runs.
func TestALimitThatIsRaisedIsReadAnew(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		r, _ := w.relay()
		lower(t, w, "2000")
		w.publish(moved{Key: "k", N: 1, Pad: random(5000)})
		w.empty()
		if s, err := r.Status(t.Context()); err != nil || s.Parked != 1 {
			t.Fatalf("%d parked, %v", s.Parked, err)
		}
		w.limit("1000000")
		n := 1
		leattest.Eventually(t, "a large event leaves", func() error { // the broker takes a moment to hold to it
			n++
			w.publish(moved{Key: "k", N: n, Pad: random(5000)})
			w.empty()
			if !slices.ContainsFunc(w.read(w.topic.Name), func(s seen) bool { return s.Key == "k" }) {
				return errors.New("it is parked")
			}
			return nil
		})
	})
}

// A topic is missing. Events of other topics go on, the trouble is told, and when the topic is made
// its events leave in order.
func TestEventsWaitForATopicThatIsMissing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.publish(stray{N: 1})
		r, _ := w.relay(func(c *outbox.RelayConfig) { c.Patience = 10 * time.Minute })
		for n := range 20 {
			w.publish(moved{Key: "k", N: n + 1}, stray{N: n + 2})
		}
		leattest.Eventually(t, "the others have left and the trouble is told", func() error {
			s, err := w.box.Status(t.Context())
			if err == nil && (s.Rows != 21 || !strings.Contains(s.Trouble, w.stray.Name)) {
				err = fmt.Errorf("%d rows, trouble %q", s.Rows, s.Trouble)
			}
			return err
		})
		w.b.CreateTopic(t, w.stray.Name, 1, nil)
		w.empty()
		inOrder(t, w.distinct(w.topic.Name), 20)
		all := w.distinct(w.stray.Name)
		for i, s := range all {
			if s.N != i+1 {
				t.Errorf("event %d is at place %d", s.N, i+1)
			}
		}
		if len(all) != 21 {
			t.Errorf("%d events of the missing topic", len(all))
		}
		leattest.Eventually(t, "the trouble is over", func() error {
			s, err := r.Status(t.Context())
			if err == nil && s.Trouble != "" {
				err = errors.New(s.Trouble)
			}
			return err
		})
	})
}

// The topic stays missing: its events are parked when patience ends.
func TestEventsOfALostTopicAreParked(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.publish(stray{N: 1}, stray{N: 2})
		w.relay(func(c *outbox.RelayConfig) { c.Patience = 100 * time.Millisecond })
		w.empty()
		if s, err := w.box.Status(t.Context()); err != nil || s.Parked != 2 {
			t.Errorf("%d parked, %v", s.Parked, err)
		}
		if letters := w.b.ReadAll(t, leat.DeadLetters(w.stray.Name, w.name), kgo.ReadCommitted()); len(letters) != 2 {
			t.Errorf("%d letters", len(letters))
		}
	})
}

func TestSkipParksARowByHand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.publish(moved{Key: "k", N: 1}, moved{Key: "k", N: 99}, moved{Key: "k", N: 2})
		id := w.data.Int(t, `select id from `+w.table+` order by id limit 1 offset 1`)
		r, err := outbox.NewRelay(outbox.RelayConfig{Box: w.box, Kafka: w.kafka()})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Skip(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := w.box.Skip(t.Context(), 12345); !errors.Is(err, outbox.ErrNotThere) {
			t.Errorf("skip of nothing: %v", err)
		}
		w.relay()
		w.empty()
		inOrder(t, w.read(w.topic.Name), 2)
		if n := w.data.Int(t, `select count(*) from leat_outbox_parked where id = $1 and reason = 'skipped by hand'`, id); n != 1 {
			t.Errorf("%d parked rows", n)
		}
	})
}

// A parked event leaves once it is put back, once, as what it was.
func TestUnparkSendsAParkedEvent(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.publish(moved{Key: "k", N: 1}, moved{Key: "k", N: 2})
		id := w.data.Int(t, `select max(id) from `+w.table)
		if err := w.box.Skip(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.relay()
		w.empty()
		parked, err := w.box.Parked(t.Context(), 10)
		if err != nil || len(parked) != 1 || parked[0].ID != id || parked[0].Type != "test.thing.moved.v1" || parked[0].Bytes == 0 {
			t.Fatalf("parked are %+v, %v", parked, err)
		}
		if err := w.box.Unpark(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := w.box.Unpark(t.Context(), id); !errors.Is(err, outbox.ErrNotParked) {
			t.Errorf("unparked twice: %v", err)
		}
		w.empty()
		all := w.distinct(w.topic.Name)
		inOrder(t, all, 2)
		if all[1].id != parked[0].EventID {
			t.Errorf("event %s left, parked was %s", all[1].id, parked[0].EventID)
		}
		if n := w.data.Int(t, `select count(*) from leat_outbox_parked`); n != 0 {
			t.Errorf("%d are still parked", n)
		}
	})
}
