package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

// askNumbers asks the questions and gives the numbers that each of them was answered with.
func askNumbers(t *testing.T, db *sqldb.DB, questions ...sqldb.Question) ([][]int, error) {
	t.Helper()
	got := make([][]int, len(questions))
	err := db.Ask(t.Context(), func(n int, rows *sqldb.Rows) error {
		got[n] = nil
		for rows.Next() {
			var v int
			if err := rows.Scan(&v); err != nil {
				return err
			}
			got[n] = append(got[n], v)
		}
		return rows.Err()
	}, questions...)
	return got, err
}

func TestAskAnswersEachQuestion(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, `create table item (n int primary key)`)
		err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `insert into item values (1), (2), (3)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		all, above := sqldb.Question{Query: `select n from item order by n`}, sqldb.Question{Query: `select n from item where n > $1 order by n`, Args: []any{1}}
		for range 2 { // known statements too
			got, err := askNumbers(t, db, all, above, sqldb.Question{Query: `select n from item where n > 9`})
			if err != nil || len(got[0]) != 3 || len(got[1]) != 2 || got[1][0] != 2 || got[2] != nil {
				t.Fatalf("%v, %v", got, err)
			}
		}
		if _, err := askNumbers(t, db, all, sqldb.Question{Query: `select n from nothing`}, above); err == nil {
			t.Error("a question about a table that is not there was answered")
		}
		stop := errors.New("enough")
		asked := 0
		err = db.Ask(t.Context(), func(int, *sqldb.Rows) error { asked++; return stop }, all, above)
		if !errors.Is(err, stop) || asked != 1 {
			t.Errorf("read said %v after %d answers, Ask says %v", stop, asked, err)
		}
		if got, err := askNumbers(t, db, all); err != nil || len(got[0]) != 3 { // the connection is good after all that
			t.Errorf("%v, %v", got, err)
		}
	})
}

// A later question sees what was committed before it was put, also where an earlier one has not.
func TestAskTakesASnapshotForEachQuestion(t *testing.T) {
	t.Parallel()
	db := open(t, sql.Postgres(t).URL)
	migrate(t, db, `create table item (n int primary key)`)
	const lock = 4711
	locked, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `insert into item values (1)`)
			if err == nil {
				_, err = tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, lock)
			}
			close(locked)
			<-end
			return err
		})
	}()
	<-locked
	go func() {
		defer close(end)
		leattest.Eventually(t, "the second question waits", func() error {
			if number(t, db, `select count(*) from pg_locks where locktype = 'advisory' and objid = $1 and not granted`, lock) == 0 {
				return errors.New("it does not")
			}
			return nil
		})
	}()
	count := sqldb.Question{Query: `select count(*) from item`}
	got, err := askNumbers(t, db, count, sqldb.Question{Query: `select 0 from pg_advisory_xact_lock_shared($1)`, Args: []any{lock}}, count)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if got[0][0] != 0 || got[2][0] != 1 {
		t.Errorf("the questions saw %v rows, want 0 before the commit and 1 after it", got)
	}
}
