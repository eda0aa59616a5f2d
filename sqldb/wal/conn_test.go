package wal_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

func openDB(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	var db *sqldb.DB
	leattest.Eventually(t, "the database answers", func() (err error) {
		db, err = sqldb.Open(t.Context(), sqldb.Config{URL: url})
		return err
	})
	t.Cleanup(db.Close)
	return db
}

// in runs statements in one transaction.
func in(t *testing.T, db *sqldb.DB, statements ...string) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, url string) *wal.Conn {
	t.Helper()
	var c *wal.Conn
	leattest.Eventually(t, "the database takes a replication connection", func() (err error) {
		c, err = wal.Open(t.Context(), url)
		return err
	})
	t.Cleanup(c.Close)
	return c
}

// until receives changes until done says so, and hands each on with its bytes.
func until(t *testing.T, c *wal.Conn, done func(message []byte, change *wal.Change) bool) {
	t.Helper()
	if err := c.Wait(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var d wal.Decoder
	var change wal.Change
	for {
		f, err := c.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if f.Data == nil {
			continue
		}
		if err := d.Decode(f.Data, &change); err != nil {
			t.Fatal(err)
		}
		if done(f.Data, &change) {
			return
		}
	}
}

func slotOf(t *testing.T, db *sqldb.DB, name string) (s wal.Slot) {
	t.Helper()
	err := db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		all, err := wal.Slots(ctx, tx, name)
		if len(all) > 0 {
			s = all[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is committed comes in the order of the commits, what is rolled back never does, and what is
// acknowledged does not come again while the rest does.
func TestTheStreamIsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	data := sql.Postgres(t)
	db := openDB(t, data.URL)
	in(t, db, `create table thing (id bigint, skip boolean, topic text, data bytea)`, `create table other (n int)`)
	in(t, db, `create publication things for table thing`)
	c, slot := connect(t, data.URL), strings.ReplaceAll(leattest.Name("slot"), "-", "_")
	if err := c.CreateSlot(t.Context(), slot); err != nil {
		t.Fatal(err)
	}
	in(t, db, `insert into thing values (1, false, 'a', '\x00ff'), (2, true, '', null)`, `insert into other values (1)`)
	in(t, db, `insert into thing values (3, false, 'b', '\x')`, `select pg_logical_emit_message(true, 'leat', 'said')`)
	in(t, db, `truncate thing`)
	if err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `insert into thing values (4, false, 'never', null)`)
		return errors.Join(err, errors.New("roll back"))
	}); err == nil {
		t.Fatal("nothing was rolled back")
	}
	in(t, db, `select pg_logical_emit_message(true, 'leat', 'end')`)
	if err := c.Start(t.Context(), slot, "things", 0); err != nil {
		t.Fatal(err)
	}
	var lines, got []string
	var first wal.LSN
	isEnd := false
	read := func(message []byte, change *wal.Change) bool {
		lines = append(lines, hex.EncodeToString(message)+" "+describe(change))
		switch {
		case change.Kind == wal.Insert:
			n, err := change.Row[0].Int()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(n))
		case change.Kind == wal.Message:
			got = append(got, string(change.Content))
			isEnd = string(change.Content) == "end"
		case change.Kind == wal.Commit && first == 0:
			first = change.End
		}
		return isEnd && change.Kind == wal.Commit
	}
	until(t, c, read)
	if want := []string{"1", "2", "3", "said", "end"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if *update {
		if err := os.WriteFile(recorded, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Acknowledge(first, true); err != nil {
		t.Fatal(err)
	}
	leattest.Eventually(t, "the acknowledgement has arrived", func() error {
		if s := slotOf(t, db, slot); s.Confirmed != first || !s.Active || s.Lost() {
			return fmt.Errorf("slot %+v, want it confirmed to %v", s, first)
		}
		return nil
	})
	second := connect(t, data.URL)
	if err := second.Start(t.Context(), slot, "things", 0); !errors.Is(err, wal.ErrBusy) {
		t.Errorf("a second reader: %v, want %v", err, wal.ErrBusy)
	}
	if err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return wal.Free(ctx, tx, slot) }); err != nil {
		t.Fatal(err)
	}
	leattest.Eventually(t, "the slot is free", func() error {
		second.Close() // or those that wait use up the server's senders
		second = connect(t, data.URL)
		return second.Start(t.Context(), slot, "things", 0)
	})
	got, isEnd = nil, false
	until(t, second, read)
	if want := []string{"3", "said", "end"}; !slices.Equal(got, want) {
		t.Errorf("after the acknowledgement: got %v, want %v", got, want)
	}
	second.Interrupt()
	for {
		if _, err := second.Receive(); errors.Is(err, wal.ErrInterrupted) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// What stands in the way of replication is said with what to do about it.
func TestWhatStandsInTheWayIsSaid(t *testing.T) {
	t.Parallel()
	data := sql.Postgres(t)
	db := openDB(t, data.URL)
	in(t, db, `create publication none`)
	user := strings.ReplaceAll(leattest.Name("user"), "-", "_")
	in(t, db, `create role `+user+` login`)
	defer data.Exec(t, `drop role `+user)
	if _, err := wal.Open(t.Context(), strings.Replace(data.URL, "postgres@", user+"@", 1)); err == nil || !strings.Contains(err.Error(), "alter role") {
		t.Errorf("without the right: %v", err)
	}
	c := connect(t, data.URL)
	if err := c.Start(t.Context(), "nothing_here", "none", 0); err == nil || !strings.Contains(err.Error(), "nothing_here") {
		t.Errorf("without a slot: %v", err)
	}
}

func TestAServerWithoutLogicalLogIsTold(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server of its own")
	}
	leattest.Need(t, "postgres")
	pg, err := server.StartPostgres(t.Context(), server.PostgresConfig{Settings: map[string]string{"wal_level": "replica"}})
	if err != nil {
		t.Fatal(err)
	}
	pg.CloseAfter(t)
	err = connect(t, pg.URL("")).CreateSlot(t.Context(), "some")
	if known, ok := errors.AsType[*wal.Error](err); !ok || !known.Setup || !strings.Contains(known.Hint, "wal_level") {
		t.Errorf("got %v", err)
	}
}

// A slot that the server had to give up says so, and how much is kept until then.
func TestALostSlotIsTold(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server of its own")
	}
	leattest.Need(t, "postgres")
	pg, err := server.StartPostgres(t.Context(), server.PostgresConfig{Settings: map[string]string{
		"max_slot_wal_keep_size": "1MB", "max_wal_size": "32MB", "min_wal_size": "32MB",
	}})
	if err != nil {
		t.Fatal(err)
	}
	pg.CloseAfter(t)
	db := openDB(t, pg.URL(""))
	in(t, db, `create publication none`)
	c := connect(t, pg.URL(""))
	if err := c.CreateSlot(t.Context(), "some"); err != nil {
		t.Fatal(err)
	}
	if s := slotOf(t, db, "some"); s.Lost() || s.Safe <= 0 {
		t.Fatalf("slot %+v", s)
	}
	data := &sql.Database{URL: pg.URL("")}
	for range 4 {
		data.Exec(t, `select pg_logical_emit_message(false, 'x', repeat('x', 17000000))`)
		data.Exec(t, `select pg_switch_wal()`)
		data.Exec(t, `checkpoint`)
	}
	if s := slotOf(t, db, "some"); !s.Lost() {
		t.Errorf("slot %+v is not lost: nothing is tested", s)
	}
	if err := c.Start(t.Context(), "some", "none", 0); err == nil {
		t.Error("a lost slot can be read")
	} else {
		t.Log(err)
	}
}
