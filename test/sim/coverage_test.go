package sim_test

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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

// expected is what a seed has to meet on average: about half of what it does, or less.
var expected = map[string]float64{
	"played once": 0.2, "played transform": 0.2, "played together": 0.05, "played batch": 0.05, "claimed": 1,
	"crash.anywhere": 0.7, "drain": 0.25, "stalled": 0.4, "leader.moved": 0.8, "coordinator.moved": 0.3, "doubled": 0.5,
	"lost Produce": 0.05, "lost EndTxn": 0.05, "lost TxnOffsetCommit": 0.01, "lost OffsetCommit": 0.05, "refused": 0.5,
	"partition assigned": 10, "partition revoked": 0.25, "transforms begin anew": 0.005,
	"retry": 5, "unavailable": 3, "dead letter": 1, "met an outage": 0.4, "breaker opened": 0.2, "breaker closed": 0.05,
	"redriven": 1.5, "redriven under faults": 0.02, "came back": 0.6, "letter handled": 0.6, "letter dead-again": 0.3,
	"tool killed at redrive.planned": 0.1, "tool killed at redrive.appended": 0.05, "tool killed at redrive.committed": 0.05,
	"crash after redrive": 0.15, "command.pause": 0.15, "command.rate": 0.05,
	"partition halted by the control topic": 0.1, "rate set by the control topic": 0.05,
}

// tell says what the seeds have met.
func (c *coverage) tell(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(c.n)) {
		t.Logf("%8d %s", c.n[what], what)
	}
}

// check fails where they have not met what so many have to.
func (c *coverage) check(t *testing.T, seeds int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := map[string]int{}
	for what, share := range expected {
		want[what] = int(share * float64(seeds))
	}
	for point := range odds {
		want["crash at "+point] = seeds / 100
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

// odds are one in how many passings of a point is a crash: those that are passed often get the smaller
// chance.
var odds = map[string]int{
	"relay.selected": 60, "relay.produced": 60, "relay.committing": 40, "relay.committed": 40, "relay.deleted": 60,
	"once.committing": 60, "once.committed": 60,
	"consumer.handled": 100, "consumer.deadlettered": 12, "consumer.committing": 20, "consumer.committed": 20,
	"park.appended": 8, "park.readback": 4, "park.committed": 8, "park.dlq-sent": 1,
	"transform.produced": 8, "transform.offsets": 4, "transform.ending": 4, "transform.ended": 4,
}

func (h *hooks) crash(_ *stack.Process, _, point string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left == 0 || odds[point] == 0 || h.rng.IntN(odds[point]) != 0 {
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

// told are the beginnings of messages that are counted, up to a colon.
var told = []string{
	"partition assigned", "partition revoked", "transforms begin anew", "breaker opened", "breaker closed",
	"rate set by the control topic", "partition halted by the control topic", "partition goes on by the control topic",
}

// logCounter counts the life events that the product logs.
type logCounter struct {
	slog.Handler
	cover *coverage
}

// Handle implements slog.Handler.
func (l logCounter) Handle(ctx context.Context, rec slog.Record) error {
	if what, _, _ := strings.Cut(rec.Message, ":"); slices.Contains(told, what) {
		l.cover.add(what, 1)
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
