package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

func byLog(c *outbox.RelayConfig) { c.Mode = outbox.ModeWAL }

// slot is the outbox's slot as the database tells of it.
func (w *world) slot() (s wal.Slot) {
	w.t.Helper()
	view(w.t, w.db, func(ctx context.Context, tx *sqldb.Tx) error {
		s = wal.Slot{}
		var outboxID string
		if err := tx.QueryRow(ctx, `select outbox from leat_outbox_meta`).Scan(&outboxID); err != nil {
			return err
		}
		all, err := wal.Slots(ctx, tx, "leat_"+strings.ReplaceAll(outboxID, "-", ""))
		if len(all) > 1 {
			err = fmt.Errorf("%d slots", len(all))
		}
		if len(all) > 0 {
			s = all[0]
		}
		return err
	})
	return s
}

// unread waits until the server knows that nobody reads the slot any more.
func (w *world) unread() {
	w.t.Helper()
	leattest.Eventually(w.t, "nobody reads the slot", func() error {
		if s := w.slot(); s.Active {
			return fmt.Errorf("slot %+v", s)
		}
		return nil
	})
}

// follows waits until a relay has taken what was there from the table, and reads the slot.
func (w *world) follows() {
	w.t.Helper()
	w.empty()
	from := w.slot().Confirmed
	leattest.Eventually(w.t, "the relay reads the slot", func() error {
		w.data.Exec(w.t, `select pg_logical_emit_message(true, 'test', '')`)
		if s := w.slot(); !s.Active || from == 0 || s.Confirmed <= from {
			from = max(from, s.Confirmed)
			return fmt.Errorf("slot %+v", s)
		}
		return nil
	})
}

// A transaction that draws its ids first and commits last goes last; by the ids it would go first.
func TestTheLogGivesTheOrderOfCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	w.relay(byLog, func(c *outbox.RelayConfig) { // one reign: the next one begins with the table
		c.TransactionTimeout, c.LeaseTTL = time.Minute, time.Minute
	})
	w.publish(moved{Key: "k", N: 1})
	w.follows()
	w.b.CreateTopic(t, w.stray.Name, 1, nil)
	commit := w.slow(stray{N: 3})
	w.publish(stray{N: 1})
	w.publish(stray{N: 2})
	commit()
	w.empty()
	var got []int
	for _, s := range w.read(w.stray.Name) {
		got = append(got, s.N)
	}
	if fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("got %v", got)
	}
}

// Batches that end within a transaction, a crash at each point, the same slot after each.
func TestACrashInModeWALLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	_, stop := w.relay(byLog)
	w.publish(moved{Key: "k", N: 1})
	w.follows()
	w.publish(moved{Key: "k", N: 2})
	w.empty()
	stop()
	leattest.Eventually(t, "it is told that nobody reads the slot", func() error {
		if s, err := w.box.Status(t.Context()); err != nil || !strings.Contains(s.Trouble, "no relay reads") {
			return fmt.Errorf("%+v, %v", s, err)
		}
		return nil
	})
	slot := w.slot().Name
	n := 2
	for _, point := range []string{"relay.selected", "relay.produced", "relay.committing", "relay.committed", "relay.deleted"} {
		for _, nth := range []int32{1, 2} {
			var events []any
			for range 25 {
				n++
				events = append(events, moved{Key: "k", N: n})
			}
			w.publish(events...)
			w.crashIn(outbox.ModeWAL, point, nth)
		}
	}
	r, _ := w.relay(byLog)
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
	if now := w.slot().Name; now != slot {
		t.Errorf("slot %s after the crashes, %s before", now, slot)
	}
	if s, err := r.Status(t.Context()); err != nil || s.Warning != "" || s.Slot == nil || s.Slot.Name != slot {
		t.Errorf("status %+v, %v", s, err)
	}
}

// What was to come out of the slot and can't any more leaves by the table, and it is told.
func TestALostSlotLosesNothingAndIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   string
		told string
	}{
		"dropped":        {`select pg_drop_replication_slot($1)`, "is gone"},
		"moved by hand":  {`select pg_replication_slot_advance($1, pg_current_wal_lsn())`, "was moved"},
		"no publication": {`do $$ begin execute (select 'drop publication ' || pubname from pg_publication); end $$`, "publication"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sql.Postgres(t), broker.Real(t))
			_, stop := w.relay(byLog)
			w.publish(moved{Key: "k", N: 1})
			w.follows()
			w.publish(moved{Key: "k", N: 2})
			w.empty()
			stop()
			for n := 3; n <= 10; n++ {
				w.publish(moved{Key: "k", N: n})
			}
			w.unread()
			var args []any
			if strings.Contains(c.do, "$1") {
				args = append(args, w.slot().Name)
			}
			w.data.Exec(t, c.do, args...)
			r, _ := w.relay(byLog, func(c *outbox.RelayConfig) { c.SweepEvery = 100 * time.Millisecond })
			w.empty()
			if s, err := r.Status(t.Context()); err != nil || !strings.Contains(s.Warning, c.told) {
				t.Errorf("not told: %+v, %v", s, err)
			}
			w.follows()
			w.publish(moved{Key: "k", N: 11})
			w.empty()
			inOrder(t, w.read(w.topic.Name), 11)
		})
	}
}

// From one mode to the other and back, each time with work in hand, nothing is lost or doubled, and
// no slot stays behind that nobody reads.
func TestModesTakeOverFromEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	n := 0
	for i := range 6 {
		mode := []outbox.Mode{outbox.ModeExact, outbox.ModeWAL}[i%2]
		r, stop := w.relay(func(c *outbox.RelayConfig) { c.Mode = mode })
		n++
		w.publish(moved{Key: "k", N: n})
		w.empty()
		if mode == outbox.ModeWAL {
			w.follows()
			n++
			w.publish(moved{Key: "k", N: n})
			w.empty()
		} else if s := w.slot(); s.Name != "" {
			t.Errorf("slot %+v is left over", s)
		}
		stop()
		for range 15 {
			n++
			w.publish(moved{Key: "k", N: n})
		}
		w.crashIn(mode, "relay.committed", 1)
		if s, err := r.Status(t.Context()); err != nil || s.Warning != "" {
			t.Errorf("told without a reason: %q, %v", s.Warning, err)
		}
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
}

// A new slot waits until all open transactions have ended. Events do not.
func TestANewSlotHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	commit := w.slow(moved{Key: "slow", N: 1})
	defer commit()
	w.relay(byLog)
	for n := range 5 {
		w.publish(moved{Key: "k", N: n + 1})
	}
	w.empty()
	commit()
	w.follows()
	w.publish(moved{Key: "k", N: 6})
	w.empty()
	inOrder(t, w.read(w.topic.Name), 7)
}

// A topic that is missing for a while: its events wait and then leave in order, those of others go on.
func TestModeWALWaitsForATopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	w.relay(byLog, func(c *outbox.RelayConfig) { c.Patience = -1 })
	w.publish(moved{Key: "k", N: 1})
	w.follows()
	for n := range 10 {
		w.publish(stray{N: n + 1}, moved{Key: "k", N: n + 2})
	}
	leattest.Eventually(t, "the others have left", func() error {
		if got := len(w.read(w.topic.Name)); got < 11 {
			return fmt.Errorf("%d of 11", got)
		}
		return nil
	})
	w.b.CreateTopic(t, w.stray.Name, 1, nil)
	w.empty()
	w.follows()
	inOrder(t, w.read(w.topic.Name), 11)
	for i, s := range w.read(w.stray.Name) {
		if s.N != i+1 {
			t.Errorf("stray %d comes as number %d", s.N, i+1)
		}
	}
}

func TestModeWALSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	lite := newWorld(t, sql.SQLite(t), embedded(t, false))
	if _, err := outbox.NewRelay(outbox.RelayConfig{Box: lite.box, Kafka: lite.kafka(), Mode: outbox.ModeWAL}); err == nil || !strings.Contains(err.Error(), "PostgreSQL") {
		t.Errorf("on SQLite: %v", err)
	}
	if _, err := outbox.NewRelay(outbox.RelayConfig{Box: lite.box, Kafka: lite.kafka(), Mode: "psychic"}); err == nil || !strings.Contains(err.Error(), "psychic") {
		t.Errorf("an unknown mode: %v", err)
	}
	if testing.Short() {
		t.Skip("the rest starts a server of its own")
	}
	_, data := ownPostgres(t, map[string]string{"wal_level": "replica"})
	w := newWorld(t, data, broker.Fake(t, broker.FakeConfig{}))
	r, err := outbox.NewRelay(outbox.RelayConfig{Box: w.box, Kafka: w.kafka(), Mode: outbox.ModeWAL, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(t.Context())
	if setup, ok := errors.AsType[*outbox.SetupError](err); !ok || !strings.Contains(setup.Hint, "wal_level") {
		t.Errorf("without the log: %v", err)
	}
}

// streamed warms a relay up and follows the log with a slot of the test's own. What it returns fails
// unless each partition has its events in the order of the commits.
func (w *world) streamed(as role) (inCommitOrder func()) {
	w.t.Helper()
	first := start(w.t, as)
	w.publish(moved{Key: "warm", N: 1})
	w.follows()
	w.publish(moved{Key: "warm", N: 2})
	w.empty()
	first.kill()
	own := strings.ReplaceAll(leattest.Name("own"), "-", "_")
	w.data.Exec(w.t, `create publication `+own+` for table leat_outbox with (publish = 'insert')`)
	conn := w.replication()
	defer conn.Close()
	if err := conn.CreateSlot(w.t.Context(), own); err != nil {
		w.t.Fatal(err)
	}
	return func() { w.t.Helper(); w.compare(own) }
}

// replication is a replication connection.
func (w *world) replication() (conn *wal.Conn) {
	w.t.Helper()
	leattest.Eventually(w.t, "the database takes a replication connection", func() (err error) {
		conn, err = wal.Open(w.t.Context(), w.data.URL)
		return err
	})
	return conn
}

func (w *world) compare(own string) {
	w.t.Helper()
	w.data.Exec(w.t, `select pg_logical_emit_message(true, 'test', 'end')`)
	conn := w.replication()
	defer conn.Close()
	if err := errors.Join(conn.Start(w.t.Context(), own, own, 0), conn.Wait(time.Now().Add(5*time.Minute))); err != nil {
		w.t.Fatal(err)
	}
	place := map[string]int{}
	var d wal.Decoder
	var c wal.Change
	for string(c.Content) != "end" {
		f, err := conn.Receive()
		if err == nil && f.Data != nil {
			err = d.Decode(f.Data, &c)
		}
		if err == nil && f.Reply { // or the server takes the reader for gone
			err = conn.Acknowledge(0, false)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		for i, v := range c.Row {
			if c.Kind == wal.Insert && c.Table.Columns[i] == "event_id" {
				place[v.Text()] = len(place) + 1
			}
		}
	}
	last, faults := map[int32]int{}, 0
	for _, s := range w.read(w.topic.Name) {
		at := place[s.id]
		if s.Key != "warm" && at <= last[s.rec.Partition] {
			faults++
		}
		last[s.rec.Partition] = max(at, last[s.rec.Partition])
	}
	if faults > 0 || len(place) == 0 {
		w.t.Errorf("%d of %d events are not in the order of the commits", faults, len(place))
	}
}

// A commit that waits for a standby is in the log and not yet visible: its writer has no answer, and a
// delete would miss the row. The event waits as well, and leaves once.
func TestWhatIsInTheLogAndNotVisibleWaits(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server of its own")
	}
	_, data := ownPostgres(t, map[string]string{"synchronous_standby_names": "nobody", "synchronous_commit": "local"})
	w := newWorld(t, data, broker.Real(t))
	_, stop := w.relay(byLog)
	w.publish(moved{Key: "k", N: 1})
	w.follows()
	done := make(chan error, 1)
	go func() {
		done <- w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.Exec(ctx, `set local synchronous_commit = on`)
			return errors.Join(err, tx.Publish(ctx, moved{Key: "k", N: 2}))
		})
	}()
	leattest.Eventually(t, "the writer waits for a standby", func() error {
		if n := data.Int(t, `select count(*) from pg_stat_activity where wait_event = 'SyncRep'`); n != 1 {
			return fmt.Errorf("%d wait", n)
		}
		return nil
	})
	time.Sleep(time.Second) // a relay that does not wait takes some milliseconds
	if got := len(w.read(w.topic.Name)); got != 1 {
		t.Errorf("%d events are out, want 1", got)
	}
	data.Exec(t, `alter system set synchronous_standby_names = ''`)
	data.Exec(t, `select pg_reload_conf()`)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.empty()
	stop()
	w.relay(byLog)
	w.publish(moved{Key: "k", N: 3})
	w.empty()
	inOrder(t, w.read(w.topic.Name), 3)
}
