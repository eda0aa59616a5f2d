package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// What instances of older versions write is found by keys that the database makes.
func TestTheDatabaseMakesTheSameKeys(t *testing.T) {
	t.Parallel()
	w := newInboxWorld(t, sql.Postgres(t), func(c *outbox.Config) { c.Group = "zahlung-\u00e4" })
	h := w.bind(outbox.Once(w.topic, effect))
	for i, c := range []struct{ source, id string }{
		{"order", leat.NewID()},
		{"order", "0192d3a4-b5c6-4def-f123-456789abcdef"},
		{"order", "0192d3a4-b5c6-1def-f123-456789abcdef"},
		{"order", "00000000-0000-5000-8000-000000000033"},
		{"order", "0192D3A4-B5C6-7DEF-8123-456789ABCDEF"},
		{"order", "0192d3a4-b5c6-7def-8123-456789abcdef0"},
		{"https://example.com/orders?\u00fc", "no number"},
		{"order", "42"},
		{"order", "order-000031"},
		{"order", "1234567890123456789012345"},
		{"order", "\u00e4 7"},
		{"order", "line\n9"},
		{"", ""}, // known by its place
	} {
		r := &kgo.Record{Topic: "things", Partition: 3, Offset: int64(i), Value: []byte(`{"key":"k","n":1}`)}
		if c.id != "" {
			for name, value := range map[string]string{"ce_specversion": "1.0", "ce_id": c.id, "ce_source": c.source, "ce_type": "test.thing.moved.v1"} {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
			}
		}
		wire, err := kafka.WireOf(r)
		if err != nil {
			t.Fatal(err)
		}
		e := leat.NewEnvelope(wire, &h.Kind, nil, 1)
		if err := h.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		source, id := e.Identity()
		if n := w.data.Int(t, `select count(*) from leat_inbox_key where key = leat_inbox_id('zahlung-`+"\u00e4"+`', $1, $2)`, source, id); n != 1 {
			t.Errorf("%q of %q has %d rows by the key that the database makes", id, source, n)
		}
	}
}

// earlier is an instance of a version that knows leat_inbox alone; its statements are those of then.
type earlier struct{ db *sqldb.DB }

const earlierRows = `insert into leat_inbox (consumer_group, source, id, at)
	select $1, e.source, e.id, $4 + e.n - 1 from unnest($2::text[], $3::text[]) with ordinality as e(source, id, n)
	on conflict do nothing returning at`

func (v earlier) takes(ctx context.Context, ids ...string) error {
	if len(ids) == 1 {
		return v.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			n, err := tx.Exec(ctx, `insert into leat_inbox (consumer_group, source, id, at) values ($1, $2, $3, $4) on conflict do nothing`, "svc", "elsewhere", ids[0], time.Now().UnixMicro())
			if err != nil || n == 0 {
				return err
			}
			return v.effects(ctx, tx, ids)
		})
	}
	slices.Sort(ids)
	sources, now := make([]string, len(ids)), time.Now().UnixMicro()
	for i := range sources {
		sources[i] = "elsewhere"
	}
	err := v.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `insert into leat_inbox (consumer_group, source, id, at) select $1, e.source, e.id, $4 from unnest($2::text[], $3::text[]) as e(source, id)`, "svc", sources, ids, now)
		if err != nil {
			return err
		}
		return v.effects(ctx, tx, ids)
	})
	if !sqldb.IsUnique(err) {
		return err
	}
	return v.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		rows, err := tx.Query(ctx, earlierRows, "svc", sources, ids, now)
		if err != nil {
			return err
		}
		var fresh []string
		for rows.Next() {
			var at int64
			if err := rows.Scan(&at); err != nil {
				return err
			}
			fresh = append(fresh, ids[at-now])
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return v.effects(ctx, tx, fresh)
	})
}

func (v earlier) effects(ctx context.Context, tx *sqldb.Tx, ids []string) error {
	for _, id := range ids {
		if _, err := tx.Exec(ctx, `insert into effect (key, n) values ($1, 0)`, "k"+id); err != nil {
			return err
		}
	}
	return nil
}

// An inbox that is full, and instances of the older version at work on it, also with the very events that
// newer ones have in hand, before, during and after the upgrade: each event takes one effect.
func TestAnInboxIsUpgradedUnderOlderInstances(t *testing.T) {
	t.Parallel()
	data := sql.Postgres(t)
	db := openDB(t, data)
	before := fstest.MapFS{}
	files, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if text, err := os.ReadFile("migrations/" + f.Name()); err != nil {
			t.Fatal(err)
		} else if f.Name() < "0008" {
			before[f.Name()] = &fstest.MapFile{Data: text}
		}
	}
	if err := db.Migrate(t.Context(), "outbox", before); err != nil {
		t.Fatal(err)
	}
	data.Exec(t, `create table effect (key text, n integer)`)
	all := ids(0, 2000)
	for i := range all {
		if i%2 == 0 {
			all[i] = leat.NewID()
		}
	}
	old := earlier{openDB(t, data)}
	if err := old.takes(t.Context(), all[:500]...); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	someOf := func(from, to int, seed uint64) []string {
		some := slices.Clone(all[from:to])
		rand.New(rand.NewPCG(seed, 2)).Shuffle(len(some), func(a, b int) { some[a], some[b] = some[b], some[a] })
		return some
	}
	upgraded := make(chan struct{})
	for i := range 3 {
		running.Go(func() {
			for round, some := range slices.Collect(slices.Chunk(someOf(0, 2000, uint64(i)), 100)) {
				if round == 10 { // half of it when both are at work
					<-upgraded
				}
				if err := old.takes(t.Context(), some[:1]...); err != nil {
					t.Error(err)
				}
				if err := old.takes(t.Context(), some...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	w := newInboxWorldOf(t, data, db)
	close(upgraded)
	h := w.bind(outbox.OnceBatch(w.topic, effectsOf))
	for i := range 3 {
		running.Go(func() {
			for some := range slices.Chunk(someOf(0, 2000, uint64(10+i)), 100) {
				if err := h.Handle(t.Context(), w.several(&h, some[0])[0]); err != nil {
					t.Error(err)
				}
				if err := h.Batch(t.Context(), w.several(&h, some...)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if err := old.takes(t.Context(), someOf(0, 2000, 20)...); err != nil { // the upgrade is taken back
		t.Error(err)
	}
	if n, keys, twice := w.effects(), w.remembered(), data.Int(t, `select count(*) from (select from effect group by key having count(*) > 1) e`); n != 2000 || keys != 2000 || twice != 0 {
		t.Errorf("%d effects and %d keys of 2000 events, %d took effect again", n, keys, twice)
	}
}

// newInboxWorldOf is newInboxWorld on tables of an older version.
func newInboxWorldOf(t *testing.T, data *sql.Database, db *sqldb.DB) *inboxWorld {
	w := &world{t: t, data: data, name: "svc", db: db}
	w.topic = leat.Topic{Name: "things", Carries: []any{moved{}}}
	w.stray = leat.Topic{Name: "strays", Carries: []any{stray{}}}
	w.box = w.newBox(db)
	if err := w.box.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &inboxWorld{w, t}
}

// Members that have the same events in hand, each in another order, wait for each other.
func TestBatchesOfTheSameEventsNeverWaitInACircle(t *testing.T) {
	t.Parallel()
	data := sql.Postgres(t)
	w := newInboxWorld(t, data)
	h := w.bind(outbox.OnceBatch(w.topic, func(context.Context, *outbox.Tx, []*leat.Event[moved]) error { return nil }))
	for range 10 {
		all := make([]string, 400)
		for i := range all {
			all[i] = leat.NewID()
		}
		var together sync.WaitGroup
		for range 3 {
			some := w.several(&h, all...)
			together.Go(func() {
				if err := h.Batch(t.Context(), some); err != nil {
					t.Error(err)
				}
			})
			slices.Reverse(all)
		}
		together.Wait()
	}
	if n := w.remembered(); n != 4000 {
		t.Errorf("%d events are known of 4000", n)
	}
	w.db.Close() // which has the sessions tell their statistics
	if n := data.Int(t, `select deadlocks from pg_stat_database where datname = current_database()`); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// The sweep empties what older versions have left, too.
func TestSweepForgetsWhatOlderVersionsWrote(t *testing.T) {
	t.Parallel()
	data := sql.Postgres(t)
	w := newInboxWorld(t, data, func(c *outbox.Config) { c.InboxKeep = time.Hour })
	old := time.Now().Add(-2 * time.Hour).UnixMicro()
	data.Exec(t, fmt.Sprintf(`insert into leat_inbox (consumer_group, source, id, at) select 'svc', 'elsewhere', i::text, %d from generate_series(1, 1500) i`, old))
	if _, err := w.box.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if n, keys := data.Int(t, `select count(*) from leat_inbox`), w.remembered(); n != 0 || keys != 0 {
		t.Errorf("%d rows and %d keys are left", n, keys)
	}
}
