package demo

import (
	"context"
	"sync"
	"time"

	"github.com/leatdev/leat/shop/ledger"
)

// states is how many rows of each service are in which state.
type states map[string]map[string]int64

func (s states) of(service string, names ...string) (n int) {
	for _, name := range names {
		n += int(s[service][name])
	}
	return n
}

// open is how much is still under way: orders, calls to the gateway, notices.
func (s states) open() (orders, calls, notices int) {
	return s.of("order", "placed", "cancelling"), s.of("payment", "pending", "refunding", "voiding"), s.of("notification", "pending")
}

// watch looks at the services again and again and keeps what it saw.
type watch struct {
	shop     *client
	services []string

	mu   sync.Mutex
	seen states
	ok   bool // all services answered, the last time
}

const watchPause = 100 * time.Millisecond

func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.look(ctx)
		pause(ctx, watchPause)
	}
}

func (w *watch) look(ctx context.Context) {
	seen, ok := states{}, true
	for _, name := range w.services {
		var s ledger.Summary
		asking, cancel := context.WithTimeout(ctx, answerWithin)
		s, err := w.shop.summary(asking, name, false)
		cancel()
		if err != nil {
			ok = false
			continue
		}
		seen[name] = s.States
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, s := range w.seen {
		if seen[name] == nil {
			seen[name] = s // the last that is known
		}
	}
	w.seen, w.ok = seen, ok
}

// last is what was seen last, and whether that is all of it.
func (w *watch) last() (states, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen, w.ok
}

// openOrders is how many orders are under way.
func (w *watch) openOrders() int {
	s, _ := w.last()
	orders, _, _ := s.open()
	return orders
}
