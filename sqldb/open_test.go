package sqldb_test

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

func TestOpenMigrateWriteRead(t *testing.T) {
	sql.Each(t, func(t *testing.T, d *sql.Database) {
		db, err := sqldb.Open(t.Context(), sqldb.Config{URL: d.URL, Schema: "smoke"})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		files := fstest.MapFS{"0001_a.sql": {Data: []byte("create table a (n bigint primary key);\ncreate table b (t timestamp with time zone, x text);")}}
		for range 2 {
			if err := db.Migrate(t.Context(), "smoke", files); err != nil {
				t.Fatal(err)
			}
		}
		err = db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "insert into a values ($1)", 7)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var n int
		err = db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, "select n from a where n = $1", 7).Scan(&n)
		})
		if err != nil || n != 7 {
			t.Fatal(n, err)
		}
		l := db.Lease(sqldb.LeaseConfig{Name: "x", TTL: time.Hour})
		for want := int64(1); want < 3; want++ {
			if got, err := l.Acquire(t.Context()); err != nil || got != want {
				t.Fatal(got, err)
			}
			if err := l.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A process has several files with several readers each: all of them together stay small.
func TestReadersKeepFewPages(t *testing.T) {
	t.Parallel()
	db := open(t, sql.SQLite(t).URL)
	var readers, writer int
	const cache = `select cache_size from pragma_cache_size`
	err := db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return tx.QueryRow(ctx, cache).Scan(&readers) })
	if err != nil {
		t.Fatal(err)
	}
	must(t, db, func(ctx context.Context, tx *sqldb.Tx) error { return tx.QueryRow(ctx, cache).Scan(&writer) })
	if readers != -512 || writer != -2000 { // negative: KiB
		t.Errorf("the cache of a reader is %d and that of the writer %d, want -512 and SQLite's -2000", readers, writer)
	}
}
