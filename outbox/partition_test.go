package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// quick keeps events for 2 s in partitions of 2 s.
func quick(c *outbox.RelayConfig) {
	c.Keep, c.Partition, c.SweepEvery, c.Patience = 2*time.Second, 2*time.Second, 100*time.Millisecond, -1
}

// parts are the names of the tables that began as partitions.
func (w *world) parts(attached bool) (names []string) {
	w.t.Helper()
	view(w.t, w.db, func(ctx context.Context, tx *sqldb.Tx) error {
		names = nil
		rows, err := tx.Query(ctx, `select relname::text from pg_class where relname ~ '^leat_outbox_kept_2[0-9_]*$' and relkind = 'r' and relispartition = $1 order by 1`, attached)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		return rows.Err()
	})
	return names
}

// A partition goes when its time is over, and not before all in it has left: an event whose topic is
// missing keeps it. Then it goes too, and the event has left.
func TestAPartitionStaysUntilAllOfItHasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	w.relay(quick)
	n := 0
	publish := func() {
		n++
		w.publish(moved{Key: "k", N: n})
	}
	leattest.Eventually(t, "events are written to a partition", func() error {
		publish()
		if in := w.data.Int(t, `select count(*) from leat_outbox_kept where tableoid <> 'leat_outbox_kept_rest'::regclass`); in == 0 {
			return errors.New("they go to the last one")
		}
		return nil
	})
	var home string
	strays := 0
	leattest.Eventually(t, "an event whose topic is missing is written to a partition", func() error {
		strays++
		w.publish(stray{N: strays})
		err := w.db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, `select tableoid::regclass::text from leat_outbox_kept where topic = $1 order by id desc limit 1`, w.stray.Name).Scan(&home)
		})
		if err == nil && home == "leat_outbox_kept_rest" {
			err = errors.New("it went to the last one")
		}
		return err
	})
	leattest.Eventually(t, "its time is long over", func() error {
		publish()
		if age := w.data.Int(t, `select (extract(epoch from clock_timestamp()) * 1000)::bigint - max(written) / 1000 from leat_outbox_kept where topic = $1`, w.stray.Name); age < 7000 {
			return fmt.Errorf("it is %d ms old", age)
		}
		return nil
	})
	if all := w.parts(true); !slices.Contains(all, home) {
		t.Errorf("the event is in %s, the partitions are %v", home, all)
	}
	w.b.CreateTopic(t, w.stray.Name, 1, nil)
	leattest.Eventually(t, "the old partitions are gone", func() error {
		publish()
		if all := w.parts(true); len(all) == 0 || len(all) > 8 || all[0] <= home {
			return fmt.Errorf("there are %v", all)
		}
		return nil
	})
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
	if got := len(w.read(w.stray.Name)); got != strays {
		t.Errorf("%d events of the topic that was missing, want %d", got, strays)
	}
	if left := w.parts(false); len(left) > 0 {
		t.Errorf("left behind are %v", left)
	}
}

// Told so, a relay leaves old partitions behind as tables of their own.
func TestOldPartitionsAreLeftBehindWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	_, stop := w.relay(quick, func(c *outbox.RelayConfig) { c.Detach = true })
	n := 0
	leattest.Eventually(t, "three partitions are detached", func() error {
		n++
		w.publish(moved{Key: "k", N: n})
		if left := w.parts(false); len(left) < 3 {
			return fmt.Errorf("detached are %v", left)
		}
		return nil
	})
	w.empty()
	stop() // or a partition is counted, detached, and counted again
	sum := w.data.Int(t, `select count(*) from leat_outbox_kept`)
	for _, name := range w.parts(false) {
		sum += w.data.Int(t, `select count(*) from `+name)
	}
	if int(sum) != n {
		t.Errorf("%d events in all tables, want %d", sum, n)
	}
	inOrder(t, w.read(w.topic.Name), n)
}

// Where no relay has made a partition, events are written and leave all the same, and are kept as long.
func TestAMissingPartitionFailsNoWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	n := 0
	publish := func() {
		n++
		w.publish(moved{Key: "k", N: n})
	}
	publish() // before the first relay
	in := func() int64 { return w.data.Int(t, `select count(*) from leat_outbox_kept_rest`) }
	if in() != 1 {
		t.Fatal("the event is not where it should be")
	}
	_, stop := w.relay(quick)
	w.empty()
	stop()
	for _, name := range w.parts(true) { // as if none had been at work for long
		w.data.Exec(t, `drop table `+name)
	}
	publish()
	if in() == 0 {
		t.Error("the event went to a partition that is gone")
	}
	w.relay(quick)
	leattest.Eventually(t, "the rest is empty, and events go to partitions", func() error {
		publish()
		if n := in(); n > 0 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
}

// A writer that stays open keeps a partition from going, and the relay keeps nobody waiting for it.
func TestTakingAPartitionAwayHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
	w.relay(quick)
	n := 0
	publish := func() {
		n++
		w.publish(moved{Key: "k", N: n})
	}
	leattest.Eventually(t, "partitions are there", func() error {
		publish()
		if len(w.parts(true)) < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	commit := w.slow(moved{Key: "slow", N: 1})
	defer commit()
	until := time.Now().Add(6 * time.Second)
	leattest.Eventually(t, "some partitions are old", func() error {
		n++
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // one who waits would wait for the slow one
		defer cancel()
		if err := w.box.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, moved{Key: "k", N: n}) }); err != nil {
			t.Fatalf("a writer waited: %v", err)
		}
		if time.Now().Before(until) {
			return errors.New("not yet")
		}
		return nil
	})
	commit()
	w.empty()
	inOrder(t, w.read(w.topic.Name), n+1)
}
