package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

func shards(n int) func(*outbox.RelayConfig) {
	return func(c *outbox.RelayConfig) { c.Shards, c.SweepEvery = n, 300*time.Millisecond }
}

// led waits until the relays lead as many shards as wanted, each of them once.
func led(t *testing.T, of int, want map[*outbox.Relay]int) {
	t.Helper()
	leattest.Eventually(t, fmt.Sprint("the ", of, " shards are shared"), func() error {
		var all []int
		for r, n := range want {
			s, err := r.Status(t.Context())
			if err != nil {
				return err
			}
			if len(s.Leads) != n {
				return fmt.Errorf("one leads %v, want %d", s.Leads, n)
			}
			all = append(all, s.Leads...)
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != of {
			return fmt.Errorf("led are %v", all)
		}
		return nil
	})
}

// Two processes share the shards; when one leaves the other has them all.
func TestShardsAreSharedByTheRelays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	n := 0
	publish := func() {
		n++
		for k := range 40 {
			w.publish(moved{Key: fmt.Sprint("k", k), N: n})
		}
	}
	publish()
	var anew atomic.Int32
	watch := func(c *outbox.RelayConfig) { c.Logger = counting(&anew) }
	first, stop := w.relay(shards(4), watch)
	led(t, 4, map[*outbox.Relay]int{first: 4})
	publish()
	second, _ := w.relay(shards(4), watch)
	led(t, 4, map[*outbox.Relay]int{first: 2, second: 2})
	publish()
	w.empty()
	stop()
	publish()
	led(t, 4, map[*outbox.Relay]int{second: 4})
	w.empty()
	inOrder(t, w.read(w.topic.Name), 40*n)
	if n := anew.Load(); n > 0 {
		t.Errorf("relays started anew %d times: they are in one another's way", n)
	}
}

// Another number of shards gives keys to other relays. None of them may be at work with the old
// number when one begins with the new.
func TestTheNumberOfShardsChangesUnderWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	ws := &writers{box: w.box, aggregates: 60}
	if err := ws.prepare(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- ws.run(ctx, 4, 1<<40, 8) }()
	more := func() {
		before := ws.written.Load()
		leattest.Eventually(t, "some events are written", func() error { return atLeast(ws.written.Load()-before, 300) })
	}
	w.relay(shards(1))
	for _, n := range []int{3, 2, 5, 1} {
		more()
		r, _ := w.relay(shards(n))
		leattest.Eventually(t, fmt.Sprint(n, " shards are in force"), func() error {
			s, err := r.Status(t.Context())
			if err == nil && s.Shards != n {
				err = fmt.Errorf("there are %d", s.Shards)
			}
			return err
		})
	}
	more()
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.empty()
	inOrder(t, w.read(w.topic.Name), truth(t, w.db))
}

func TestShardsNeedPostgres(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.SQLite(t), embedded(t, false))
	for _, n := range []int{-1, 2, 65} {
		if _, err := outbox.NewRelay(outbox.RelayConfig{Box: w.box, Kafka: w.kafka(), Shards: n}); err == nil {
			t.Errorf("%d shards are taken", n)
		}
	}
}
