package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/leattest"
)

// parkedSound checks what parking promises of plain handlers: first and last effects of a key in order,
// nothing lost, and nothing that stands in the dead letters took effect.
func (r *rig) parkedSound(l *ledger, keys, n int, poison map[string]bool) {
	r.t.Helper()
	dead := map[string]int{}
	for _, d := range r.folded() {
		dead[d]++
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range keys {
		key := fmt.Sprintf("k%d", k)
		first, last := map[int]int{}, map[int]int{}
		for at, n := range l.byKey[key] {
			if _, seen := first[n]; !seen {
				first[n] = at
			}
			last[n] = at
		}
		before := -1
		for i := range n {
			name := fmt.Sprintf("%s/%d", key, i)
			_, effect := first[i]
			switch {
			case poison[name] && (effect || dead[name] != 1):
				r.t.Errorf("%s: effect %t, %d dead letters, want one of these", name, effect, dead[name])
			case !poison[name] && (!effect || dead[name] > 0):
				r.t.Errorf("%s: effect %t, %d dead letters, want an effect", name, effect, dead[name])
			}
			if !effect {
				continue
			}
			if before >= 0 && (first[i] < first[before] || last[i] < last[before]) {
				r.t.Errorf("%s: %d stands before %d: %v", key, i, before, l.byKey[key])
			}
			before = i
		}
	}
}

// folded names the events of the dead letters, each coordinate once.
func (r *rig) folded() (names []string) {
	r.t.Helper()
	seen := map[string]bool{}
	for _, d := range r.deadLetters() {
		if id := d.ID(); !seen[id] {
			seen[id] = true
			var e Placed
			if err := leat.JSON.Decode(d.rec.Value, nil, &e); err != nil {
				r.t.Fatal(err)
			}
			names = append(names, fmt.Sprintf("%s/%d", e.Key, e.N))
		}
	}
	return names
}

// awaitUnparked waits until the members hold every partition, and nothing of it is parked: one that is on
// its way from owner to owner has nothing parked either, in anybody's eyes.
func (r *rig) awaitUnparked(members ...*member) {
	r.t.Helper()
	leattest.Within(r.t, 5*time.Minute, "nothing is parked", func() error {
		held := map[int32]bool{}
		for _, m := range members {
			for _, p := range m.Stats().Partitions {
				if p.ParkedKeys > 0 || p.Claiming {
					return fmt.Errorf("%s/%d: %d keys, %d events", p.Topic, p.Partition, p.ParkedKeys, p.ParkedEvents)
				}
				held[p.Partition] = p.Topic == r.topic.Name
			}
		}
		if len(held) < r.partitions {
			return fmt.Errorf("%d of %d partitions are held", len(held), r.partitions)
		}
		return nil
	})
}

// Every fifth event fails twice, some always; members join, leave and die. No key's order suffers.
func TestParkedKeysKeepTheirOrderWhoeverComesAndGoes(t *testing.T) {
	conform(t, 4, func(t *testing.T, r *rig) {
		const keys, n = 20, 20
		left, poison := map[string]int{}, map[string]bool{}
		for k := range keys {
			for i := range n {
				name := fmt.Sprintf("k%d/%d", k, i)
				if (k*7+i)%5 == 0 {
					left[name] = 2
				}
				if (k*3+i)%29 == 0 {
					left[name], poison[name] = 1<<30, true
				}
			}
		}
		f := newFailing(left)
		dying := newLink(r.b)
		tiers := leat.Parking{Tiers: []time.Duration{200 * time.Millisecond, 400 * time.Millisecond}}
		cfg := r.parking(tiers, f.handle)
		first := r.start(dying.through(r.parking(tiers, dying.living(f.handle))))
		second, third := r.start(cfg), r.start(cfg)
		r.awaitShared(first, second, third)
		events := placed(keys, n)
		r.send(events[:len(events)/2]...)
		f.await(t, 60)
		r.die(dying)
		r.send(events[len(events)/2:]...)
		f.await(t, 200)
		if err := second.stop(); err != nil {
			t.Error(err)
		}
		fourth := r.start(cfg)
		leattest.Within(t, 2*time.Minute, "all is committed", func() error {
			if sum := r.committedSum(); sum != keys*n {
				return fmt.Errorf("%d", sum)
			}
			return nil
		})
		r.awaitUnparked(third, fourth)
		r.parkedSound(f.ledger, keys, n, poison)
		dying.mend()
		_ = first.stop()
		for _, m := range []*member{third, fourth} {
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAStoppedMemberLeavesNothingOfAParkedKeyToRunTwice(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 4)...)
		f := newFailing(map[string]int{"k0/0": 1, "k0/2": 1})
		cfg := r.parking(leat.Parking{}, f.handle)
		for range 12 {
			m := r.start(cfg)
			time.Sleep(7 * time.Second)
			if err := m.stop(); err != nil {
				t.Error(err)
			}
		}
		f.inOrder(t, 2, 4)
		near(t, f.waits("k0/0"), 10*time.Second)
	})
}

func TestHealthyEventsLeaveNothingInTheParkTopic(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(10, 10)...)
		f := newFailing(nil)
		m := r.start(r.parking(leat.Parking{}, f.handle))
		r.awaitCommitted(100)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		records := r.b.ReadAll(t, leat.ParkTopic(r.topic.Name, r.group), kgo.ReadUncommitted())
		if len(records) != 2 {
			t.Errorf("%d records, want a marker in each partition", len(records))
		}
		for _, rec := range records {
			if says := parse(t, rec); says.Kind != park.Mark || says.Epoch != 1 {
				t.Errorf("offset %d: %v of epoch %d", rec.Offset, says.Kind, says.Epoch)
			}
		}
	})
}

func parse(t testing.TB, rec *kgo.Record) park.Record {
	t.Helper()
	headers := make([]leat.Header, len(rec.Headers))
	for i, h := range rec.Headers {
		headers[i] = leat.Header(h)
	}
	says, err := park.Parse(rec.Key, headers)
	if err != nil {
		t.Fatal(err)
	}
	return says
}

func TestAHeldKeySendsItsLaterEventsToTheDeadLetters(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 4)...)
		f := newFailing(map[string]int{"k0/1": 1 << 30})
		cfg := r.parking(leat.Parking{Tiers: []time.Duration{time.Second}, OnDead: leat.HoldKey}, f.handle)
		m := r.start(cfg)
		r.awaitCommitted(8)
		f.await(t, 5)
		leattest.Eventually(t, "the key is held", func() error {
			if s := m.Stats().Partitions[0]; s.HeldKeys != 1 || s.DeadLetters != 3 {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
		if err := m.stop(); err != nil {
			t.Error(err)
		}
		m = r.start(cfg) // it stays held
		r.send(Placed{Key: "k0", N: 4}, Placed{Key: "k1", N: 4})
		r.awaitCommitted(10)
		var got []string
		letters := r.deadLetters() // several are on their way at once, and land in any order
		slices.SortFunc(letters, func(a, b letter) int { return int(a.Source.Offset - b.Source.Offset) })
		for _, d := range letters {
			got = append(got, fmt.Sprintf("%d %s %d", d.Source.Offset, d.Reason, d.Attempts))
		}
		if want := []string{"2 exhausted 2", "4 blocked 0", "6 blocked 0", "8 blocked 0"}; !slices.Equal(got, want) {
			t.Errorf("dead letters %q, want %q", got, want)
		}
		if !slices.Equal(f.byKey["k0"], []int{0}) || !slices.Equal(f.byKey["k1"], []int{0, 1, 2, 3, 4}) {
			t.Errorf("effects %v", f.byKey)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullPartitionWaitsAndSaysSo(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		for i := range 8 {
			r.send(Placed{Key: "k0", N: i})
		}
		f := newFailing(map[string]int{"k0/0": 2})
		cfg := r.parking(leat.Parking{Tiers: []time.Duration{time.Minute, time.Minute}, MaxPerKey: 5}, f.handle)
		cfg.MaxQueued = 8
		m := r.start(cfg)
		leattest.Eventually(t, "it says that it is full", func() error {
			if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "holds as much as it may") {
				return fmt.Errorf("ready: %v", err)
			}
			return nil
		})
		for i := 8; i < 40; i++ {
			r.send(Placed{Key: "k0", N: i})
		}
		time.Sleep(30 * time.Second)
		if s := m.Stats().Partitions[0]; s.ParkedEvents < 5 || s.ParkedEvents > 8 || !s.Paused {
			t.Errorf("%d parked, paused %t", s.ParkedEvents, s.Paused)
		}
		f.awaitIn(t, 5*time.Minute, 40)
		f.inOrder(t, 1, 40)
		leattest.Eventually(t, "ready", m.Ready)
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullKeyIsBlockedWhereThePartitionIsNotToWait(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(2, 10)...)
		f := newFailing(map[string]int{"k0/0": 1})
		m := r.start(r.parking(leat.Parking{Tiers: []time.Duration{time.Minute}, MaxPerKey: 4, WhenFull: leat.BlockKey}, f.handle))
		r.awaitCommitted(20)
		f.awaitIn(t, 5*time.Minute, 14)
		r.parkedSound(f.ledger, 1, 10, map[string]bool{"k0/4": true, "k0/5": true, "k0/6": true, "k0/7": true, "k0/8": true, "k0/9": true})
		for _, d := range r.deadLetters() {
			if d.Reason != consumer.ReasonBlocked {
				t.Errorf("%d: reason %s", d.Source.Offset, d.Reason)
			}
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnEventOlderThanMaxAgeExpires(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		r.send(placed(1, 2)...)
		f := newFailing(map[string]int{"k0/0": 1 << 30})
		m := r.start(r.parking(leat.Parking{Tiers: []time.Duration{10 * time.Second, time.Minute}, MaxAge: 10 * time.Minute}, f.handle))
		f.awaitIn(t, 15*time.Minute, 1)
		letters := r.deadLetters()
		if len(letters) != 1 || letters[0].Reason != consumer.ReasonExpired || letters[0].Attempts != 12 {
			t.Errorf("dead letters %+v", letters)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A record of the park topic can't be written: its claim ends, what it had in flight may land at any
// time, and a new one begins.
func TestAFailedAppendBeginsAnewAndLosesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		var refused atomic.Int32
		r.b.Cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.b.Cluster.KeepControl()
			produce := req.(*kmsg.ProduceRequest)
			for _, topic := range produce.Topics {
				for _, p := range topic.Partitions {
					if !strings.Contains(string(p.Records), " park epoch=") || refused.Add(1)%5 != 2 || refused.Load() > 20 {
						continue
					}
					resp := produce.ResponseKind().(*kmsg.ProduceResponse)
					rt := kmsg.NewProduceResponseTopic()
					rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
					for _, p := range topic.Partitions {
						rp := kmsg.NewProduceResponseTopicPartition()
						rp.Partition, rp.ErrorCode = p.Partition, kerr.InvalidRecord.Code
						rt.Partitions = append(rt.Partitions, rp)
					}
					resp.Topics = append(resp.Topics, rt)
					return resp, nil, true
				}
			}
			return nil, nil, false
		})
		left := map[string]int{}
		for k := range 10 {
			left[fmt.Sprintf("k%d/%d", k, k%3)] = 2
		}
		f := newFailing(left)
		m := r.start(r.parking(leat.Parking{Tiers: []time.Duration{time.Second, time.Second, time.Second}}, f.handle))
		r.send(placed(10, 6)...)
		leattest.Within(t, 5*time.Minute, "all is committed", func() error {
			if sum := r.committedSum(); sum != 60 {
				return fmt.Errorf("%d", sum)
			}
			return nil
		})
		r.awaitUnparked(m)
		r.parkedSound(f.ledger, 10, 6, nil)
		if n := refused.Load(); n < 3 {
			t.Errorf("%d appends were refused", n)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestANewerMarkerEndsAClaimAndTheRightfulOwnerClaimsAboveIt(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		f := newFailing(map[string]int{"k0/0": 1, "k0/3": 1})
		m := r.start(r.parking(leat.Parking{Tiers: []time.Duration{2 * time.Second}}, f.handle))
		r.send(placed(2, 2)...)
		r.awaitCommitted(4)
		h := park.Record{Kind: park.Mark, Epoch: 1 << 40}.Header()
		r.b.Produce(t, &kgo.Record{Topic: leat.ParkTopic(r.topic.Name, r.group), Headers: []kgo.RecordHeader{kgo.RecordHeader(h)}})
		f.await(t, 4)
		r.send(Placed{Key: "k0", N: 2}, Placed{Key: "k0", N: 3}, Placed{Key: "k1", N: 2}, Placed{Key: "k1", N: 3})
		f.awaitIn(t, time.Minute, 8)
		f.inOrder(t, 2, 4)
		var newest int64
		for _, rec := range r.b.ReadAll(t, leat.ParkTopic(r.topic.Name, r.group), kgo.ReadUncommitted()) {
			newest = max(newest, parse(t, rec).Epoch)
		}
		if newest != 1<<40+1 {
			t.Errorf("newest epoch %d, want %d", newest, 1<<40+1)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The claim is told to the handlers' databases before anything runs, and an attempt can tell it; where a
// database knows a newer one, the owner claims above it.
func TestTheFenceIsRaisedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		raised := int64(41) // of an earlier life of the group
		h := consumer.On(r.topic, func(ctx context.Context, e *leat.Event[Placed]) error {
			mu.Lock()
			defer mu.Unlock()
			if f, ok := leat.FenceOf(ctx); !ok || f != (leat.Fence{Group: r.group, Topic: r.topic.Name, Epoch: raised}) || raised < 42 {
				t.Errorf("fence of the attempt: %v, raised: %d", f, raised)
			}
			return nil
		}, consumer.Park(leat.Parking{}))
		h.Fence = func(_ context.Context, f leat.Fence) error {
			mu.Lock()
			defer mu.Unlock()
			if f.Epoch < raised {
				return &leat.FencedError{Fence: f, Newest: raised}
			}
			raised = f.Epoch
			return nil
		}
		r.send(placed(3, 3)...)
		for i := range 2 {
			m := r.start(r.config(h))
			r.awaitCommitted(int64(9 * (i + 1)))
			if err := m.stop(); err != nil {
				t.Error(err)
			}
			r.send(placed(3, 3)...)
		}
		if raised != 43 {
			t.Errorf("raised %d, want 43", raised)
		}
	})
}

// What a handler and a dead letter see of a parked event is what stood at its source.
func TestAParkedEventIsBitForBitTheSameAtItsHandlerAndInItsDeadLetter(t *testing.T) {
	t.Parallel()
	bubble(t, 1, func(t *testing.T, r *rig) {
		at := time.UnixMilli(1_600_000_000_123).UTC()
		source := &kgo.Record{
			Topic: r.topic.Name, Key: []byte{0, 0xff, 'k'}, Value: []byte(`{"Key":"x","N":1}`), Timestamp: at,
			Headers: []kgo.RecordHeader{
				{Key: "ce_type", Value: []byte("test.order.placed.v1")},
				{Key: "ce_specversion", Value: []byte("1.0")},
				{Key: "twice", Value: []byte("1")},
				{Key: "twice", Value: []byte{0, 1, 2}},
				{Key: "", Value: nil},
				{Key: "leat-source-timestamp", Value: []byte("its own")},
			},
		}
		r.b.Produce(t, source)
		type seen struct {
			Position  leat.Position
			Timestamp time.Time
			Key       []byte
			Value     []byte
			Headers   []leat.Header
			Attempt   int
		}
		var attempts []seen
		m := r.start(r.parking(leat.Parking{Tiers: []time.Duration{time.Second}}, func(_ context.Context, e *leat.Event[Placed]) error {
			w := e.Wire()
			s := seen{Position: w.Position(), Timestamp: w.Timestamp().UTC(), Key: w.Key(), Value: w.Value(), Attempt: e.Attempt()}
			for k, v := range w.Headers() {
				s.Headers = append(s.Headers, leat.Header{Key: k, Value: v})
			}
			attempts = append(attempts, s)
			return errors.New("no")
		}))
		leattest.Eventually(t, "the first attempt", func() error {
			if m.Stats().Partitions == nil || m.Stats().Partitions[0].ParkedEvents == 0 {
				return errors.New("not yet")
			}
			return nil
		})
		leattest.Within(t, time.Minute, "the dead letter", func() error {
			if len(r.deadLetters()) == 0 {
				return errors.New("none")
			}
			return nil
		})
		if len(attempts) != 2 {
			t.Fatalf("%d attempts", len(attempts))
		}
		attempts[1].Attempt--
		if diff := cmp.Diff(attempts[0], attempts[1]); diff != "" || attempts[0].Attempt != 1 || !attempts[0].Timestamp.Equal(at) {
			t.Errorf("the second attempt sees something else (-first +second):\n%s", diff)
		}
		d := r.deadLetters()[0]
		if got := d.rec.Headers[:len(source.Headers)]; !cmp.Equal(got, source.Headers) || string(d.rec.Key) != string(source.Key) || string(d.rec.Value) != string(source.Value) || !d.Timestamp.Equal(at) {
			t.Errorf("dead letter %+v", d.rec)
		}
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestParkingIsRefusedWhereItCanNotKeepItsWord(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "t", Carries: []any{Placed{}, Paid{}}}
	placed := func(options ...leat.HandlerOption) leat.Handler {
		return consumer.On(topic, func(context.Context, *leat.Event[Placed]) error { return nil }, options...)
	}
	paid := func(options ...leat.HandlerOption) leat.Handler {
		return consumer.On(topic, func(context.Context, *leat.Event[Paid]) error { return nil }, options...)
	}
	parked := consumer.Park(leat.Parking{})
	for want, handlers := range map[string][]leat.Handler{
		"park in different ways":                {placed(parked), paid(consumer.Park(leat.Parking{MaxKeys: 3}))},
		"does not go with ByPartition or Unord": {placed(parked), paid(consumer.Unordered())},
		"parking keeps the order of keys":       {placed(parked, consumer.ByPartition())},
		"tier 1 is -1ns, want more than 0":      {placed(consumer.Park(leat.Parking{Tiers: []time.Duration{-1}}))},
	} {
		if _, err := consumer.New(consumer.Config{Group: "g", Handlers: handlers}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := consumer.New(consumer.Config{Group: "g", Handlers: []leat.Handler{placed(parked), paid()}}); err != nil {
		t.Error(err)
	}
}
