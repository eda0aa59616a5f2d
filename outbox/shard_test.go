package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// shards is how many are asked for; what they do at each fifth of a lease comes soon.
func shards(n int) func(*outbox.RelayConfig) {
	return func(c *outbox.RelayConfig) {
		c.Shards, c.SweepEvery, c.LeaseTTL = n, 300*time.Millisecond, 10*time.Second
	}
}

// led waits until the relays lead as many shards as wanted, each of them once.
func led(t *testing.T, of int, want map[*outbox.Relay]int) {
	t.Helper()
	leattest.Within(t, 3*time.Minute, fmt.Sprint("the ", of, " shards are shared"), func() error {
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
	// What is counted are relays in one another's way, and no leases that a loaded machine lets run out.
	long := func(c *outbox.RelayConfig) { c.LeaseTTL, c.TransactionTimeout = calm, time.Minute }
	first, stop := w.relay(shards(4), watch, long)
	led(t, 4, map[*outbox.Relay]int{first: 4})
	publish()
	second, _ := w.relay(shards(4), watch, long)
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
	ws := &writers{box: w.box, aggregates: 60, tolerant: true}
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

// Relays hang with a transaction in hand. As long as they have their leases the number of shards stays
// as it is; when they have lost them they are fenced off first, and what they wake up to commit then
// does not count.
func TestTheNumberOfShardsWaitsForTheLeasesAndFencesTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	var armed atomic.Bool
	asleep, wake := make(chan struct{}, 10), make(chan struct{})
	// Nothing but the fence ends their transactions before the wait for markers does.
	long := func(c *outbox.RelayConfig) { c.TransactionTimeout, c.LeaseTTL = 5*time.Minute, calm }
	first, _ := w.relay(shards(2), long, func(c *outbox.RelayConfig) {
		c.Hook = func(point string) {
			if point == "relay.committing" && armed.Load() {
				asleep <- struct{}{}
				<-wake
			}
		}
	})
	rouse := sync.OnceFunc(func() { close(wake) })
	defer rouse()
	led(t, 2, map[*outbox.Relay]int{first: 2})
	publish := func(n int) {
		for k := range 40 {
			w.publish(moved{Key: fmt.Sprint("k", k), N: n})
		}
	}
	publish(1)
	w.empty()
	armed.Store(true)
	publish(2)
	<-asleep
	<-asleep // both
	var waits atomic.Bool
	second, _ := w.relay(shards(1), long, func(c *outbox.RelayConfig) {
		c.Logger = slog.New(&hearing{Handler: quiet().Handler(), what: "another number of shards waits for the end of a relay", heard: func() { waits.Store(true) }})
	})
	leattest.Eventually(t, "it has asked for a lease", func() error { // and comes on only when it has them all
		if !waits.Load() {
			return errors.New("it does not wait")
		}
		return nil
	})
	inForce := func() int {
		s, err := second.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Shards
	}
	if n := inForce(); n != 2 {
		t.Errorf("%d shards while relays are at work with 2", n)
	}
	// Their process keeps the leases alive; take them away as its death would.
	w.data.Exec(t, `update leat_lease set expires_at = clock_timestamp() - interval '1 second', token = token + 1000`)
	publish(3)
	w.empty()
	if n := inForce(); n != 1 {
		t.Errorf("%d shards, want 1", n)
	}
	armed.Store(false)
	rouse()
	publish(4)
	w.empty()
	inOrder(t, w.read(w.topic.Name), 4*40)
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
