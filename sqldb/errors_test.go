package sqldb_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

func TestOpenSaysWhatIsWrongAndWhatToTry(t *testing.T) {
	t.Parallel()
	notADatabase := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("this is text. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		url  string
		want []string
	}{
		"nothing":        {"", []string{"URL is missing", "postgres://", "sqlite:"}},
		"other scheme":   {"mysql://host/db", []string{"mysql", "postgres://"}},
		"no path":        {"sqlite:", []string{"sqlite:PATH"}},
		"not a URL":      {"postgres://u:secret@[::1/db", []string{"sslmode"}},
		"not a file":     {"sqlite:" + notADatabase, []string{"text.db", "not a SQLite database"}},
		"directory":      {"sqlite:" + t.TempDir(), []string{"unable to open", "writable"}},
		"file above":     {"sqlite:" + notADatabase + "/x.db", []string{"directory"}},
		"nobody listens": {"postgres://u:secret@127.0.0.1:1/db?sslmode=disable", []string{"127.0.0.1:1", "does PostgreSQL run"}},
		"no such host":   {"postgres://u:secret@nohost.invalid/db", []string{"nohost.invalid", "check its name"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqldb.Open(t.Context(), sqldb.Config{URL: test.url})
			if err == nil {
				db.Close()
			}
			wants(t, err, test.want...)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestSilentHostIsToldWithinTenSeconds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for 5 seconds: not under -short")
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	started := time.Now()
	_, err = sqldb.Open(t.Context(), sqldb.Config{URL: "postgres://u@" + silent.Addr().String() + "/db?sslmode=disable"})
	wants(t, err, "does not answer")
	if took := time.Since(started); took > time.Minute {
		t.Errorf("took %v", took)
	}
}

func TestServerSaysNo(t *testing.T) {
	t.Parallel()
	d := sql.Postgres(t)
	at, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(u *url.URL)
		want   []string
	}{
		"no such database": {func(u *url.URL) { u.Path = "/nowhere" }, []string{"nowhere", "create the database"}},
		"no such user":     {func(u *url.URL) { u.User = url.UserPassword("nobody_here", "secret") }, []string{"nobody_here", "check user and password"}},
		"no TLS":           {func(u *url.URL) { u.RawQuery = "sslmode=verify-full" }, []string{"TLS", "sslmode"}},
	}
	for name, test := range tests {
		u := *at
		test.change(&u)
		_, err := sqldb.Open(t.Context(), sqldb.Config{URL: u.String()})
		t.Log(name, err)
		wants(t, err, test.want...)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestErrorsOfStatements(t *testing.T) {
	each(t, func(t *testing.T, d *sql.Database, db *sqldb.DB) {
		migrate(t, db, `create table n (n bigint primary key, m bigint unique, p bigint references n (n)); insert into n values (1, 1, null)`)
		tests := map[string]struct {
			query  string
			unique bool
		}{
			"primary key":  {`insert into n values (1, 2, null)`, true},
			"unique":       {`insert into n values (2, 1, null)`, true},
			"foreign key":  {`insert into n values (2, 2, 77)`, false},
			"not null":     {`insert into n values (null, null, null)`, false},
			"syntax":       {`insert blindly`, false},
			"no such":      {`select x from nowhere`, false},
			"no such func": {`select nofunc(1)`, false},
		}
		for name, test := range tests {
			if name == "not null" && !d.IsPostgres() {
				continue // SQLite gives a primary key of bigint a NULL: an old bug that it keeps
			}
			err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, test.query)
				return err
			})
			if err == nil || sqldb.IsUnique(err) != test.unique {
				t.Errorf("%s: %v, is unique %t, want %t", name, err, sqldb.IsUnique(err), test.unique)
			}
			if leat.IsUnavailable(err) || sqldb.Unavailable(err) != err {
				t.Errorf("%s is the statement's fault, not the database's: %v", name, err)
			}
		}
	})
}

// An HTTP call of fn that meets a closed connection is not the database's trouble.
func TestOtherPeoplesNetworkIsNotTheDatabases(t *testing.T) {
	each(t, func(t *testing.T, _ *sql.Database, db *sqldb.DB) {
		_, theirs := net.DialTimeout("tcp", "127.0.0.1:1", time.Second)
		err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return theirs })
		if leat.IsUnavailable(err) || !errors.Is(err, theirs) {
			t.Errorf("got %v", err)
		}
	})
}
