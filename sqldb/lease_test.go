package sqldb_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

func TestLeaseHasOneHolderAndAGrowingToken(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		a := db.Lease(sqldb.LeaseConfig{Name: "relay", TTL: time.Hour})
		b := open(t, d.URL).Lease(sqldb.LeaseConfig{Name: "relay", TTL: time.Hour})
		if err := a.Renew(t.Context()); !errors.Is(err, sqldb.ErrLeaseLost) {
			t.Errorf("renew of what was never held: %v", err)
		}
		first, err := a.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Acquire(t.Context()); !errors.Is(err, sqldb.ErrLeaseHeld) {
			t.Errorf("second holder: %v, want ErrLeaseHeld", err)
		}
		if err := a.Renew(t.Context()); err != nil {
			t.Error(err)
		}
		if err := errors.Join(a.Release(t.Context()), a.Release(t.Context())); err != nil {
			t.Error(err)
		}
		if err := a.Renew(t.Context()); !errors.Is(err, sqldb.ErrLeaseLost) {
			t.Errorf("renew after release: %v", err)
		}
		second, err := b.Acquire(t.Context())
		if err != nil || second <= first {
			t.Errorf("token %d after %d, %v", second, first, err)
		}
		other, err := db.Lease(sqldb.LeaseConfig{Name: "sweep"}).Acquire(t.Context())
		if err != nil || other == 0 {
			t.Errorf("another name: %d, %v", other, err)
		}
	})
}

func TestLeaseThatRanOutGoesToAnotherAndRenewSaysSo(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		a := db.Lease(sqldb.LeaseConfig{Name: "relay", TTL: 200 * time.Millisecond})
		b := db.Lease(sqldb.LeaseConfig{Name: "relay", TTL: time.Hour})
		first, err := a.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var second int64
		leattest.Eventually(t, "the lease runs out", func() error {
			second, err = b.Acquire(t.Context())
			return err
		})
		if second <= first {
			t.Errorf("token %d after %d", second, first)
		}
		if err := a.Renew(t.Context()); !errors.Is(err, sqldb.ErrLeaseLost) {
			t.Errorf("renew of a lost lease: %v", err)
		}
		if err := a.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.Renew(t.Context()); err != nil {
			t.Errorf("the loser's release took it from the heir: %v", err)
		}
	})
}

func TestLeasesThatAreHeldAreListed(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		gone := db.Lease(sqldb.LeaseConfig{Name: "part 1", TTL: time.Hour})
		for _, l := range []*sqldb.Lease{gone, db.Lease(sqldb.LeaseConfig{Name: "part 2", TTL: time.Hour}), db.Lease(sqldb.LeaseConfig{Name: "other", TTL: time.Hour})} {
			if _, err := l.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := gone.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held, err := open(t, d.URL).Leases(t.Context(), "part "); err != nil || !slices.Equal(held, []string{"part 2"}) {
			t.Errorf("held are %q, %v", held, err)
		}
	})
}

// Nobody acquires a guarded lease before the transaction ends, though it has run out by then.
func TestAGuardedLeaseIsNotTakenOver(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		const ttl = 500 * time.Millisecond
		a := db.Lease(sqldb.LeaseConfig{Name: "relay", TTL: ttl})
		b := open(t, d.URL).Lease(sqldb.LeaseConfig{Name: "relay", TTL: time.Hour})
		var over atomic.Bool
		heir := make(chan error, 1)
		guarded := func(ctx context.Context, tx *sqldb.Tx) error {
			if err := a.Guard(ctx, tx); err != nil {
				return err
			}
			go func() {
				for {
					_, err := b.Acquire(t.Context())
					if errors.Is(err, sqldb.ErrLeaseHeld) || leat.IsUnavailable(err) && t.Context().Err() == nil { // it waits for a lock
						continue
					}
					if err == nil && !over.Load() {
						err = errors.New("taken over inside the transaction")
					}
					heir <- err
					return
				}
			}()
			<-time.After(2 * ttl) // runs out meanwhile
			over.Store(true)
			return nil
		}
		leattest.Eventually(t, "it guards the lease before that runs out", func() error {
			if _, err := a.Acquire(t.Context()); err != nil {
				return err
			}
			return db.Tx(t.Context(), guarded)
		})
		if err := <-heir; err != nil {
			t.Error(err)
		}
		err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return a.Guard(ctx, tx) })
		if !errors.Is(err, sqldb.ErrLeaseLost) {
			t.Errorf("guard of a lost lease: %v", err)
		}
	})
}

func TestManyStandbysOneHolder(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		var holders atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := db.Lease(sqldb.LeaseConfig{Name: "one", TTL: time.Hour}).Acquire(t.Context())
				switch {
				case err == nil:
					holders.Add(1)
				case !errors.Is(err, sqldb.ErrLeaseHeld):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := holders.Load(); n != 1 {
			t.Errorf("%d holders, want 1", n)
		}
	})
}

func TestLeaseLivesOnTheBubblesClock(t *testing.T) {
	t.Parallel()
	d := sql.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		db := open(t, d.URL)
		a := db.Lease(sqldb.LeaseConfig{Name: "relay", TTL: time.Hour})
		b := db.Lease(sqldb.LeaseConfig{Name: "relay", TTL: time.Hour})
		if _, err := a.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if err := a.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if _, err := b.Acquire(t.Context()); !errors.Is(err, sqldb.ErrLeaseHeld) {
			t.Errorf("one minute early: %v", err)
		}
		time.Sleep(time.Minute)
		if err := a.Renew(t.Context()); !errors.Is(err, sqldb.ErrLeaseLost) {
			t.Errorf("renew at the end of the TTL: %v", err)
		}
		if token, err := b.Acquire(t.Context()); err != nil || token != 2 {
			t.Errorf("heir has token %d, %v; want 2", token, err)
		}
	})
}
