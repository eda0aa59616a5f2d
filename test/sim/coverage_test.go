package sim_test

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/leatdev/leat/leattest/stack"
)

// coverage counts, over all seeds, what really happened.
type coverage struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *coverage) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what] += n
}

// points are the commit points at which processes have to have crashed.
var points = []string{
	"relay.selected", "relay.produced", "relay.committing", "relay.committed", "relay.deleted",
	"once.committing", "once.committed",
	"consumer.handled", "consumer.deadlettered", "consumer.committing", "consumer.committed",
	"park.appended", "park.readback", "park.committed", "park.dlq-sent",
}

// check says what a simulation of that many seeds has to have met.
func (c *coverage) check(t *testing.T, seeds int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(c.n)) {
		t.Logf("%8d %s", c.n[what], what)
	}
	want := map[string]int{
		"crash.anywhere": seeds, "drain": seeds / 2, "leader.moved": seeds, "coordinator.moved": seeds / 2,
		"fault.hit": seeds, "doubled": seeds, "retry": seeds, "unavailable": seeds, "dead letter": seeds,
		"partition assigned": 10 * seeds, "partition revoked": seeds / 2,
	}
	for _, p := range points {
		want["crash at "+p] = seeds / 30
	}
	for what, least := range want {
		if c.n[what] < least {
			t.Errorf("%s happened %d times in %d seeds, want %d at least: the simulation does not test it", what, c.n[what], seeds, least)
		}
	}
}

// hooks decides at commit points who crashes, a few times per run.
type hooks struct {
	mu    sync.Mutex
	rng   *rand.Rand
	left  int // crashes
	cover *coverage
}

// rare are passed less often than the others, and get a greater chance.
var rare = map[string]int{"consumer.deadlettered": 12, "consumer.committing": 20, "consumer.committed": 20, "once.committing": 60, "once.committed": 60, "relay.selected": 60, "relay.produced": 60, "relay.committing": 60, "relay.committed": 60, "relay.deleted": 60, "park.appended": 15, "park.readback": 8, "park.committed": 8, "park.dlq-sent": 2}

func (h *hooks) crash(_ *stack.Process, _, point string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	odds, ok := rare[point]
	if !ok {
		odds = 100
	}
	if h.left == 0 || h.rng.IntN(odds) != 0 {
		return false
	}
	h.left--
	h.cover.add("crash at "+point, 1)
	return true
}

// arm allows some crashes; stop allows none any more.
func (h *hooks) arm(crashes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left = crashes
}

func (h *hooks) stop() { h.arm(0) }

// logCounter counts the life events that the product logs.
type logCounter struct {
	slog.Handler
	cover *coverage
}

// Handle implements slog.Handler.
func (l logCounter) Handle(ctx context.Context, rec slog.Record) error {
	switch rec.Message {
	case "partition assigned", "partition revoked":
		l.cover.add(rec.Message, 1)
	}
	if l.Handler == nil {
		return nil
	}
	return l.Handler.Handle(ctx, rec)
}

// Enabled implements slog.Handler.
func (l logCounter) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// WithAttrs implements slog.Handler.
func (l logCounter) WithAttrs(attrs []slog.Attr) slog.Handler {
	if l.Handler == nil {
		return l
	}
	return logCounter{l.Handler.WithAttrs(attrs), l.cover}
}

// WithGroup implements slog.Handler.
func (l logCounter) WithGroup(name string) slog.Handler {
	if l.Handler == nil {
		return l
	}
	return logCounter{l.Handler.WithGroup(name), l.cover}
}
