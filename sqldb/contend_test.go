package sqldb_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

// Two transactions lock two rows in opposite order: one of them loses, runs again and both commit.
func TestDeadlockRunsAgain(t *testing.T) {
	t.Parallel()
	db := open(t, sql.Postgres(t).URL)
	migrate(t, db, `create table acc (id int primary key, n int); insert into acc values (1, 0), (2, 0)`)
	exec(t, db, `alter database `+database(t, db)+` set deadlock_timeout = '50ms'`)
	for _, hide := range []bool{false, true} {
		var runs atomic.Int32
		var both sync.WaitGroup
		both.Add(2)
		move := func(from, to int) error {
			first := true
			return db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				runs.Add(1)
				if _, err := tx.Exec(ctx, `update acc set n = n + 1 where id = $1`, from); err != nil {
					return err
				}
				if first {
					first = false
					both.Done()
					both.Wait()
				}
				if _, err := tx.Exec(ctx, `update acc set n = n + 1 where id = $1`, to); err != nil {
					if hide {
						return errOurs // as code does that does not wrap
					}
					return err
				}
				return nil
			})
		}
		ended := make(chan error, 2)
		go func() { ended <- move(1, 2) }()
		go func() { ended <- move(2, 1) }()
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Errorf("hidden %t: %v", hide, err)
		}
		if n := runs.Load(); n < 3 { // more: the loser may come back before the winner has its row
			t.Errorf("hidden %t: %d runs, want 3: the loser twice", hide, n)
		}
	}
	if n := number(t, db, `select sum(n) from acc`); n != 8 {
		t.Errorf("sum %d, want 8", n)
	}
}

func database(t *testing.T, db *sqldb.DB) (name string) {
	t.Helper()
	must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, `select current_database()`).Scan(&name)
	})
	return name
}

func TestSerializationFailureRunsAgainAndIsUnavailableInTheEnd(t *testing.T) {
	t.Parallel()
	db := open(t, sql.Postgres(t).URL)
	migrate(t, db, `create function lose() returns int language plpgsql as $$ begin raise sqlstate '40001'; end $$`)
	runs := 0
	err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		runs++
		_, err := tx.Exec(ctx, `select lose()`)
		return err
	})
	if !leat.IsUnavailable(err) || runs != 8 {
		t.Errorf("after %d runs %v, want unavailable after 8", runs, err)
	}
	runs = 0
	err = db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		if runs++; runs < 3 {
			_, err := tx.Exec(ctx, `select lose()`)
			return err
		}
		return nil
	})
	if err != nil || runs != 3 {
		t.Errorf("after %d runs %v, want success at the third", runs, err)
	}
}

// Handles of one process on one file queue up in order; nobody ever sees the lock of another.
func TestWritersOfOneFileQueueUp(t *testing.T) {
	t.Parallel()
	d := sql.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		handles := []*sqldb.DB{open(t, d.URL), open(t, d.URL)}
		migrate(t, handles[0], `create table c (n int); insert into c values (0)`)
		started := time.Now()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				must(t, handles[i%2], func(ctx context.Context, tx *sqldb.Tx) error {
					var n int
					if err := tx.QueryRow(ctx, `select n from c`).Scan(&n); err != nil {
						return err
					}
					time.Sleep(time.Second) // in the bubble's time
					_, err := tx.Exec(ctx, `update c set n = $1`, n+1)
					return err
				})
			})
		}
		wg.Wait()
		if n := number(t, handles[0], `select n from c`); n != 20 {
			t.Errorf("counted %d, want 20", n)
		}
		if took := time.Since(started); took != 20*time.Second {
			t.Errorf("took %v, want 20 s: nobody slept for a lock", took)
		}
	})
}

func TestWaitingWriterGoesWithItsContext(t *testing.T) {
	t.Parallel()
	d := sql.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		db := open(t, d.URL)
		must(t, db, func(context.Context, *sqldb.Tx) error {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errOurs)
			defer cancel()
			started := time.Now()
			err := db.Tx(ctx, func(context.Context, *sqldb.Tx) error { return nil })
			if !errors.Is(err, errOurs) || time.Since(started) != time.Minute {
				t.Errorf("after %v: %v, want the cause of the context", time.Since(started), err)
			}
			return nil
		})
	})
}

// The foreign handle stands for another process: it does not know the queue.
func TestLockOfAnotherProcessIsWaitedForAndNamed(t *testing.T) {
	t.Parallel()
	d := sql.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		db := open(t, d.URL)
		migrate(t, db, oneTable)
		std := d.Open(t)
		foreign, err := std.BeginTx(t.Context(), nil) // takes the write lock
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		err = db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, 1) })
		if !leat.IsUnavailable(err) {
			t.Errorf("got %v, want unavailable", err)
		}
		wants(t, err, "database is locked", "another process holds")
		if took := time.Since(started); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("gave up after %v, want about 10 s", took)
		}
		go func() {
			time.Sleep(3 * time.Second)
			_ = foreign.Commit()
		}()
		started = time.Now()
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, 1) })
		if took := time.Since(started); took > 4*time.Second {
			t.Errorf("took %v after the lock was free at 3 s", took)
		}
		// A reader does not care.
		foreign, err = std.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := number(t, db, `select count(*) from n`); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
		if err := foreign.Rollback(); err != nil {
			t.Error(err)
		}
		_ = std.Close()
	})
}

func TestFullPoolIsUnavailable(t *testing.T) {
	t.Parallel()
	d := sql.Postgres(t)
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: d.URL, MaxConns: 1, Wait: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		err := db.View(t.Context(), func(context.Context, *sqldb.Tx) error { return nil })
		if !leat.IsUnavailable(err) {
			t.Errorf("got %v, want unavailable", err)
		}
		wants(t, err, "all 1 connections are in use", "MaxConns")
		return nil
	})
}
