package server_test

import (
	"os"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
)

// What was committed before a kill -9 is there after the restart, a replication
// slot too, however often the server is killed with work in hand.
func TestPostgresSurvivesKills(t *testing.T) {
	layer2(t, "postgres")
	p, err := server.StartPostgres(t.Context(), server.PostgresConfig{Settings: map[string]string{"application_name": "it's"}})
	if err != nil {
		t.Fatal(err)
	}
	p.CloseAfter(t)
	db := sql.PostgresAt(t, p.URL(""))
	db.Exec(t, "create table kept (n int)")
	db.Int(t, "select 1 from pg_create_logical_replication_slot('kept', 'pgoutput')")
	for n := range 5 {
		held := db.Open(t)
		tx, err := held.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "insert into kept values (-1)"); err != nil {
			t.Fatal(err)
		}
		db.Exec(t, "insert into kept values ($1)", n)
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("answers %v after the restart", time.Since(started))
		if err := tx.Commit(); err == nil {
			t.Error("a transaction survived the kill of its server")
		}
		if got := db.Int(t, "select count(*) from kept"); got != int64(n+1) {
			t.Errorf("%d rows after kill %d, want %d", got, n+1, n+1)
		}
	}
	if got := db.Int(t, "select count(*) from pg_replication_slots where slot_name = 'kept' and plugin = 'pgoutput'"); got != 1 {
		t.Errorf("%d slots after the kills, want 1", got)
	}
}

// A directory of the caller's own outlives Close.
func TestPostgresGoesOnInItsDirectory(t *testing.T) {
	layer2(t, "postgres")
	// t.TempDir lies below a directory that only its owner may enter.
	dir, err := os.MkdirTemp("", "leat-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, statement := range []string{"create table kept (n int)", "insert into kept values (1)", "drop table kept"} {
		p, err := server.StartPostgres(t.Context(), server.PostgresConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		(&sql.Database{URL: p.URL("")}).Exec(t, statement)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A server that can't start says so at once with the end of its log.
func TestPostgresThatCannotStartTellsWhy(t *testing.T) {
	layer2(t, "postgres")
	_, err := server.StartPostgres(t.Context(), server.PostgresConfig{Settings: map[string]string{"wal_level": "psychic"}})
	if err == nil {
		t.Fatal("started with wal_level=psychic")
	}
	t.Log(err)
}
