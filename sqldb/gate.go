package sqldb

import (
	"context"
	"sync"
)

// gate lets one writer of a SQLite file in at a time, in the order of arrival. All handles that this
// process has open on a file share one.
type gate struct {
	sem  chan struct{}
	refs int // guarded by gates.mu
}

// gates are the gates of the files that this process has open. SQLite itself shares locks per file
// and process, so that what one handle does shows in the others; this list is the same for us.
var gates = struct {
	mu   sync.Mutex
	byID map[string]*gate
}{byID: map[string]*gate{}}

// openGate finds or makes the gate of a file. Each must be closed.
func openGate(path string) *gate {
	gates.mu.Lock()
	defer gates.mu.Unlock()
	g := gates.byID[path]
	if g == nil {
		g = &gate{sem: make(chan struct{}, 1)}
		gates.byID[path] = g
	}
	g.refs++
	return g
}

// close forgets the gate with its last handle.
func (g *gate) close(path string) {
	gates.mu.Lock()
	defer gates.mu.Unlock()
	if g.refs--; g.refs == 0 {
		delete(gates.byID, path)
	}
}

// enter waits for its turn.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.sem <- struct{}{}:
		return nil
	default:
	}
	select {
	case g.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *gate) leave() { <-g.sem }
