package cli_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

type paid struct {
	Order string `json:"order"`
}

func (paid) EventType() string  { return "test.order.paid.v1" }
func (p paid) EventKey() string { return p.Order }

// Without --yes nothing is done; with it what was shown is put back, and what was not chosen is left alone.
func TestReplayShowsAndThenDoes(t *testing.T) {
	t.Parallel()
	data := sql.Postgres(t)
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: data.URL, Schema: "payment"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	box, err := outbox.New(outbox.Config{DB: db, Source: "payment", Mode: outbox.ModeRetain, Owns: []leat.Topic{{Name: "payments", Carries: []any{paid{}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		return tx.Publish(ctx, paid{"a"}, paid{"b"}, paid{"a"}, paid{"a"})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { // the last one has not left
		_, err := tx.Exec(ctx, `update leat_outbox_cursor set upto = (select max(id) - 1 from leat_outbox_kept)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	leat := func(args ...string) string {
		t.Helper()
		var out, said bytes.Buffer
		args = append([]string{"outbox", "replay", "payment", "--database-url", data.URL}, args...)
		if status := cli.Run(t.Context(), cli.Config{Args: args, Environ: []string{}, Stdout: &out, Stderr: &said}); status != 0 {
			t.Fatalf("%v leaves with %d: %s", args, status, &said)
		}
		return out.String() + said.String()
	}
	waiting := func() (n int) {
		t.Helper()
		err := db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, `select count(*) from leat_outbox where key = 'a'`).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if said := leat("--key", "a"); !strings.Contains(said, "test.order.paid.v1") || !strings.Contains(said, "2 events would be sent again") {
		t.Errorf("it says %s", said)
	}
	if n := waiting(); n != 0 {
		t.Errorf("%d events wait without --yes", n)
	}
	if said := leat("--key", "a", "--from", "-1h", "--yes"); !strings.Contains(said, "2 events are back in the outbox") {
		t.Errorf("it says %s", said)
	}
	if n := waiting(); n != 2 {
		t.Errorf("%d events wait, want 2", n)
	}
	if said := leat("--rows", "1000-", "--yes"); !strings.Contains(said, "no kept event") {
		t.Errorf("it says %s", said)
	}
}
