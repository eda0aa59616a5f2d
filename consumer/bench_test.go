//go:build unix

package consumer

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

type benchEvent struct{ N int }

func (benchEvent) EventType() string { return "bench.thing.done.v1" }

// BenchmarkKeyed is what the consumer adds to the client for one record of 1 KiB: from a fetch to a
// handler that does nothing, with its lane, and to the low water. The client itself takes about a
// microsecond for such a record.
func BenchmarkKeyed(b *testing.B) {
	topic := leat.Topic{Name: "bench", Carries: []any{benchEvent{}}}
	h := leat.NewHandler[benchEvent](topic, nil)
	var left atomic.Int32
	emptied := make(chan struct{})
	h.Handle = func(context.Context, *leat.Envelope) error {
		if left.Add(-1) == 0 {
			emptied <- struct{}{}
		}
		return nil
	}
	c, err := New(Config{Group: "bench", Handlers: []leat.Handler{h}})
	if err != nil {
		b.Fatal(err)
	}
	if err := c.begin(b.Context()); err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	fetch := kgo.FetchTopicPartition{Topic: topic.Name}
	for i := range batch {
		fetch.Records = append(fetch.Records, &kgo.Record{
			Topic: topic.Name, Key: fmt.Appendf(nil, "key-%d", i*7919%10_000), Value: make([]byte, 1024),
			Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte("1.0")},
				{Key: "ce_id", Value: []byte("0191d3a0-0000-7000-8000-000000000000")},
				{Key: "ce_type", Value: []byte(benchEvent{}.EventType())},
				{Key: "ce_source", Value: []byte("bench")},
				{Key: "content-type", Value: []byte("application/json")},
			},
		})
	}
	c.mu.Lock()
	p := c.adopt(at{topic.Name, 0}, "")
	c.mu.Unlock()
	var offset int64
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		for _, r := range fetch.Records {
			r.Offset = offset
			offset++
		}
		left.Store(batch)
		c.dispatch(fetch)
		<-emptied
		for { // the last is being finished
			c.mu.Lock()
			open := p.lanes.Items()
			c.mu.Unlock()
			if open == 0 {
				break
			}
			runtime.Gosched()
		}
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(offset), "cpu-ns/record")
	c.mu.Lock()
	c.crew.dismiss()
	c.mu.Unlock()
	c.client.Close()
	c.letters.close()
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
