package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
)

// epochs are those of the member's partitions.
func (m *member) epochs() map[int32]int64 {
	epochs := map[int32]int64{}
	for _, p := range m.Stats().Partitions {
		epochs[p.Partition] = p.Epoch
	}
	return epochs
}

// A member joins and leaves while events come without a pause and each takes 200 ms. Every event takes
// effect once: what was in hand is finished before its partition goes. The partitions that do not move
// go on as if nothing happened.
func TestAMemberThatComesAndGoesUnderLoadRepeatsAndStopsNothing(t *testing.T) {
	conform(t, 4, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		effects := map[string]int{}
		times := map[int32][]time.Time{}
		cfg := r.config(consumer.On(r.topic, func(_ context.Context, e *leat.Event[Placed]) error {
			time.Sleep(200 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			p := e.Position().Partition
			effects[fmt.Sprint(p, e.Key(), e.Data.N)]++
			times[p] = append(times[p], time.Now())
			return nil
		}, consumer.Parallel(100)))
		stays := r.start(cfg)
		stays.awaitPartitions(t, 4)
		epochs := stays.epochs()
		more := func(n int) { // until so many more have taken effect
			t.Helper()
			mu.Lock()
			want := len(effects) + n
			mu.Unlock()
			leattest.Eventually(t, fmt.Sprintf("%d effects", want), func() error {
				mu.Lock()
				defer mu.Unlock()
				if len(effects) < want {
					return fmt.Errorf("%d", len(effects))
				}
				return nil
			})
		}
		load, stop := r.stream(), make(chan struct{})
		sent := 0
		var writer sync.WaitGroup
		writer.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					load.stop()
					return
				case <-time.After(20 * time.Millisecond):
				}
				for p := range int32(4) {
					load.write(p, fmt.Sprint("k", n%40), n)
					sent++
				}
			}
		})
		more(100)
		began := time.Now()
		guest := r.start(cfg)
		guest.awaitPartitions(t, 2)
		kept := stays.awaitPartitions(t, 2)
		more(100)
		if err := guest.stop(); err != nil {
			t.Error(err)
		}
		stays.awaitPartitions(t, 4)
		more(100)
		close(stop)
		writer.Wait()
		r.awaitCommitted(int64(sent))
		mu.Lock()
		defer mu.Unlock()
		repeats := 0
		for _, n := range effects {
			repeats += n - 1
		}
		stood := load.stood(began)
		if late := r.b.Real() && stood > 4*time.Second; len(effects) != sent || repeats != 0 && !late { // the commit before a partition goes has 5 s
			t.Errorf("%d events, %d took effect, %d repeats; brokers or machine stood still for %v", sent, len(effects), repeats, stood)
		}
		now := stays.epochs()
		for p := range int32(4) {
			gap := longestGap(times[p], began)
			t.Logf("partition %d: longest pause %v, moved: %v", p, gap, !slices.Contains(kept, p))
			if !slices.Contains(kept, p) {
				continue
			}
			if now[p] != epochs[p] {
				t.Errorf("partition %d did not move and was assigned anew", p)
			}
			if !r.b.Real() && gap > 500*time.Millisecond { // a real machine has other things to do
				t.Errorf("partition %d did not move and stood still for %v", p, gap)
			}
		}
	})
}
