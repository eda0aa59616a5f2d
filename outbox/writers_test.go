package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// writers write as badly as is allowed: some draw their transaction id before they wait for a lock,
// some hold the transaction open, some write their events long before they commit, some roll back.
// The events of every fifth aggregate are delayed.
// Each event is its aggregate's next version, so the aggregates' versions are the truth.
type writers struct {
	box        *outbox.Box
	aggregates int
	pad        string
	written    atomic.Int64 // events committed
	aborted    atomic.Int64 // transactions rolled back on purpose
	tolerant   bool         // the database may be away
}

const things = `create table thing (key text primary key, version bigint not null)`

func (w *writers) prepare(ctx context.Context, db *sqldb.DB) error {
	return db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		if _, err := tx.Exec(ctx, things); err != nil {
			return err
		}
		for k := range w.aggregates {
			if _, err := tx.Exec(ctx, `insert into thing (key, version) values ($1, 0)`, fmt.Sprint("k", k)); err != nil {
				return err
			}
		}
		return nil
	})
}

// run lets n writers write until about limit events are committed.
func (w *writers) run(ctx context.Context, n int, limit int64, seed uint64) error {
	var all sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for w.written.Load() < limit && ctx.Err() == nil {
				err := w.one(ctx, r)
				switch {
				case err == nil, errors.Is(err, errRegret), ctx.Err() != nil:
				case w.tolerant && leat.IsUnavailable(err):
					time.Sleep(20 * time.Millisecond)
				default:
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

var errRegret = errors.New("rolled back on purpose")

func (w *writers) one(ctx context.Context, r *rand.Rand) error {
	early, regret, hold := r.IntN(4) == 0, r.IntN(20) == 0, r.IntN(25) == 0
	flush := hold && r.IntN(2) == 0
	wait := time.Duration(r.IntN(300)) * time.Millisecond
	keys := map[int]int{} // aggregate -> events
	for range 1 + r.IntN(3) {
		keys[r.IntN(w.aggregates)]++
	}
	var order []int
	for k := range keys {
		order = append(order, k)
	}
	slices.Sort(order)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	n := 0
	err := w.box.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		n = 0
		if early && tx.Dialect() == sqldb.Postgres {
			if _, err := tx.Exec(ctx, `select pg_current_xact_id()`); err != nil {
				return err
			}
		}
		for _, k := range order {
			for range keys[k] {
				var version int
				key := fmt.Sprint("k", k)
				if err := tx.QueryRow(ctx, `update thing set version = version + 1 where key = $1 returning version`, key).Scan(&version); err != nil {
					return err
				}
				var e any = moved{Key: key, N: version, Pad: w.pad}
				if k%5 == 0 { // always, so that the times are in the order of the versions
					e = outbox.At(time.Now().Add(200*time.Millisecond), e)
				}
				if err := tx.Publish(ctx, e); err != nil {
					return err
				}
				n++
			}
		}
		if flush {
			if err := tx.Flush(ctx); err != nil {
				return err
			}
		}
		if hold {
			time.Sleep(wait)
		}
		if regret {
			return errRegret
		}
		return nil
	})
	if err == nil {
		w.written.Add(int64(n))
	}
	if errors.Is(err, errRegret) {
		w.aborted.Add(1)
	}
	return err
}

// truth is how many events the aggregates say there are.
func truth(t testing.TB, db *sqldb.DB) (sum int) {
	t.Helper()
	view(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select sum(version) from thing`).Scan(&sum)
	})
	return sum
}

// atLeast is nil where n has reached limit.
func atLeast(n, limit int64) error {
	if n < limit {
		return fmt.Errorf("%d of %d", n, limit)
	}
	return nil
}
