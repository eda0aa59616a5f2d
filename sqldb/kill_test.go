package sqldb_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

// PostgreSQL is killed with -9 under eight writers: every error they see is the database's, never the
// statement's; what was told committed is there, what was told failed is not, and where the answer
// got lost it says so. When the server is back they go on without being opened anew.
func TestKilledPostgresIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "postgres")
	s, err := server.StartPostgres(t.Context(), server.PostgresConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s.CloseAfter(t)
	db := open(t, sql.PostgresAt(t, s.URL("")).URL)
	migrate(t, db, oneTable)

	var mu sync.Mutex
	told := map[int]error{}
	var next, committed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1))
				err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					if err := insert(ctx, tx, n); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, `select count(*) from n`)
					return err
				})
				if err == nil {
					committed.Add(1)
				} else if !leat.IsUnavailable(err) {
					t.Errorf("told as the handler's fault: %v", err)
				}
				mu.Lock()
				told[n] = err
				mu.Unlock()
			}
		})
	}
	goOn := func(what string) {
		from := committed.Load()
		leattest.Eventually(t, what, func() error {
			if committed.Load() < from+50 {
				return errors.New("too few commits yet")
			}
			return nil
		})
	}
	for range 4 {
		goOn("the writers write")
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	goOn("the writers write after the last restart")
	stop()
	wg.Wait()

	there := map[int]bool{}
	must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		rows, err := tx.Query(ctx, `select n from n`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil {
				return err
			}
			there[n] = true
		}
		return rows.Err()
	})
	failed, unknown := 0, 0
	for n, err := range told {
		switch {
		case errors.Is(err, sqldb.ErrCommitUnknown):
			unknown++
		case err == nil && !there[n]:
			t.Errorf("%d was told committed and is not there", n)
		case err != nil && there[n]:
			t.Errorf("%d was told failed and is there: %v", n, err)
		case err != nil:
			failed++
		}
	}
	t.Logf("%d committed, %d failed, %d unknown", committed.Load(), failed, unknown)
	if failed == 0 {
		t.Error("no transaction met a kill")
	}
}
