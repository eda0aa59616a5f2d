package sql_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leatdev/leat/leattest/sql"
)

func TestEachDatabaseIsEmptyAndItsOwn(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, db *sql.Database) {
		db.Exec(t, "create table a (n int)")
		db.Exec(t, "insert into a values ($1)", 7)
		if got := db.Int(t, "select n from a where n > $1", 1); got != 7 {
			t.Errorf("read %d, want 7", got)
		}
		other := sql.SQLite
		if db.IsPostgres() {
			other = sql.Postgres
		}
		other(t).Exec(t, "create table a (n int)") // would fail if the two were one
	})
}

// A database that a replication slot and an open connection hold is dropped all
// the same, or a shared server would fill with test databases and keep its WAL.
func TestPostgresIsDroppedWithItsSlot(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("a test that leaves a slot and a connection", func(t *testing.T) {
		db := sql.Postgres(t)
		conn, err := pgx.Connect(t.Context(), db.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), "select current_database()").Scan(&name); err != nil {
			t.Fatal(err)
		}
		db.Int(t, "select 1 from pg_create_logical_replication_slot($1, 'pgoutput')", name)
	})
	if name == "" {
		t.Skip("the test above had no server")
	}
	server := sql.Database{URL: os.Getenv("LEAT_TEST_POSTGRES")}
	if n := server.Int(t, "select count(*) from pg_database where datname = $1", name); n != 0 {
		t.Errorf("database %s is still there", name)
	}
}
