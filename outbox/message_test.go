package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

// says makes a box that says its events to the log.
func says(c *outbox.Config) { c.Mode = outbox.ModeMessage }

// silent waits until all has left that has been said to the log so far.
func (w *world) silent() {
	w.t.Helper()
	var slot string
	var end wal.LSN
	view(w.t, w.db, func(ctx context.Context, tx *sqldb.Tx) error {
		err := tx.QueryRow(ctx, `select slot from leat_outbox_meta`).Scan(&slot)
		if err == nil && slot != "" {
			end, err = wal.End(ctx, tx)
		}
		return err
	})
	if slot == "" {
		return
	}
	leattest.Within(w.t, 4*time.Minute, "all that was said has left", func() error {
		w.data.Exec(w.t, `select pg_logical_emit_message(true, 'test', '')`) // so that the log has an end behind it
		if s := w.slot(); s.Name != "" && s.Confirmed < end {
			return fmt.Errorf("slot %+v, want it confirmed to %v", s, end)
		}
		return nil
	})
}

// heard waits until a relay listens.
func (w *world) heard() {
	w.t.Helper()
	leattest.Eventually(w.t, "a slot hears what is said", func() error {
		if w.data.Int(w.t, `select count(*) from leat_outbox_meta where slot <> '' and slot not like '-%'`) == 0 {
			return errors.New("there is none")
		}
		return nil
	})
}

// Batches that end within a transaction and a crash at each point: the position names the last place
// that has left, and what the slot brings again is passed over.
func TestACrashInModeMessageLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), says)
	_, stop := w.relay()
	w.heard()
	w.publish(moved{Key: "k", N: 1})
	w.empty()
	stop()
	n := 1
	for _, point := range []string{"relay.selected", "relay.produced", "relay.committing", "relay.committed"} {
		for _, nth := range []int32{1, 2} {
			var events []any
			for range 25 {
				n++
				events = append(events, moved{Key: "k", N: n})
			}
			w.publish(events...)
			w.crashIn(outbox.ModeMessage, point, nth)
		}
	}
	r, _ := w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
	if rows := w.data.Int(t, `select last_value from leat_outbox_id_seq`); rows != 1 {
		t.Errorf("%d rows were written: nothing is tested", rows)
	}
	if s, err := r.Status(t.Context()); err != nil || s.Warning != "" || s.Slot == nil {
		t.Errorf("status %+v, %v", s, err)
	}
}

// Where no slot hears it, an event would be lost: its transaction fails, and a handler tries it again
// without counting.
func TestNothingIsSaidThatNobodyHears(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), says)
	say := func(e any) error {
		return w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, e) })
	}
	refused := func() {
		t.Helper()
		if err := say(moved{Key: "k", N: 99}); err == nil || !leat.IsUnavailable(err) || !strings.Contains(err.Error(), "no replication slot") {
			t.Errorf("said to nobody: %v", err)
		}
	}
	refused()
	_, stop := w.relay()
	w.heard()
	w.publish(moved{Key: "k", N: 1})
	w.empty()
	stop()
	w.publish(moved{Key: "k", N: 2}) // the slot keeps it
	name := w.slot().Name
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), 2)
	w.data.Exec(t, `update leat_outbox_meta set slot = slot || 'x'`)
	refused()
	w.data.Exec(t, `update leat_outbox_meta set slot = $1`, name)
	w.publish(moved{Key: "k", N: 3})
	w.empty()
	inOrder(t, w.read(w.topic.Name), 3)
}

// A relay is ready when a slot hears what is said, not before, whether it leads or stands by: who asks it
// may let transactions begin.
func TestARelayIsReadyWhenASlotHears(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), says)
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { // no slot is made while a transaction is open that was there before
		ended <- w.db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `select pg_current_xact_id()`)
			close(begun)
			<-end
			return err
		})
	}()
	release := sync.OnceValue(func() error { close(end); return <-ended })
	defer func() { _ = release() }()
	<-begun
	leader, _ := w.relay()
	standby, _ := w.relay()
	both := []*outbox.Relay{leader, standby}
	for _, r := range both {
		leattest.Eventually(t, "a relay says that no slot hears", func() error {
			err := r.Ready()
			if err == nil {
				t.Fatal("it is ready, and what is said would be refused")
			}
			if !strings.Contains(err.Error(), "no replication slot hears") {
				return err
			}
			return nil
		})
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	for _, r := range both {
		leattest.Eventually(t, "a relay is ready", r.Ready)
		w.publish(moved{Key: "k", N: 1})
	}
}

// From one mode to the next, each time with work in hand: nothing is lost or doubled on the way, and
// no slot stays behind that nobody reads.
func TestModeMessageComesAndGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	n := 0
	for i, mode := range []outbox.Mode{outbox.ModeExact, outbox.ModeMessage, outbox.ModeExact, outbox.ModeMessage, outbox.ModeWAL, outbox.ModeMessage, outbox.ModeWAL, outbox.ModeExact} {
		as := func(c *outbox.Config) {
			if mode == outbox.ModeMessage {
				c.Mode = mode
			}
		}
		w.box = w.newBox(w.db, as)
		r, stop := w.relay(func(c *outbox.RelayConfig) { c.Mode = mode })
		if mode == outbox.ModeMessage {
			w.heard()
		}
		n++
		w.publish(moved{Key: "k", N: n})
		w.empty()
		if mode == outbox.ModeWAL {
			w.follows()
		}
		if mode == outbox.ModeExact {
			leattest.Eventually(t, "no slot is left over", func() error {
				if s := w.slot(); s.Name != "" {
					return fmt.Errorf("slot %+v", s)
				}
				return nil
			})
		}
		n++
		w.publish(moved{Key: "k", N: n})
		w.empty()
		stop()
		for range 15 {
			n++
			w.publish(moved{Key: "k", N: n})
		}
		w.crashIn(mode, "relay.committed", 1)
		if s, err := r.Status(t.Context()); err != nil || s.Warning != "" {
			t.Errorf("step %d, told without a reason: %q, %v", i, s.Warning, err)
		}
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
}

// An event that can't leave is parked as in the other modes, though it lies in no table: once, whatever
// dies in between, and it leaves once it is put back.
func TestWhatWasSaidAndCannotLeaveIsParked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), says)
	_, stop := w.relay()
	w.heard()
	w.publish(moved{Key: "k", N: 1})
	w.empty()
	stop()
	lower(t, w, "2000")
	w.publish(moved{Key: "k", N: 2})
	w.publish(moved{Key: "k", N: 99, Pad: random(5000)})
	w.publish(moved{Key: "k", N: 3})
	for _, point := range []string{"relay.produced", "relay.committing"} {
		w.crashIn(outbox.ModeMessage, point, 2)
	}
	_, stop = w.relay()
	w.empty()
	parked, err := w.box.Parked(t.Context(), 10)
	if err != nil || len(parked) != 1 || parked[0].Bytes < 5000 {
		t.Fatalf("parked are %+v, %v", parked, err)
	}
	stop()
	lift(t, w, "2000000")
	w.relay() // a new one asks for the limit
	if err := w.box.Unpark(t.Context(), parked[0].ID); err != nil {
		t.Fatal(err)
	}
	w.empty()
	var got []int
	for _, s := range w.read(w.topic.Name) {
		if s.Key == "k" {
			got = append(got, s.N)
		}
	}
	if fmt.Sprint(got) != "[1 2 3 99]" {
		t.Errorf("got %v", got)
	}
}

// A slot that is gone takes with it what it had not delivered: that is told, and the rest goes on.
func TestALostSlotOfModeMessageIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), says)
	_, stop := w.relay()
	w.heard()
	w.publish(moved{Key: "k", N: 1})
	w.empty()
	stop()
	w.publish(moved{Key: "lost", N: 1})
	w.unread()
	w.data.Exec(t, `select pg_drop_replication_slot($1)`, w.slot().Name)
	r, _ := w.relay()
	leattest.Eventually(t, "it is told and a new slot hears", func() error {
		s, err := r.Status(t.Context())
		if err == nil && (!strings.Contains(s.Warning, "IS LOST") || w.slot().Name == "") {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
	leattest.Eventually(t, "the next event is taken", func() error {
		return w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, moved{Key: "k", N: 2}) })
	})
	w.empty()
	inOrder(t, w.read(w.topic.Name), 2)
}
