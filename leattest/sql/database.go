package sql

import (
	stdsql "database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Database is an empty database of one test.
type Database struct {
	// URL is where it is: sqlite:PATH or postgres://user@host:port/name.
	URL string
}

// Each runs body as a subtest on SQLite ("sqlite") and on PostgreSQL ("postgres").
func Each(t *testing.T, body func(t *testing.T, db *Database)) {
	t.Run("sqlite", func(t *testing.T) { body(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { body(t, Postgres(t)) })
}

// SQLite returns a database in a file that does not exist yet, below t.TempDir.
func SQLite(t testing.TB) *Database {
	t.Helper()
	return &Database{URL: "sqlite:" + filepath.Join(t.TempDir(), "test.db")}
}

// IsPostgres tells whether this is PostgreSQL and not SQLite.
func (d *Database) IsPostgres() bool { return !strings.HasPrefix(d.URL, "sqlite:") }

// Open returns a handle of the test's own, apart from the code under test. It is
// closed when the test ends. On SQLite it waits up to 10 seconds for the file's
// lock, which stops a bubble's clock for as long.
func (d *Database) Open(t testing.TB) *stdsql.DB {
	t.Helper()
	driver, source := "pgx", d.URL
	if path, ok := strings.CutPrefix(d.URL, "sqlite:"); ok {
		driver = "sqlite"
		source = "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)&_txlock=immediate"
	}
	db, err := stdsql.Open(driver, source)
	if err != nil {
		t.Fatalf("open %s: %v", d.URL, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Exec runs one statement on a handle of its own. Both databases take the
// placeholders $1, $2.
func (d *Database) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	db := d.Open(t)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("run %q: %v", statement, err)
	}
}

// Int runs a query that answers with one number.
func (d *Database) Int(t testing.TB, query string, args ...any) int64 {
	t.Helper()
	db := d.Open(t)
	defer db.Close()
	var n int64
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("run %q: %v", query, err)
	}
	return n
}
