package outbox_test

import (
	"context"
	"errors"
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

// The position names one batch. The next one is not committed before that batch is out of the table,
// or a crash would leave rows there that no position names.
func TestABatchIsCommittedOnlyWhenTheOneBeforeIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	for i := range 30 {
		w.publish(moved{Key: "k", N: i + 1})
	}
	locked, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- w.db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			var id int64
			if err := tx.QueryRow(ctx, `select id from leat_outbox order by id limit 1 for update`).Scan(&id); err != nil {
				return err
			}
			close(locked)
			<-end
			return nil
		})
	}()
	<-locked
	free := sync.OnceFunc(func() { close(end) })
	defer free()
	var held atomic.Bool
	held.Store(true)
	produced, committed := 0, 0 // the takeover's own transaction is the first
	w.relay(noSweep, func(c *outbox.RelayConfig) {
		c.BatchRows = 10
		c.Hook = func(point string) {
			switch point {
			case "relay.produced":
				if produced++; produced == 3 { // the second batch: time for a commit that does not wait
					time.AfterFunc(300*time.Millisecond, func() { held.Store(false); free() })
				}
			case "relay.committed":
				if committed++; committed == 2 && held.Load() {
					t.Error("the second batch is committed, and the first one is still in the table")
				}
			}
		}
	})
	w.empty()
	if err := <-done; errors.Join(err, t.Context().Err()) != nil {
		t.Error(err)
	}
	inOrder(t, w.read(w.topic.Name), 30)
}
