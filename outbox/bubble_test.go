package outbox_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// bubble runs body on SQLite and both kinds of kfake, where waiting takes no time.
func bubble(t *testing.T, body func(t *testing.T, w *world)) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { body(t, newWorld(t, sql.SQLite(t), embedded(t, true))) })
	})
	t.Run("with transactions", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			body(t, newWorld(t, sql.SQLite(t), broker.Fake(t, broker.FakeConfig{Virtual: true})))
		})
	})
}

// A topic stays missing and is tried again and again. What waits beside its events leaves once, where
// there are no transactions too.
func TestTheNeighboursOfAnEventThatCannotLeaveAreSentOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var anew atomic.Int32
		w.relay(func(c *outbox.RelayConfig) { c.Logger, c.Patience = counting(&anew), -1 })
		n := 0
		for range 30 {
			n++
			w.publish(stray{N: n}, moved{Key: "k", N: n})
			time.Sleep(time.Second)
		}
		leattest.Eventually(t, "all but the strays leave", func() error { // the last ones wait while a try is under way
			if rows := w.data.Int(t, `select count(*) from leat_outbox`); rows != int64(n) {
				return fmt.Errorf("%d rows wait, want %d", rows, n)
			}
			return nil
		})
		inOrder(t, w.read(w.topic.Name), n)
		if tries := anew.Load(); tries < 3 || tries > 10 {
			t.Errorf("the missing topic was tried %d times in 30 s", tries)
		}
	})
}

// A leader that hangs loses its lease, and a standby takes over within a few seconds.
func TestAStandbyTakesOverFromALeaderThatDied(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		_, stop := w.relay(func(c *outbox.RelayConfig) { c.LeaseTTL = 5 * time.Second })
		w.publish(moved{Key: "k", N: 1})
		w.empty()
		w.data.Exec(t, `update leat_lease set holder = 'dead', token = token + 1`) // as if it had died with the lease in hand
		heir, _ := w.relay(func(c *outbox.RelayConfig) { c.LeaseTTL = 5 * time.Second })
		started := time.Now()
		w.publish(moved{Key: "k", N: 2})
		w.empty()
		if d := time.Since(started); d > 8*time.Second {
			t.Errorf("took %v", d)
		}
		stop()
		w.publish(moved{Key: "k", N: 3})
		w.empty()
		inOrder(t, w.distinct(w.topic.Name), 3)
		if err := heir.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
	})
}

// What this process commits wakes its relay; it does not wait for the next look.
func TestACommitWakesTheRelay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.relay(func(c *outbox.RelayConfig) { c.PollMin, c.PollMax = time.Hour, time.Hour })
		time.Sleep(time.Minute)
		for n := range 5 {
			w.publish(moved{Key: "k", N: n + 1})
			started := time.Now()
			w.empty()
			if d := time.Since(started); d > time.Second {
				t.Errorf("took %v", d)
			}
		}
	})
}

// The relay forgets in its spare time what the inbox need not remember any more.
func TestTheRelayKeepsTheInboxSmall(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		const keep = 3 * time.Minute
		w.box = w.newBox(w.db, func(c *outbox.Config) { c.InboxKeep = keep })
		w.relay(func(c *outbox.RelayConfig) { c.PollMax = time.Second })
		w.data.Exec(t, `insert into leat_inbox (consumer_group, source, id, at) values ('g', 's', 'i', $1)`, time.Now().UnixMicro())
		for _, c := range []struct {
			after time.Duration
			rows  int64
		}{{keep - 10*time.Second, 1}, {2 * time.Minute, 0}} {
			time.Sleep(c.after)
			if n := w.data.Int(t, `select count(*) from leat_inbox`); n != c.rows {
				t.Errorf("%d rows, want %d", n, c.rows)
			}
		}
	})
}
