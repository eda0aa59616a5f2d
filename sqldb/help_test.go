package sqldb_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

// each runs body on both databases, in a schema of its own on PostgreSQL.
func each(t *testing.T, body func(t *testing.T, d *sql.Database, db *sqldb.DB)) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, d *sql.Database) {
		t.Parallel()
		body(t, d, open(t, d.URL))
	})
}

func open(t testing.TB, url string) *sqldb.DB {
	t.Helper()
	var db *sqldb.DB
	leattest.Eventually(t, "the database answers", func() (err error) {
		db, err = sqldb.Open(t.Context(), sqldb.Config{URL: url, Schema: "shop", Synchronous: sqldb.Normal})
		return err
	})
	t.Cleanup(db.Close)
	return db
}

// migrate applies one file.
func migrate(t testing.TB, db *sqldb.DB, statements string) {
	t.Helper()
	if err := db.Migrate(t.Context(), "test", files("0001_test.sql", statements)); err != nil {
		t.Fatal(err)
	}
}

// files is a tree of name, text, name, text ...
func files(pairs ...string) fstest.MapFS {
	fs := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fs[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fs
}

// must runs fn in a transaction that has to succeed.
func must(t testing.TB, db *sqldb.DB, fn func(ctx context.Context, tx *sqldb.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// exec runs one statement in a transaction of its own.
func exec(t testing.TB, db *sqldb.DB, query string, args ...any) {
	t.Helper()
	must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

// number reads one number in a transaction of its own.
func number(t testing.TB, db *sqldb.DB, query string, args ...any) (n int64) {
	t.Helper()
	err := db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, query, args...).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wants fails the test unless the error says all of it.
func wants(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}
