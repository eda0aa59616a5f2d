package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

// What travels with the commit is part of the transaction: it is there after the commit, and its error
// leaves nothing of it behind, whether other statements went before or not.
func TestWhatTravelsWithTheCommitIsPartOfIt(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		migrate(t, db, `create table item (n int primary key)`)
		insert := func(first []int, last ...int) error {
			return db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				for _, n := range first {
					if _, err := tx.Exec(ctx, `insert into item values ($1)`, n); err != nil {
						return err
					}
				}
				tx.BeforeCommit(func(ctx context.Context) error {
					for _, n := range last {
						if err := tx.ExecLast(ctx, `insert into item values ($1)`, n); err != nil {
							return err
						}
					}
					return nil
				})
				return nil
			})
		}
		if err := errors.Join(insert([]int{1}, 2, 3), insert(nil, 4)); err != nil {
			t.Fatal(err)
		}
		for _, first := range [][]int{{10}, nil} {
			if err := insert(first, 11, 2); err == nil || errors.Is(err, sqldb.ErrCommitUnknown) {
				t.Errorf("a statement that is refused: %v", err)
			}
		}
		if err := insert(nil, 5); err != nil { // the connection is good after all that
			t.Error(err)
		}
		if n := number(t, db, `select count(*) from item`); n != 5 {
			t.Errorf("%d rows, want 5", n)
		}
	})
}
