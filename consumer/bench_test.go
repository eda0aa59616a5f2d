//go:build unix

package consumer

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/schema"
)

type benchEvent struct{ N int }

func (benchEvent) EventType() string { return "bench.thing.done.v1" }

type benchOrder struct {
	OrderID string      `json:"order_id"`
	Note    string      `json:"note"`
	Items   []benchItem `json:"items"`
	Total   int64       `json:"total"`
}

type benchItem struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Price    int64  `json:"unit_price"`
}

func (benchOrder) EventType() string { return "bench.order.placed.v1" }

var benchOrderText = []byte(`{"order_id":"order-004711","note":"leave it with the neighbour at number 12","items":[{"sku":"sku-1001","quantity":2,"unit_price":1999},{"sku":"sku-1002","quantity":1,"unit_price":4599},{"sku":"sku-1003","quantity":3,"unit_price":999}],"total":12345}`)

// BenchmarkTyped is the same with a typed handler, metrics and a decoder, whose own share stands beside.
func BenchmarkTyped(b *testing.B) {
	b.Run("decoder", func(b *testing.B) {
		kind := leat.Kind{Type: benchOrder{}.EventType()}
		began := cpuTime(b)
		for b.Loop() {
			v := new(benchOrder)
			if err := schema.JSON.Decode(benchOrderText, &kind, v); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/record")
	})
	b.Run("consumer", func(b *testing.B) {
		topic := leat.Topic{Name: "bench", Carries: []any{benchOrder{}}}
		h := On(topic, func(context.Context, *leat.Event[benchOrder]) error { return nil })
		benchConsumer(b, Config{Group: "bench", Handlers: []leat.Handler{h}, Codec: schema.JSON, Metrics: telemetry.NewRegistry()}, benchOrder{}.EventType(), benchOrderText)
	})
}

// BenchmarkKeyed is what the consumer adds to the client for one record of 1 KiB: from a fetch to a
// handler that does nothing, with its lane, and to the low water. The client itself takes about a
// microsecond for such a record.
func BenchmarkKeyed(b *testing.B) {
	topic := leat.Topic{Name: "bench", Carries: []any{benchEvent{}}}
	h := leat.NewHandler[benchEvent](topic, nil)
	h.Handle = func(context.Context, *leat.Envelope) error { return nil }
	benchConsumer(b, Config{Group: "bench", Handlers: []leat.Handler{h}}, benchEvent{}.EventType(), make([]byte, 1024))
}

// benchConsumer hands over 1,000 records at a time and waits until the last is finished.
func benchConsumer(b *testing.B, cfg Config, typ string, value []byte) {
	c, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.begin(b.Context()); err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	fetch := kgo.FetchTopicPartition{Topic: "bench"}
	for i := range batch {
		fetch.Records = append(fetch.Records, &kgo.Record{
			Topic: "bench", Key: fmt.Appendf(nil, "key-%d", i*7919%10_000), Value: value,
			Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte("1.0")},
				{Key: "ce_id", Value: []byte("0191d3a0-0000-7000-8000-000000000000")},
				{Key: "ce_type", Value: []byte(typ)},
				{Key: "ce_source", Value: []byte("bench")},
				{Key: "content-type", Value: []byte("application/json")},
			},
		})
	}
	c.mu.Lock()
	p := c.adopt(at{"bench", 0}, "")
	c.mu.Unlock()
	var offset int64
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		for _, r := range fetch.Records {
			r.Offset = offset
			offset++
		}
		c.dispatch(fetch)
		for open := batch; open > 0; {
			<-c.room
			c.mu.Lock()
			open = p.lanes.Items()
			c.mu.Unlock()
		}
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(offset), "cpu-ns/record")
	c.mu.Lock()
	c.crew.dismiss()
	c.mu.Unlock()
	c.client.Close()
	c.letters.Close()
}

// cpuTime is the processor time of this process, in nanoseconds: a busy machine disturbs it less than
// the clock on the wall.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
