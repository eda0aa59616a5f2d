package outbox_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// An open writer keeps reads near the head, where the rows of the batches before still are: those
// that are on their way out are not taken again.
func TestWhatIsOnItsWayOutIsNotTakenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	commit := w.slow(moved{Key: "slow", N: 1})
	defer commit()
	const n = 95
	for i := range n {
		w.publish(moved{Key: "k", N: i + 1})
	}
	w.relay(noSweep, func(c *outbox.RelayConfig) { c.BatchRows = 10 })
	w.empty()
	inOrder(t, w.read(w.topic.Name), n)
	commit()
	w.empty()
	inOrder(t, w.read(w.topic.Name), n+1)
}

// lockHead keeps the outbox's first row from being deleted until free is called.
func lockHead(t *testing.T, w *world) (free func()) {
	t.Helper()
	locked, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- w.db.Tx(context.WithoutCancel(t.Context()), func(ctx context.Context, tx *sqldb.Tx) error {
			var id int64
			if err := tx.QueryRow(ctx, `select id from leat_outbox order by id limit 1 for update`).Scan(&id); err != nil {
				return err
			}
			locked <- struct{}{}
			<-end
			return nil
		})
	}()
	select {
	case <-locked:
	case err := <-done:
		t.Fatal(err)
	}
	free = sync.OnceFunc(func() { close(end) })
	t.Cleanup(func() {
		free()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return free
}

// Batches leave while the one before them is still being deleted. A relay that dies then leaves a
// position that names all of them.
func TestBatchesThatAreOutAndNotDeletedAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	for i := range 45 {
		w.publish(moved{Key: "k", N: i + 1})
	}
	free := lockHead(t, w)
	var committed atomic.Int32
	r, err := outbox.NewRelay(outbox.RelayConfig{
		Box: w.box, Kafka: w.kafka(), Logger: quiet(), PositionTopic: "position." + w.name, BatchRows: 10, SweepEvery: time.Hour,
		TransactionTimeout: time.Minute, LeaseTTL: time.Minute, // one reign
		Hook: func(point string) {
			switch {
			case point == "relay.deleted":
				t.Error("a batch is deleted whose first row is locked")
			case point == "relay.committed" && committed.Add(1) == 3:
				free() // what is under way ends; the other two were not begun
				runtime.Goexit()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.Run(t.Context())
	}()
	<-ended
	if n := committed.Load(); n != 3 {
		t.Fatalf("%d batches left", n)
	}
	if n := w.data.Int(t, `select count(*) from leat_outbox where id <= 30`); n != 20 {
		t.Errorf("%d rows that have left are still there, want those of two batches", n)
	}
	w.relay()
	w.empty()
	inOrder(t, w.read(w.topic.Name), 45)
}

// What a position names is bounded. Beyond that, a batch is not committed before those ahead of it are out
// of the table, or a crash would leave rows there that no position names.
func TestABatchIsCommittedOnlyWhenThoseBeforeAreDeletedOrNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	for i := range 50 {
		w.publish(moved{Key: "k", N: i + 1})
	}
	free := lockHead(t, w)
	var held atomic.Bool
	held.Store(true)
	var produced, committed atomic.Int32 // the takeover's own transaction is the first
	w.relay(noSweep, func(c *outbox.RelayConfig) {
		c.BatchRows, c.TransactionTimeout, c.LeaseTTL = 10, time.Minute, time.Minute // one reign
		c.Hook = func(point string) {
			switch point {
			case "relay.produced":
				if produced.Add(1) == 5 { // the fourth batch: time for a commit that does not wait
					time.AfterFunc(300*time.Millisecond, func() { held.Store(false); free() })
				}
			case "relay.committed":
				if committed.Add(1) == 4 && held.Load() {
					t.Error("the fourth batch is committed, and the three before it are still in the table")
				}
			}
		}
	})
	w.empty()
	inOrder(t, w.read(w.topic.Name), 50)
	if n := committed.Load(); n < 4 {
		t.Errorf("%d batches: nothing is tested", n)
	}
}
