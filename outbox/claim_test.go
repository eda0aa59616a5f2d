package outbox_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// payloadWorld is a box that puts data of more than 100 bytes into a directory.
func payloadWorld(t *testing.T, data *sql.Database, change ...func(*outbox.Config)) (w *inboxWorld, store blob.Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := blob.Open(t.Context(), blob.Config{URL: "file:" + dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	w = newInboxWorld(t, data, append(change, func(c *outbox.Config) { c.Payloads, c.PayloadAbove = store, 100 })...)
	return w, store, dir
}

func payloads(t *testing.T, store blob.Store) (names []string) {
	t.Helper()
	err := store.Each(t.Context(), "svc/", func(o blob.Object) error { names = append(names, o.Name); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The data of a large event lies in the store before its transaction commits, and the row holds the
// reference; small ones stay as they are.
func TestLargeDataIsInTheStoreBeforeTheCommit(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w, store, _ := payloadWorld(t, data)
		long := moved{Key: "k", Pad: strings.Repeat("x", 200)}
		err := w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			if err := tx.Publish(ctx, long, moved{Key: "k"}); err != nil {
				return err
			}
			if n := len(payloads(t, store)); n != 1 {
				t.Errorf("%d payloads before the commit, want 1", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sizes := column[[]byte](t, w, `select data from leat_outbox order by id`)
		if len(sizes) != 2 || sizes[0] == nil || len(sizes[0]) != 0 || len(sizes[1]) == 0 {
			t.Errorf("rows hold %q, want no data, which is no tombstone, and some", sizes)
		}
		names := column[string](t, w, `select name from leat_outbox_payload`)
		if len(names) != 1 || !slices.Equal(names, payloads(t, store)) {
			t.Errorf("named are %v, in the store are %v", names, payloads(t, store))
		}
	})
}

// column is the first column of a query's rows.
func column[T any](t *testing.T, w *inboxWorld, query string) (all []T) {
	t.Helper()
	err := w.db.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		rows, err := tx.Query(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var v T
			if err := rows.Scan(&v); err != nil {
				return err
			}
			all = append(all, v)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A payload whose transaction was rolled back is swept when it is two days old; one that an event
// names stays, and so does what others put there.
func TestOrphanedPayloadsAreSwept(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w, store, dir := payloadWorld(t, data)
		failed := errors.New("rolled back")
		for _, end := range []error{nil, failed} {
			err := w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return errors.Join(tx.Publish(ctx, moved{Key: "k", Pad: strings.Repeat("x", 200) + errorText(end)}), end)
			})
			if !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		kept := column[string](t, w, `select name from leat_outbox_payload`)
		all := payloads(t, store)
		if len(all) != 2 || len(kept) != 1 {
			t.Fatalf("%d payloads and %d references, want 2 and 1", len(all), len(kept))
		}
		sweep := func(want int) {
			t.Helper()
			if err := w.box.SweepPayloads(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left := payloads(t, store); len(left) != want {
				t.Errorf("left are %v, want %d", left, want)
			}
		}
		sweep(2) // both are young
		for range 2 {
			// Three days pass: for the store, and in the names.
			old := time.Now().Add(-72 * time.Hour)
			for _, name := range payloads(t, store) {
				aged := "svc/" + old.UTC().Format(time.DateOnly) + "/" + filepath.Base(name)
				if aged != name {
					if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(aged)), 0o750); err != nil {
						t.Fatal(err)
					}
					if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, aged)); err != nil {
						t.Fatal(err)
					}
					data.Exec(t, `update leat_outbox_payload set name = '`+aged+`' where name = '`+name+`'`)
				}
				if err := os.Chtimes(filepath.Join(dir, aged), old, old); err != nil {
					t.Fatal(err)
				}
			}
			data.Exec(t, `update leat_outbox_meta set payloads_swept = ''`)
			if err := store.Put(t.Context(), "another/2020-01-01/x", nil); err != nil {
				t.Fatal(err)
			}
			sweep(1)
		}
		if _, err := store.Get(t.Context(), "another/2020-01-01/x", 10); err != nil {
			t.Errorf("another's payload: %v", err)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What was kept for PayloadKeep goes.
func TestPayloadsAreKeptAsLongAsTold(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w, store, _ := payloadWorld(t, data, func(c *outbox.Config) { c.PayloadKeep = time.Hour })
		for i, age := range []time.Duration{0, 2 * time.Hour} {
			err := w.box.Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return tx.Publish(ctx, moved{Key: "k", Pad: strings.Repeat("x", 200+i)})
			})
			if err != nil {
				t.Fatal(err)
			}
			if age > 0 {
				data.Exec(t, `update leat_outbox_payload set at = at - 7200000000 where name = (select max(name) from leat_outbox_payload)`)
			}
		}
		if err := w.box.SweepPayloads(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := payloads(t, store); len(left) != 1 {
			t.Errorf("left are %v, want 1", left)
		}
	})
}

// What is sent without a transaction is named before it leaves: a sweep leaves it alone, whenever the
// sender dies.
func TestLargeDataThatIsSentIsNamedBeforeItLeaves(t *testing.T) {
	t.Parallel()
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		w, store, _ := payloadWorld(t, data)
		m := leat.Message{Topic: "t", Data: []byte(strings.Repeat("x", 200))}
		if err := w.box.Claim(t.Context(), &m); err != nil {
			t.Fatal(err)
		}
		if m.Data == nil || len(m.Data) != 0 || len(m.Headers) == 0 {
			t.Errorf("the message has %d bytes and headers %v, want a reference in place of its data", len(m.Data), m.Headers)
		}
		names := column[string](t, w, `select name from leat_outbox_payload`)
		if len(names) != 1 || !slices.Equal(names, payloads(t, store)) {
			t.Errorf("named are %v, in the store are %v", names, payloads(t, store))
		}
		small := leat.Message{Topic: "t", Data: []byte("x")}
		if err := w.box.Claim(t.Context(), &small); err != nil || string(small.Data) != "x" || small.Headers != nil {
			t.Errorf("a small message became %+v (%v)", small, err)
		}
	})
}
