package sqldb_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

// A list of UUIDs arrives as it is, by whatever way a statement goes.
func TestListsOfUUIDsArrive(t *testing.T) {
	t.Parallel()
	d := sql.Postgres(t)
	db := open(t, d.URL)
	conn, err := pgx.Connect(t.Context(), d.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	theirs, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	standard, err := d.Open(t).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = standard.Rollback() }()
	joined := map[string]*sqldb.Tx{"pgx": sqldb.JoinPgx(theirs), "database/sql": sqldb.JoinSQL(standard, sqldb.Postgres)}
	for _, c := range []struct {
		list [][16]byte
		want string
	}{
		{nil, "none"},
		{[][16]byte{}, "{}"},
		{[][16]byte{{15: 1}, {0: 0xff, 6: 0x70}}, "{00000000-0000-0000-0000-000000000001,ff000000-0000-7000-0000-000000000000}"},
	} {
		ask := func(tx *sqldb.Tx) (got string, err error) {
			err = tx.QueryRow(t.Context(), `select coalesce($1::uuid[]::text, 'none')`, c.list).Scan(&got)
			return got, err
		}
		for name, tx := range joined {
			if got, err := ask(tx); got != c.want || err != nil {
				t.Errorf("joined %s: %q arrived as %q, %v", name, c.want, got, err)
			}
		}
		must(t, db, func(_ context.Context, tx *sqldb.Tx) error {
			for range 2 { // with the begin, and behind it
				if got, err := ask(tx); got != c.want || err != nil {
					t.Errorf("%q arrived as %q, %v", c.want, got, err)
				}
			}
			return nil
		})
	}
}
