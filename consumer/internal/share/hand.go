package share

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// hand is the events that are not dealt with.
type hand struct {
	mu   sync.Mutex
	open map[*kgo.Record]struct{}
}

func newHand(records []*kgo.Record) *hand {
	h := &hand{open: make(map[*kgo.Record]struct{}, len(records))}
	for _, r := range records {
		h.open[r] = struct{}{}
	}
	return h
}

func (h *hand) drop(r *kgo.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, r)
}

// renew asks for more time for what is open. It only writes to the client's memory.
func (h *hand) renew() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.open {
		r.Ack(kgo.AckRenew)
	}
	return len(h.open)
}

// giveBack gives up what is open: what its handlers say later counts for nothing.
func (h *hand) giveBack() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.open {
		r.Ack(kgo.AckRelease)
	}
	n = len(h.open)
	clear(h.open)
	return n
}
