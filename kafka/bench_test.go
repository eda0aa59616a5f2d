package kafka_test

import (
	"encoding/json"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

type orderPlaced struct {
	OrderID  string            `json:"order_id"`
	Customer string            `json:"customer_id"`
	Currency string            `json:"currency"`
	At       time.Time         `json:"at"`
	Items    []orderItem       `json:"items"`
	Tags     map[string]string `json:"tags"`
}

type orderItem struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Price    int64  `json:"unit_price"`
}

func (orderPlaced) EventType() string  { return "shop.order.placed.v1" }
func (e orderPlaced) EventKey() string { return e.OrderID }

var placed = orderPlaced{
	OrderID: "o-4711", Customer: "c-42", Currency: "EUR", At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
	Items: []orderItem{{"sku-1", 2, 1999}, {"sku-2", 1, 500}, {"sku-3", 7, 125}},
	Tags:  map[string]string{"channel": "web", "campaign": "autumn"},
}

// swallow acknowledges produce requests without looking at them, so that the process's CPU time is
// the client's and the codec's.
func swallow(b *broker.Broker) {
	var offset atomic.Int64
	b.Cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.Cluster.KeepControl()
		req := kreq.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.BaseOffset = p.Partition, offset.Add(1000)
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProduce is the price of one typed event, sent asynchronously, beside raw franz-go: both
// encode with encoding/json, so that the difference is the envelope's. Compare cpu-ns/op.
func BenchmarkProduce(b *testing.B) {
	for _, c := range []struct {
		name string
		run  func(b *testing.B, cfg kafka.Config, topic string) (send func(i int), flush func())
	}{{"typed", typedSender}, {"raw", rawSender}} {
		b.Run(c.name, func(b *testing.B) {
			fake := broker.Fake(b, broker.FakeConfig{})
			topic := fake.CreateTopic(b, "orders", 6, nil)
			swallow(fake)
			send, flush := c.run(b, config(fake), topic)
			send(0)
			flush()
			runtime.GC()
			b.ReportAllocs()
			began := cpu()
			i := 0
			for b.Loop() {
				send(i)
				i++
			}
			flush()
			b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

var keys = func() (keys [1000]string) {
	for i := range keys {
		keys[i] = leat.NewID()
	}
	return keys
}()

func typedSender(b *testing.B, cfg kafka.Config, topic string) (func(int), func()) {
	client, err := kafka.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	p, err := client.Producer(kafka.ProducerConfig{
		Source: "order", Owns: []leat.Topic{{Name: topic, Carries: []any{orderPlaced{}}}}, Linger: 10 * time.Millisecond,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	done := func(_ leat.Position, err error) {
		if err != nil {
			b.Error(err)
		}
	}
	send := func(i int) {
		e := placed
		e.OrderID = keys[i%len(keys)]
		if err := p.SendAsync(b.Context(), e, done); err != nil {
			b.Fatal(err)
		}
	}
	return send, func() {
		if err := p.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func rawSender(b *testing.B, cfg kafka.Config, topic string) (func(int), func()) {
	cl, err := cfg.NewClient(kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cl.Close)
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			b.Error(err)
		}
	}
	send := func(i int) {
		e := placed
		e.OrderID = keys[i%len(keys)]
		value, err := json.Marshal(e)
		if err != nil {
			b.Fatal(err)
		}
		cl.Produce(b.Context(), &kgo.Record{Topic: topic, Key: []byte(e.OrderID), Value: value}, done)
	}
	return send, func() {
		if err := cl.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
