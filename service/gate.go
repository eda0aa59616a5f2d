package service

import (
	"context"
	"sync"
)

// gate counts the requests inside and lets nobody in once it is shut.
type gate struct {
	mu     sync.Mutex
	open   bool
	inside int
	empty  chan struct{} // closed when shut and empty
}

// unlock lets requests in.
func (g *gate) unlock() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.empty = true, make(chan struct{})
}

// enter says whether a request may come in; each that does leaves.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		g.inside++
	}
	return g.open
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && !g.open {
		close(g.empty)
	}
}

// shut lets nobody in any more and waits until the last request has left or ctx ends; it tells how
// many are still inside.
func (g *gate) shut(ctx context.Context) int {
	g.mu.Lock()
	if !g.open {
		g.mu.Unlock()
		return 0
	}
	g.open = false
	if g.inside == 0 {
		close(g.empty)
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}
