package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// retains makes a box whose events stay.
func retains(c *outbox.Config) { c.Mode = outbox.ModeRetain }

// upto is how far the cursor is.
func (w *world) upto() int64 {
	w.t.Helper()
	return w.data.Int(w.t, `select upto from leat_outbox_cursor`)
}

// waitingRows counts the rows that the cursor neither has passed nor lists: a row that is read before the
// relay has asked for the mark again, every 10 ms, leaves at once, and is listed until the next ones leave.
const waitingRows = `select count(*) from leat_outbox_kept, leat_outbox_cursor where id > upto and not exists (
	select from unnest(string_to_array(above, ',')) run
	where id between split_part(run, '-', 1)::bigint and coalesce(nullif(split_part(run, '-', 2), ''), run)::bigint)`

// Events that have left are there still, and nothing waits.
func TestRetainedEventsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	_, stop := w.relay()
	for n := range 20 {
		w.publish(moved{Key: "k", N: n + 1}, outbox.At(time.Now().Add(20*time.Millisecond), moved{Key: "late", N: n + 1}))
		w.empty()
	}
	stop()
	if n := w.data.Int(t, `select count(distinct event_id) from leat_outbox_kept`); n != 40 {
		t.Errorf("%d events are kept, want 40", n)
	}
	if n := w.data.Int(t, waitingRows); n != 0 {
		t.Errorf("of %d of them the cursor does not say that they have left", n)
	}
	w.publish(moved{Key: "k", N: 21})
	if n := w.data.Int(t, waitingRows); n != 1 {
		t.Errorf("%d rows wait, want 1", n)
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), 41)
}

// Transactions have their rows, and with them their ids, and stay open for long while others commit and
// leave. The cursor stays below them, across a change of relays too, and what they commit at last leaves,
// before the next version of its key.
func TestTheCursorPassesNoOpenWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	_, stop := w.relay(noSweep)
	const open = 5
	var commits []func()
	n := 0
	for i := range open {
		commits = append(commits, w.slow(moved{Key: fmt.Sprint("slow", i), N: 1}))
		defer commits[i]()
		for range 30 {
			n++
			w.publish(moved{Key: "k", N: n})
		}
	}
	first := w.data.Int(t, `select min(id) from leat_outbox_kept`) // the first row of those that others see
	w.empty()
	inOrder(t, w.read(w.topic.Name), n) // nobody waits for the open ones
	if at := w.upto(); at >= first-1 {
		t.Errorf("the cursor is at %d, the open transaction has row %d", at, first-1)
	}
	stop()
	w.relay(noSweep)
	for i, commit := range commits {
		commit()
		w.publish(moved{Key: fmt.Sprint("slow", i), N: 2})
		n++
		w.publish(moved{Key: "k", N: n})
		w.empty()
	}
	inOrder(t, w.read(w.topic.Name), n+2*open)
	leattest.Eventually(t, "the cursor goes on", func() error {
		n++
		w.publish(moved{Key: "k", N: n})
		w.empty()
		if runs := w.data.Int(t, `select length(above) from leat_outbox_cursor`); runs > 0 {
			return errors.New("it lists rows above")
		}
		return nil
	})
}

// A relay falls asleep between the commit in Kafka and the move of the cursor, and wakes up when its heir
// has gone on: it must not put the cursor back, or the next one would send again what has left.
func TestARelayThatWakesUpDoesNotPutTheCursorBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	asleep, wake := make(chan struct{}), make(chan struct{})
	var sleepOnce sync.Once
	old, stop := w.relay(func(c *outbox.RelayConfig) {
		c.LeaseTTL = time.Hour // so that it does not see that the lease is gone
		c.Hook = func(p string) {
			if p == "relay.committed" {
				sleepOnce.Do(func() { close(asleep); <-wake })
			}
		}
	})
	rouse := sync.OnceFunc(func() { close(wake) })
	defer rouse()
	w.publish(moved{Key: "k", N: 1}, moved{Key: "l", N: 1})
	<-asleep
	w.data.Exec(t, `update leat_lease set expires_at = clock_timestamp() - interval '1 second', token = token + 1000`)
	_, stopHeir := w.relay()
	for n := 2; n < 20; n++ {
		w.publish(moved{Key: "k", N: n})
		w.empty()
	}
	stopHeir()
	at := w.upto()
	// The heir may have been too slow to give its lease back, and the old one would ask again after a fifth of an hour.
	w.data.Exec(t, `update leat_lease set expires_at = clock_timestamp() - interval '1 second'`)
	rouse()
	leattest.Eventually(t, "the old relay has found out, and leads again", func() error {
		s, err := old.Status(t.Context())
		if err == nil && !s.Leading {
			err = errors.New("it does not lead")
		}
		return err
	})
	if now := w.upto(); now < at {
		t.Errorf("the cursor was at %d and is at %d", at, now)
	}
	stop()
	w.relay()
	w.publish(moved{Key: "k", N: 20})
	w.empty()
	inOrder(t, w.read(w.topic.Name), 21)
}

// From one mode to the next, each time with work in hand, nothing is lost, doubled or out of order, though
// events of one key lie in both tables and in the log.
func TestModeRetainComesAndGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	n := 0
	publish := func(times int) {
		for range times {
			n++
			w.publish(moved{Key: "k", N: n})
		}
	}
	kept := 0
	for _, mode := range []outbox.Mode{
		outbox.ModeExact, outbox.ModeRetain, outbox.ModeExact, outbox.ModeRetain, outbox.ModeWAL, outbox.ModeRetain, outbox.ModeMessage, outbox.ModeRetain, outbox.ModeExact,
	} {
		w.box = w.newBox(w.db, inMode(mode))
		_, stop := w.relay(func(c *outbox.RelayConfig) { c.Mode = mode })
		if mode == outbox.ModeMessage {
			w.heard()
		}
		publish(1)
		w.empty()
		stop()
		publish(15)
		if mode == outbox.ModeRetain {
			kept += 16
		}
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
	if got := w.data.Int(t, `select count(*) from leat_outbox_kept`); int(got) != kept {
		t.Errorf("%d events are kept, want %d", got, kept)
	}
}

// While processes of two modes are at work, events of one key lie in both tables by turns. Whichever
// relay leads, they leave in their order.
func TestTwoModesAtWorkKeepTheOrder(t *testing.T) {
	t.Parallel()
	for _, mode := range []outbox.Mode{outbox.ModeExact, outbox.ModeRetain, outbox.ModeWAL} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sql.Postgres(t), broker.Real(t))
			boxes := []*outbox.Box{w.box, w.newBox(w.db, retains)}
			lead := w.newBox(w.db, inMode(mode))
			w.relay(func(c *outbox.RelayConfig) {
				c.Box, c.Mode, c.BatchRows, c.SweepEvery = lead, mode, 7, 200*time.Millisecond
			})
			const n = 200
			for i := range n {
				w.box = boxes[i*7/3%2]
				w.publish(moved{Key: "k", N: i + 1})
				if mode == outbox.ModeWAL { // what no slot brings leaves by the table, when it is found there
					w.empty()
				}
			}
			w.empty()
			inOrder(t, w.read(w.topic.Name), n)
		})
	}
}

// Where the last read found rows of leat_outbox only, the next one asks of leat_outbox_kept no more than
// whether something waits there.
func TestABacklogInBothTablesKeepsItsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	exact, retain := w.box, w.newBox(w.db, retains)
	const n = 60
	for i := range n {
		if w.box = exact; i%20 == 17 {
			w.box = retain
		}
		w.publish(moved{Key: "k", N: i + 1})
	}
	w.box = exact
	w.relay(noSweep, func(c *outbox.RelayConfig) { c.BatchRows = 7 })
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
}

// The database goes back to what it was, as a promoted standby does, and gives ids again that the cursor
// had passed. The cursor went back with it, and the relay that is at work notices.
func TestADatabaseThatWentBackTakesItsCursorAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	w.relay(func(c *outbox.RelayConfig) { c.SweepEvery = 200 * time.Millisecond })
	publish := func(key string) {
		for n := range 10 {
			w.publish(moved{Key: key, N: n + 1})
		}
		w.empty()
	}
	publish("before")
	w.data.Exec(t, `create table backup as select upto, number, above, (select max(id) from leat_outbox_kept) as last from leat_outbox_cursor`)
	publish("ghost")
	last := w.data.Int(t, `select max(id) from leat_outbox_kept`)
	w.data.Exec(t, `do $$ begin
		delete from leat_outbox_kept where id > (select last from backup);
		update leat_outbox_cursor set upto = backup.upto, number = backup.number, above = backup.above from backup;
		perform setval('leat_outbox_id_seq', (select last from backup));
		end $$`)
	publish("after")
	if id := w.data.Int(t, `select min(id) from leat_outbox_kept where key = 'after'`); id > last {
		t.Fatalf("ids go on at %d: nothing is tested", id)
	}
	inOrder(t, w.read(w.topic.Name), 30)
}

// The list of rows that have left above an open transaction is bounded: behind it the others wait.
func TestTheListAboveTheCursorIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	w.publish(moved{Key: "k", N: 1})
	commit := w.slow(moved{Key: "slow", N: 1})
	defer commit()
	const runs, more, batch = 10_000, 5000, 1000
	w.data.Exec(t, `insert into leat_outbox_kept (id, at, topic, key, event_id, event_type, attributes, data)
		select nextval('leat_outbox_id_seq') + 0 * nextval('leat_outbox_id_seq'), at, topic, convert_to('k' || n, 'utf8'), event_id || n, event_type, attributes, convert_to('{"key":"k' || n || '","n":1}', 'utf8')
		from (select * from leat_outbox_kept limit 1) one, generate_series(1, $1::int) n`, runs+more)
	w.relay(func(c *outbox.RelayConfig) { // one reign: another one would not have read ahead
		c.BatchRows, c.SweepEvery, c.LeaseTTL, c.TransactionTimeout = batch, 200*time.Millisecond, time.Minute, time.Minute
	})
	waiting := func(want int64) {
		t.Helper()
		leattest.Within(t, 4*time.Minute, fmt.Sprint(want, " events wait"), func() error {
			s, err := w.box.Status(t.Context())
			if err == nil && s.Rows != want {
				err = fmt.Errorf("%d do", s.Rows)
			}
			return err
		})
		w.marked()
	}
	waiting(1 + more - batch) // one batch was read ahead when the list had its bound
	if n := len(w.read(w.topic.Name)); n != runs+batch {
		t.Errorf("%d events have left, want %d", n, runs+batch)
	}
	commit()
	waiting(0)
	inOrder(t, w.read(w.topic.Name), 2+runs+more)
}

// What mode retain can't do is said at once, with the way out.
func TestModeRetainSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	lite := newWorld(t, sql.SQLite(t), embedded(t, false))
	if _, err := outbox.New(outbox.Config{DB: lite.db, Source: "s", Mode: outbox.ModeRetain}); err == nil || !strings.Contains(err.Error(), "PostgreSQL") || !strings.Contains(err.Error(), "mode exact") {
		t.Errorf("on SQLite: %v", err)
	}
	if _, err := outbox.NewRelay(outbox.RelayConfig{Box: lite.box, Kafka: lite.kafka(), Mode: outbox.ModeRetain}); err == nil {
		t.Error("a relay of mode retain is made on SQLite")
	}
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains, func(c *outbox.Config) { c.Payloads, c.PayloadKeep = openStore(t), time.Hour })
	for name, c := range map[string]struct {
		change outbox.RelayConfig
		says   string
	}{
		"another mode":   {outbox.RelayConfig{Mode: outbox.ModeExact, Keep: time.Minute}, "let the relay's Mode be empty"},
		"shards":         {outbox.RelayConfig{Shards: 2, Keep: time.Minute}, "let Shards be 1"},
		"short payloads": {outbox.RelayConfig{}, "keep payloads at least as long"},
		"short periods":  {outbox.RelayConfig{Keep: time.Minute, Partition: time.Millisecond}, "at least 1s"},
	} {
		c.change.Box, c.change.Kafka = w.box, w.kafka()
		if _, err := outbox.NewRelay(c.change); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Events of the mode wait, and another process relays with shards.
	w.publish(moved{Key: "k", N: 1})
	w.box = w.newBox(w.db)
	r, err := outbox.NewRelay(outbox.RelayConfig{Box: w.box, Kafka: w.kafka(), Logger: quiet(), Shards: 2, LeaseTTL: time.Second, PositionTopic: "position." + w.name})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	leattest.Eventually(t, "it is told", func() error {
		if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "events of mode retain wait") {
			return fmt.Errorf("ready: %v", err)
		}
		return nil
	})
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), 1)
}

func openStore(t *testing.T) blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), blob.Config{URL: "file:" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
