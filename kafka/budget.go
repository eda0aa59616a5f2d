package kafka

import (
	"context"
	"sync"
	"sync/atomic"
)

// budget bounds the bytes that wait for acknowledgement. Whoever finds it used up waits until half of
// it is free again: to wake a sender for each event that is acknowledged would cost more than to send
// it.
type budget struct {
	limit   int64
	used    atomic.Int64
	waiting atomic.Int32 // senders that wait, or are about to

	mu    sync.Mutex
	freed chan struct{} // closed when half is free; guarded by mu
}

func newBudget(limit int64) *budget {
	return &budget{limit: limit, freed: make(chan struct{})}
}

// take takes n bytes, and waits for room first where the budget is used up, until ctx ends.
func (b *budget) take(ctx context.Context, n int64) error {
	if b.used.Load() < b.limit {
		b.used.Add(n) // senders at the same moment go over the limit by their events, no more
		return nil
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for {
		b.mu.Lock()
		freed := b.freed
		b.mu.Unlock()
		// give looks for who waits after it has given: one of the two sees the other.
		if b.used.Load() <= b.limit/2 {
			b.used.Add(n)
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// give gives n bytes back.
func (b *budget) give(n int64) {
	if b.used.Add(-n) <= b.limit/2 && b.waiting.Load() > 0 {
		b.mu.Lock()
		close(b.freed)
		b.freed = make(chan struct{})
		b.mu.Unlock()
	}
}
