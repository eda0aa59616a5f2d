package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// parkLoad is events of 1000 keys, of which every hundredth fails for as long as failing says so.
func (r *rig) parkLoad(cl *kgo.Client, events int) (healthy int) {
	r.t.Helper()
	send := func(events ...any) {
		if err := cl.ProduceSync(context.Background(), r.records(events...)...).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
	batch := make([]any, 0, 1000)
	for i := range events {
		if i%100 != 0 {
			healthy++
		}
		if batch = append(batch, Placed{Key: fmt.Sprintf("k%d", i%1000), N: i % 100}); len(batch) == cap(batch) {
			send(batch...)
			batch = batch[:0]
		}
	}
	send(batch...)
	return healthy
}

// BenchmarkFailingKeys is the time that the events of healthy keys take on real Kafka while none, or one
// of a hundred keys, fails and is tried again every 10 s.
func BenchmarkFailingKeys(b *testing.B) {
	for name, share := range map[string]int{"none": 0, "one of a hundred": 1} {
		b.Run(name, func(b *testing.B) {
			const events = 50_000
			for b.Loop() {
				b.StopTimer()
				var handled atomic.Int64
				done := make(chan struct{}, 1)
				r := newRig(b, broker.Real(b), 4)
				healthy := int64(r.parkLoad(r.b.Client(b), events))
				cfg := r.parking(leat.Parking{Tiers: []time.Duration{10 * time.Second}, MaxAge: time.Hour}, func(_ context.Context, e *leat.Event[Placed]) error {
					if e.Data.N == 0 {
						if share > 0 {
							return errors.New("fails")
						}
						return nil
					}
					if handled.Add(1) == healthy {
						done <- struct{}{}
					}
					return nil
				})
				cfg.CommitInterval = time.Second
				b.StartTimer()
				m := r.start(cfg)
				<-done
				b.StopTimer()
				_ = m.stop()
				b.StartTimer()
			}
			b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// 100,000 events, one of a hundred keys fails three times for each event: what a member holds goes by
// what is parked, and comes back.
func TestMemoryStaysFlatWhileKeysFail(t *testing.T) {
	r := newRig(t, broker.Real(t), 4) // kfake would keep its log in this process
	cl := r.b.Client(t)
	const crew = 64
	f := &stumbler{left: map[leat.Position]int{}}
	var hired atomic.Int64
	all := make(chan struct{})
	handle := func(ctx context.Context, e *leat.Event[Placed]) error {
		switch n := hired.Add(1); { // workers are hired as they are needed: all of them at once, not bit by bit
		case n < crew:
			<-all
		case n == crew:
			close(all)
		}
		return f.handle(ctx, e)
	}
	cfg := r.parking(leat.Parking{Tiers: []time.Duration{50 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond}}, handle, consumer.Parallel(crew))
	cfg.MaxInFlight = crew
	m := r.start(cfg)
	var base, now footprint
	const waves, each = 10, 10_000
	for wave := range waves {
		r.parkLoad(cl, each)
		leattest.Within(t, 3*time.Minute, "the wave is handled", func() error {
			if got := f.done.Load(); got < int64(each*(wave+1)) {
				return fmt.Errorf("%d of %d", got, each*(wave+1))
			}
			return nil
		})
		r.awaitUnparked(m)
		now = measure()
		t.Logf("%+v", now)
		if wave == 1 {
			base = now
		}
	}
	leattest.Eventually(t, fmt.Sprintf("all is as after the second wave, %+v", base), func() error {
		if now = measure(); now.heapKiB > base.heapKiB+1<<10 || now.goroutines > base.goroutines+20 || now.files > base.files+20 {
			return fmt.Errorf("%+v", now)
		}
		return nil
	})
	if err := m.stop(); err != nil {
		t.Error(err)
	}
}

// footprint is what this process holds.
type footprint struct {
	heapKiB           uint64
	goroutines, files int
}

func measure() (f footprint) {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	f.heapKiB, f.goroutines = s.HeapAlloc>>10, runtime.NumGoroutine()
	if open, err := os.ReadDir("/proc/self/fd"); err == nil { // on Linux
		f.files = len(open)
	}
	return f
}

// stumbler fails each event of every hundredth key three times.
type stumbler struct {
	mu   sync.Mutex
	left map[leat.Position]int
	done atomic.Int64
}

func (f *stumbler) handle(_ context.Context, e *leat.Event[Placed]) error {
	if e.Data.N == 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		at := e.Position()
		if f.left[at]++; f.left[at] <= 3 {
			return errors.New("not yet")
		}
		delete(f.left, at)
	}
	f.done.Add(1)
	return nil
}
