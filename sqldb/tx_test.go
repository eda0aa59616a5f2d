package sqldb_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

var errOurs = errors.New("ours")

const oneTable = `create table n (n bigint primary key)`

func insert(ctx context.Context, tx *sqldb.Tx, n int) error {
	_, err := tx.Exec(ctx, `insert into n values ($1)`, n)
	return err
}

func TestErrorPanicAndGoexitRollBack(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		ends := map[string]func() error{
			"error":  func() error { return errOurs },
			"panic":  func() error { panic(errOurs) },
			"goexit": func() error { runtime.Goexit(); return nil },
		}
		for name, end := range ends {
			done := make(chan any, 1)
			go func() {
				defer func() { done <- recover() }()
				err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					tx.AfterCommit(func() { t.Errorf("%s: the signal of a commit came", name) })
					if err := insert(ctx, tx, 1); err != nil {
						return err
					}
					return end()
				})
				if !errors.Is(err, errOurs) {
					t.Errorf("%s: got %v, want fn's own error", name, err)
				}
			}()
			if got := <-done; name == "panic" && got != errOurs {
				t.Errorf("the panic came out as %v, want as it was", got)
			}
		}
		if n := number(t, db, `select count(*) from n`); n != 0 {
			t.Errorf("%d rows are there, want none", n)
		}
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, 1) })
	})
}

func TestHooksRunInOrderAndSavepointsDropTheirs(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		var got []string
		say := func(s string) { got = append(got, s) }
		hook := func(s string) func(context.Context) error {
			return func(context.Context) error { say(s); return nil }
		}
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			tx.AfterCommit(func() { say("after") })
			tx.BeforeCommit(func(ctx context.Context) error {
				say("before 1")
				tx.BeforeCommit(hook("before 4"))
				return insert(ctx, tx, 4)
			})
			undone := tx.Savepoint(ctx, func(ctx context.Context) error {
				tx.BeforeCommit(hook("undone"))
				tx.AfterCommit(func() { say("undone") })
				kept := tx.Savepoint(ctx, func(ctx context.Context) error {
					tx.BeforeCommit(hook("undone by the outer"))
					return insert(ctx, tx, 1)
				})
				return errors.Join(kept, errOurs)
			})
			if !errors.Is(undone, errOurs) {
				t.Errorf("savepoint returned %v, want fn's error", undone)
			}
			tx.BeforeCommit(hook("before 2"))
			kept := tx.Savepoint(ctx, func(ctx context.Context) error {
				tx.BeforeCommit(hook("before 3"))
				return insert(ctx, tx, 2)
			})
			unique := tx.Savepoint(ctx, func(ctx context.Context) error { return insert(ctx, tx, 2) })
			if !sqldb.IsUnique(unique) {
				t.Errorf("second insert says %v, want a unique violation", unique)
			}
			say("end of fn")
			return kept
		})
		want := []string{"end of fn", "before 1", "before 2", "before 3", "before 4", "after"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error("want -, got +", diff)
		}
		if sum, n := number(t, db, `select sum(n) from n`), number(t, db, `select count(*) from n`); sum != 6 || n != 2 {
			t.Errorf("%d rows with sum %d, want 2 and 4", n, sum)
		}
	})
}

func TestSavepointUndoesAPanicAndASwallowedError(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			if err := insert(ctx, tx, 1); err != nil {
				return err
			}
			func() {
				defer func() { _ = recover() }()
				_ = tx.Savepoint(ctx, func(ctx context.Context) error {
					tx.BeforeCommit(func(context.Context) error { t.Error("a hook of the panic ran"); return nil })
					if err := insert(ctx, tx, 2); err != nil {
						return err
					}
					panic("at the disco")
				})
			}()
			err := tx.Savepoint(ctx, func(ctx context.Context) error {
				_ = insert(ctx, tx, 1)
				return nil
			})
			if d.IsPostgres() { // SQLite has undone the statement alone
				wants(t, err, "release savepoint")
			}
			return insert(ctx, tx, 3)
		})
		if n := number(t, db, `select sum(n) from n`); n != 4 {
			t.Errorf("the sum is %d, want 4: 1 and 3", n)
		}
	})
}

func TestTransactionThatLeaksIsOver(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		var leaked *sqldb.Tx
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			leaked = tx
			return insert(ctx, tx, 1)
		})
		if err := insert(t.Context(), leaked, 2); err == nil {
			t.Error("a leaked transaction could write")
		}
		if _, err := leaked.SQL().ExecContext(t.Context(), `insert into n values (3)`); err == nil {
			t.Error("the leaked transaction's view could write")
		}
		if n := number(t, db, `select count(*) from n`); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestErrorBeforeTheCommitRollsBack(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			tx.BeforeCommit(func(context.Context) error { return errOurs })
			tx.AfterCommit(func() { t.Error("the signal of a commit came") })
			return insert(ctx, tx, 1)
		})
		if !errors.Is(err, errOurs) {
			t.Errorf("got %v, want the hook's error", err)
		}
		if n := number(t, db, `select count(*) from n`); n != 0 {
			t.Errorf("%d rows are there, want none", n)
		}
	})
}

// A statement whose error fn swallows: PostgreSQL commits nothing and says so; SQLite undoes the
// statement alone.
func TestSwallowedErrorNeverLooksLikeACommit(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		for _, first := range []string{`insert into missing values ($1)`, `insert into n values ($1 / 0)`} {
			err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_, _ = tx.Exec(ctx, first, 1)
				_ = insert(ctx, tx, 1)
				return nil
			})
			rows := number(t, db, `select count(*) from n where n = 1`)
			if d.IsPostgres() != (err != nil) || d.IsPostgres() != (rows == 0) {
				t.Errorf("after %q the commit says %v and left %d rows", first, err, rows)
			}
			exec(t, db, `delete from n`)
		}
	})
}

func TestEndOfTheContextMakesACommitImpossible(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		ctx, cancel := context.WithCancelCause(t.Context())
		inside, hung, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		comeBack := sync.OnceFunc(func() { close(hung) })
		t.Cleanup(comeBack) // or the database can't be closed
		go func() {
			ended <- db.Tx(ctx, func(_ context.Context, tx *sqldb.Tx) error {
				if err := insert(context.Background(), tx, 1); err != nil {
					return err
				}
				close(inside)
				<-hung // and does not look at its context
				_ = insert(context.Background(), tx, 2)
				_, _ = tx.Exec(context.Background(), "commit")
				return nil
			})
		}()
		<-inside
		cancel(errOurs)
		// What it had locked is free while it still hangs: same key, and SQLite's one writer.
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, 1) })
		comeBack()
		if err := <-ended; !errors.Is(err, errOurs) {
			t.Errorf("got %v, want the cause of the cancel", err)
		}
		if n := number(t, db, `select count(*) from n`); n != 1 {
			t.Errorf("%d rows are there, want the other transaction's one", n)
		}
	})
}

// A write that is interrupted ends SQLite's transaction behind the caller's back: what fn does next
// must not be committed on its own.
func TestNothingIsCommittedAfterAnInterruptedStatement(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		slow := `insert into n with recursive c(i) as (select 1 union all select i + 1 from c) select i from c where i < 0`
		if d.IsPostgres() {
			slow = `insert into n select 1 from pg_sleep(100)`
		}
		err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			if err := insert(ctx, tx, 1); err != nil {
				return err
			}
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			if _, err := tx.Exec(short, slow); err == nil {
				t.Error("the slow statement ended well")
			}
			_ = insert(ctx, tx, 2)
			return nil
		})
		if err == nil {
			t.Error("the commit says that it happened")
		}
		if n := number(t, db, `select count(*) from n`); n != 0 {
			t.Errorf("%d rows are there, want none", n)
		}
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, 3) })
	})
}

func TestNestedTransactionIsRefused(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		err := db.Tx(t.Context(), func(ctx context.Context, _ *sqldb.Tx) error {
			return db.Tx(ctx, func(context.Context, *sqldb.Tx) error { return nil })
		})
		wants(t, err, "tx.Savepoint")
	})
}

func TestViewSeesOneSnapshotAndChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		err := db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			for want := range 2 {
				var n int
				if err := tx.QueryRow(ctx, `select count(*) from n`).Scan(&n); err != nil {
					return err
				}
				if n != 0 {
					t.Errorf("sees %d rows at look %d, want 0", n, want)
				}
				must(t, db, func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, want) })
			}
			if err := insert(ctx, tx, 9); err == nil {
				t.Error("a view could write")
			}
			return nil
		})
		_ = err // on PostgreSQL the refused write has aborted the view
		if n := number(t, db, `select count(*) from n`); n != 2 {
			t.Errorf("%d rows are there, want 2", n)
		}
	})
}

func TestDatabaseSQLSharesTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		for _, first := range []bool{true, false} {
			err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				if !first {
					if err := insert(ctx, tx, 1); err != nil {
						return err
					}
				}
				std := tx.SQL()
				if std != tx.SQL() {
					t.Error("a second view is another one")
				}
				stmt, err := std.PrepareContext(ctx, `insert into n values ($1)`)
				if err != nil {
					return err
				}
				if _, err := stmt.ExecContext(ctx, 2); err != nil {
					return err
				}
				if first {
					if err := insert(ctx, tx, 1); err != nil {
						return err
					}
				}
				var sum int
				if err := std.QueryRowContext(ctx, `select sum(n) from n where n < $1`, 10).Scan(&sum); err != nil || sum != 3 {
					t.Errorf("database/sql sees sum %d, %v; want 3", sum, err)
				}
				if err := std.QueryRowContext(ctx, `select n from n where n = 77`).Scan(&sum); !errors.Is(err, stdsql.ErrNoRows) {
					t.Errorf("no rows says %v", err)
				}
				return errOurs
			})
			if !errors.Is(err, errOurs) {
				t.Fatal(err)
			}
			if n := number(t, db, `select count(*) from n`); n != 0 {
				t.Errorf("%d rows are there, want none: one rollback ends both", n)
			}
		}
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.SQL().ExecContext(ctx, `insert into n values ($1)`, 5)
			return err
		})
		if n := number(t, db, `select n from n`); n != 5 {
			t.Errorf("read %d, want what database/sql wrote", n)
		}
	})
}

func TestPgxSharesTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
			px, err := tx.Pgx(ctx)
			if !d.IsPostgres() {
				wants(t, err, "tx.SQL")
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := px.Exec(ctx, `insert into n values ($1)`, 1); err != nil {
				return err
			}
			nested, err := px.Begin(ctx)
			if err != nil {
				return err
			}
			if err := errors.Join(nested.Rollback(ctx)); err != nil {
				return err
			}
			if px.Commit(ctx) == nil || px.Rollback(ctx) == nil {
				t.Error("pgx could end the transaction")
			}
			return insert(ctx, tx, 2)
		})
		if n := number(t, db, `select count(*) from n`); d.IsPostgres() && n != 2 {
			t.Errorf("%d rows are there, want 2", n)
		}
	})
}

func TestJoinedTransactionFlushesItsHooks(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		migrate(t, db, oneTable)
		table, std := "n", d.Open(t)
		if d.IsPostgres() {
			table = "shop.n"
		}
		theirs, err := std.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		tx := sqldb.JoinSQL(theirs, db.Dialect())
		var said []string
		tx.AfterCommit(func() { said = append(said, "committed") })
		tx.BeforeCommit(func(ctx context.Context) error {
			said = append(said, "flushed")
			_, err := tx.Exec(ctx, `insert into `+table+` values ($1)`, 1)
			return err
		})
		if err := tx.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tx.Flush(t.Context()); err != nil { // what has run does not run again
			t.Fatal(err)
		}
		if err := theirs.Commit(); err != nil {
			t.Fatal(err)
		}
		tx.Committed()
		if !slices.Equal(said, []string{"flushed", "committed"}) {
			t.Errorf("hooks said %v", said)
		}
		if n := number(t, db, `select count(*) from n`); n != 1 {
			t.Errorf("%d rows are there, want 1", n)
		}
	})
}
