package consumer_test

import (
	"context"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
)

// To pause a partition throws away what the client has fetched ahead of it. That is worth it only where
// another handler has nothing to do and the partition has all that it may have then, or after a while.
func TestAFullPartitionIsPausedOnlyWhereThatHelps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		idle          bool // another handler has nothing to do
		keys          int  // 20 events each
		before, after time.Duration
	}{
		"all handlers are busy":             {keys: 2, before: 900 * time.Millisecond, after: 1100 * time.Millisecond},
		"another handler has nothing to do": {idle: true, keys: 2, after: 100 * time.Millisecond},
		"and there is room for that":        {idle: true, keys: 1, before: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, 1, func(t *testing.T, r *rig) {
				hold := newGate(t)
				began := make(chan struct{}, 1)
				handlers := []leat.Handler{consumer.On(r.topic, func(context.Context, *leat.Event[Placed]) error {
					select {
					case began <- struct{}{}:
					default:
					}
					hold.wait()
					return nil
				}, consumer.Parallel(1), consumer.Timeout(-1))}
				if c.idle {
					handlers = append(handlers, consumer.On(r.topic, func(context.Context, *leat.Event[Paid]) error { return nil }))
				}
				cfg := r.config(handlers...)
				cfg.MaxQueued = 10
				m := r.start(cfg)
				r.send(placed(c.keys, 20)...)
				<-began
				if time.Sleep(c.before); c.before > 0 && m.Stats().Partitions[0].Paused {
					t.Errorf("paused within %v", c.before)
				}
				if time.Sleep(c.after - c.before); c.after > 0 && !m.Stats().Partitions[0].Paused {
					t.Errorf("not paused after %v", c.after)
				}
				hold.open()
				r.awaitCommitted(int64(20 * c.keys))
			})
		})
	}
}
