package sql

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/leatdev/leat/leattest"
)

// answerIn is how long the server has to answer before the test fails.
const answerIn = time.Minute

// Postgres returns a database of its own on the server that LEAT_TEST_POSTGRES
// names, a URL whose user may create databases.
func Postgres(t testing.TB) *Database {
	t.Helper()
	return PostgresAt(t, leattest.Need(t, "postgres"))
}

// PostgresAt is Postgres on a server that the test started itself.
func PostgresAt(t testing.TB, server string) *Database {
	t.Helper()
	name := strings.ReplaceAll(leattest.Name("leat"), "-", "_")
	at, err := url.Parse(server)
	if err != nil {
		t.Fatalf("read the server's URL %q: %v", server, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerIn)
	defer cancel()
	// template1 can't be copied while somebody is connected to it; nobody may be to template0.
	if err := run(ctx, server, "create database "+name+" template template0"); err != nil {
		t.Fatalf("create a database on %s: %v", at.Redacted(), err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerIn)
		defer cancel()
		if err := drop(ctx, server, name); err != nil {
			t.Logf("drop database %s: %v", name, err) // the test may have killed the server
		}
	})
	at.Path = "/" + name
	return &Database{URL: at.String()}
}

// drop removes a database whoever uses it: a replication slot would forbid it, and
// an active slot needs its reader ended first.
func drop(ctx context.Context, server, name string) error {
	for ctx.Err() == nil {
		err := run(
			ctx, server,
			fmt.Sprintf(`select pg_terminate_backend(active_pid) from pg_replication_slots where database = '%s' and active`, name),
			fmt.Sprintf(`select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '%s' and not active`, name),
			fmt.Sprintf(`drop database if exists %s with (force)`, name),
		)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != objectInUse {
			return err
		}
		time.Sleep(10 * time.Millisecond) // the ended reader still holds its slot for a moment
	}
	return context.Cause(ctx)
}

// objectInUse is PostgreSQL's code for a slot or a database that somebody holds.
const objectInUse = "55006"

// run executes statements one by one on one connection.
func run(ctx context.Context, server string, statements ...string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
