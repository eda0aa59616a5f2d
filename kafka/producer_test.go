package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

type orderCreated struct {
	OrderID string `json:"order_id"`
	Cents   int64  `json:"cents"`
	Note    string `json:"note,omitempty"`
}

func (orderCreated) EventType() string  { return "shop.order.created.v1" }
func (e orderCreated) EventKey() string { return e.OrderID }

func producer(t *testing.T, b *broker.Broker, pc kafka.ProducerConfig, topics ...string) *kafka.Producer {
	t.Helper()
	for _, name := range topics {
		pc.Owns = append(pc.Owns, leat.Topic{Name: name, Carries: []any{orderCreated{}}})
	}
	pc.Source = "order"
	p, err := open(t, b).Producer(pc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestSendWritesCloudEventsInOrderOfTheKey(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("orders"), 3, nil)
		p := producer(t, b, kafka.ProducerConfig{}, topic)
		ctx := within(t, time.Minute)
		for i := range 5 {
			if err := p.Send(ctx, orderCreated{OrderID: "a", Cents: int64(i)}, orderCreated{OrderID: "b", Cents: int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Send(ctx, leat.With(orderCreated{OrderID: "a", Cents: 5}, leat.CorrelationID("c"), leat.WithHeader("x", []byte("y")))); err != nil {
			t.Fatal(err)
		}
		seen, ids := map[string]int64{}, map[string]bool{}
		for _, r := range b.ReadAll(t, topic, kgo.ReadCommitted()) {
			w, err := kafka.WireOf(r)
			if err != nil {
				t.Fatal(err)
			}
			kind := &leat.Kind{Type: "shop.order.created.v1", Topic: topic}
			e, err := leat.DecodeEvent[orderCreated](leat.NewEnvelope(w, kind, nil, 1))
			if err != nil {
				t.Fatal(err)
			}
			if e.Data.Cents != seen[e.Key()] {
				t.Errorf("key %s: got %d, want %d", e.Key(), e.Data.Cents, seen[e.Key()])
			}
			seen[e.Key()]++
			if want := kafka.PartitionOf(r.Key, 3); r.Partition != want {
				t.Errorf("key %s on partition %d, want %d", e.Key(), r.Partition, want)
			}
			if e.Type() != "shop.order.created.v1" || e.Source() != "order" || e.Subject() != e.Data.OrderID || ids[e.ID()] || e.ID() == "" {
				t.Errorf("envelope %s %s %s %s", e.ID(), e.Type(), e.Source(), e.Subject())
			}
			ids[e.ID()] = true
			if want := map[bool]string{true: "c", false: e.ID()}[e.Data.Cents == 5]; e.CorrelationID() != want {
				t.Errorf("correlation %s, want %s", e.CorrelationID(), want)
			}
			if w.Header("traceparent") == nil {
				t.Error("no traceparent")
			}
		}
		if diff := cmp.Diff(map[string]int64{"a": 6, "b": 5}, seen); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSendSaysWhichEventFailedAndWhatToDo(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("orders"), 1, nil)
		p := producer(t, b, kafka.ProducerConfig{Compression: "none"}, topic)
		ctx := within(t, time.Minute)
		err := p.Send(ctx, orderCreated{OrderID: "a"}, orderCreated{OrderID: "b", Note: strings.Repeat("x", 2<<20)}, orderCreated{OrderID: "c"})
		se, ok := errors.AsType[*kafka.SendError](err)
		if !ok || len(se.Failures) != 1 || se.Failures[0].Index != 1 || !errors.Is(err, kafka.ErrTooLarge) {
			t.Fatalf("got %v", err)
		}
		if !strings.Contains(err.Error(), "1 of 3 events failed, the first is event 2") || !strings.Contains(err.Error(), "max.message.bytes") {
			t.Errorf("says %q", err)
		}
		if err := p.Send(ctx, orderCreated{OrderID: "a"}, struct{ A int }{1}); err == nil || !strings.Contains(err.Error(), "event 2 of 2") {
			t.Errorf("of a type that nobody owns: %v", err)
		}
		if n := len(b.ReadAll(t, topic, kgo.ReadCommitted())); n != 2 {
			t.Errorf("%d events in the log, want the 2 of the first call", n)
		}
		gone := producer(t, b, kafka.ProducerConfig{}, b.Name("gone"))
		if err := gone.Send(ctx, orderCreated{OrderID: "a"}); !errors.Is(err, kafka.ErrNoTopic) || !strings.Contains(err.Error(), "its owner creates it") {
			t.Errorf("to a topic that is not there: %v", err)
		}
	})
}

func TestSendAsyncTellsWhereEachEventLies(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("orders"), 2, nil)
		p := producer(t, b, kafka.ProducerConfig{MaxBufferedBytes: 4 << 10, Linger: time.Millisecond}, topic)
		const n = 500
		var mu sync.Mutex
		lies := map[string]string{}
		for i := range n {
			id := fmt.Sprint("o", i)
			if err := p.SendAsync(t.Context(), orderCreated{OrderID: id}, func(at leat.Position, err error) {
				mu.Lock()
				defer mu.Unlock()
				lies[id] = at.String()
				if err != nil {
					lies[id] = err.Error()
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Flush(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, r := range b.ReadAll(t, topic, kgo.ReadCommitted()) {
			found[string(r.Key)] = leat.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}.String()
		}
		if diff := cmp.Diff(found, lies); diff != "" || len(found) != n {
			t.Errorf("%d events in the log\n%s", len(found), diff)
		}
	})
}

// The broker is away: the buffer fills, SendAsync waits for room and gives up with its context.
func TestSendAsyncWaitsForRoomAsLongAsItsContext(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	topic := b.CreateTopic(t, "orders", 1, nil)
	p := producer(t, b, kafka.ProducerConfig{MaxBufferedBytes: 10 << 10, DeliveryTimeout: 20 * time.Second}, topic)
	if err := p.Send(t.Context(), orderCreated{OrderID: "a"}); err != nil {
		t.Fatal(err)
	}
	b.Cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	failed := make(chan error, 1000)
	sent := 0
	var err error
	for ; err == nil && sent < 1000; sent++ {
		err = p.SendAsync(ctx, orderCreated{OrderID: "a", Note: strings.Repeat("x", 1<<10)}, func(_ leat.Position, err error) { failed <- err })
	}
	if sent--; sent > 12 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d KiB went into a buffer of 10 KiB: %v", sent, err)
	}
	for range sent {
		select {
		case err := <-failed:
			if err == nil {
				t.Error("an event is acknowledged by a broker that is away")
			}
		case <-within(t, time.Minute).Done():
			t.Fatal("an event is neither acknowledged nor failed")
		}
	}
}

func TestSendMessagesKeepsOrderAndEnvelope(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("orders"), 3, nil)
		p, err := open(t, b).Producer(kafka.ProducerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var msgs []leat.Message
		for i := range 100 {
			msgs = append(msgs, message(topic, "k", fmt.Sprint(i)))
		}
		if err := p.SendMessages(within(t, time.Minute), msgs); err != nil {
			t.Fatal(err)
		}
		for i, r := range b.ReadAll(t, topic, kgo.ReadCommitted()) {
			if w, _ := kafka.WireOf(r); string(r.Value) != fmt.Sprint(i) || w.Attribute("id") != msgs[i].ID {
				t.Fatalf("record %d is %s with id %s", i, r.Value, w.Attribute("id"))
			}
		}
		if err := p.Send(t.Context(), orderCreated{}); err == nil {
			t.Error("a producer without topics sent a typed event")
		}
	})
}

func TestSendRawKeepsRecordsAsTheyAre(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("orders"), 3, nil)
		p := producer(t, b, kafka.ProducerConfig{}, topic)
		raws := []kafka.Raw{
			{Topic: topic, Key: []byte("k"), Value: []byte{0xff, 0}, Headers: []leat.Header{{Key: "h", Value: []byte("v")}}},
			{Topic: topic, Key: []byte("k")},
		}
		if err := p.SendRaw(within(t, time.Minute), raws...); err != nil {
			t.Fatal(err)
		}
		got := b.ReadAll(t, topic, kgo.ReadCommitted())
		if len(got) != 2 || got[0].Partition != kafka.PartitionOf([]byte("k"), 3) || !bytes.Equal(got[0].Value, raws[0].Value) ||
			len(got[0].Headers) != 1 || string(got[0].Headers[0].Value) != "v" || got[1].Value != nil || len(got[1].Headers) != 0 {
			t.Errorf("got %v", got)
		}
	})
}
