package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// moved says that thing Key is at version N.
type moved struct {
	Key string `json:"key"`
	N   int    `json:"n"`
	Pad string `json:"pad,omitempty"`
}

func (moved) EventType() string  { return "test.thing.moved.v1" }
func (e moved) EventKey() string { return e.Key }

// stray is an event of a topic that the test may leave out of the cluster.
type stray struct {
	N int `json:"n"`
}

func (stray) EventType() string { return "test.stray.seen.v1" }

// world is one outbox between a database and a cluster.
type world struct {
	t     testing.TB
	data  *sql.Database
	b     *broker.Broker
	db    *sqldb.DB
	box   *outbox.Box
	topic leat.Topic
	stray leat.Topic
	name  string
	table string // that events are written to
}

// embedded is a kfake cluster that says that it is embedded.
func embedded(t testing.TB, virtual bool, opts ...kfake.Opt) *broker.Broker {
	t.Helper()
	opts = append([]kfake.Opt{kfake.ClusterID(kafka.EmbeddedPrefix + "test")}, opts...)
	return broker.Fake(t, broker.FakeConfig{Virtual: virtual, Opts: opts})
}

// newWorld makes an outbox in data and its topic on b; change may change the box's config.
func newWorld(t testing.TB, data *sql.Database, b *broker.Broker, change ...func(*outbox.Config)) *world {
	t.Helper()
	w := &world{t: t, data: data, b: b, name: leattest.Name("svc")}
	w.topic = leat.Topic{Name: leattest.Name("things"), Carries: []any{moved{}}}
	w.stray = leat.Topic{Name: leattest.Name("strays"), Carries: []any{stray{}}}
	b.CreateTopic(t, w.topic.Name, 6, nil)
	w.db = openDB(t, data)
	w.box = w.newBox(w.db, change...)
	var cfg outbox.Config
	for _, f := range change {
		f(&cfg)
	}
	if w.table = "leat_outbox"; cfg.Mode == outbox.ModeRetain {
		w.table = "leat_outbox_kept"
	}
	if err := w.box.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func openDB(t testing.TB, data *sql.Database) *sqldb.DB {
	t.Helper()
	var db *sqldb.DB
	leattest.Eventually(t, "the database answers", func() (err error) {
		db, err = sqldb.Open(t.Context(), sqldb.Config{URL: data.URL, Synchronous: sqldb.Normal, MaxConns: 16, Logger: quiet()})
		return err
	})
	t.Cleanup(db.Close)
	return db
}

func (w *world) newBox(db *sqldb.DB, change ...func(*outbox.Config)) *outbox.Box {
	w.t.Helper()
	cfg := outbox.Config{DB: db, Source: w.name, Owns: []leat.Topic{w.topic, w.stray}, Logger: quiet()}
	for _, f := range change {
		f(&cfg)
	}
	box, err := outbox.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return box
}

func (w *world) kafka() kafka.Config {
	return kafka.Config{Brokers: w.b.Addrs, Dial: w.b.Dial, Logger: quiet()}
}

// calm is a lease, and a transaction, that a loaded machine does not let run out.
const calm = 30 * time.Second

// relay starts a relay that ends with the test, or when the function that is returned is called.
func (w *world) relay(change ...func(*outbox.RelayConfig)) (r *outbox.Relay, stop func()) {
	w.t.Helper()
	cfg := outbox.RelayConfig{Box: w.box, Kafka: w.kafka(), Logger: quiet(), LeaseTTL: calm, TransactionTimeout: calm, PositionTopic: "position." + w.name}
	for _, f := range change {
		f(&cfg)
	}
	r, err := outbox.NewRelay(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("relay: %v", err)
		}
	}
	w.t.Cleanup(stop)
	return r, stop
}

// publish publishes events in one transaction.
func (w *world) publish(events ...any) {
	w.t.Helper()
	leattest.Eventually(w.t, "events are published", func() error {
		err := w.box.Tx(w.t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, events...) })
		if err != nil && (!leat.IsUnavailable(err) || errors.Is(err, sqldb.ErrCommitUnknown)) {
			w.t.Fatal(err)
		}
		return err
	})
}

// view reads, again where the database was away.
func view(t testing.TB, db *sqldb.DB, read func(ctx context.Context, tx *sqldb.Tx) error) {
	t.Helper()
	leattest.Eventually(t, "the database answers", func() error {
		err := db.View(t.Context(), read)
		if err != nil && !leat.IsUnavailable(err) {
			t.Fatal(err)
		}
		return err
	})
}

// empty waits until nothing waits in the outbox, nor for its time: for as long as servers or a relay may
// be away (backWithin), and what has come meanwhile takes to leave on a loaded machine.
func (w *world) empty() {
	w.t.Helper()
	leattest.Within(w.t, 4*time.Minute, "the outbox is empty", func() error {
		s, err := w.box.Status(w.t.Context())
		if err != nil {
			return err
		}
		if s.Rows+s.Delayed > 0 {
			return fmt.Errorf("%d rows wait, %d more for their time; trouble: %s", s.Rows, s.Delayed, s.Trouble)
		}
		return nil
	})
	w.silent()
	w.marked()
}

// marked waits until the transactions on the topics have their markers, which the broker writes after it
// has answered: until then a reader does not see them.
func (w *world) marked() {
	w.t.Helper()
	adm := kadm.NewClient(w.b.Client(w.t))
	defer adm.Close()
	leattest.Eventually(w.t, "the transactions have their markers", func() error {
		high, err := adm.ListEndOffsets(w.t.Context(), w.topic.Name, w.stray.Name)
		stable, err2 := adm.ListCommittedOffsets(w.t.Context(), w.topic.Name, w.stray.Name)
		err = errors.Join(err, err2)
		high.Each(func(o kadm.ListedOffset) {
			s, ok := stable.Lookup(o.Topic, o.Partition)
			switch {
			case errors.Is(o.Err, kerr.UnknownTopicOrPartition): // it may be missing
			case o.Err != nil || !ok || s.Err != nil:
				err = errors.Join(err, o.Err, s.Err, fmt.Errorf("the ends of %s/%d are not told", o.Topic, o.Partition))
			case s.Offset < o.Offset:
				err = errors.Join(err, fmt.Errorf("%s/%d ends at %d, and is stable to %d", o.Topic, o.Partition, o.Offset, s.Offset))
			}
		})
		return err
	})
}

// read is what a read_committed reader from the start sees of the topic.
func (w *world) read(topic string) []seen {
	w.t.Helper()
	var all []seen
	for _, r := range w.b.ReadAll(w.t, topic, kgo.ReadCommitted()) {
		s := seen{rec: r, id: header(r, "ce_id")}
		if len(r.Value) > 0 {
			if err := json.Unmarshal(r.Value, &s.moved); err != nil {
				w.t.Fatal(err)
			}
		}
		all = append(all, s)
	}
	return all
}

// distinct is read without the repeats that the embedded broker may show after trouble; of others it
// is read.
func (w *world) distinct(topic string) []seen {
	w.t.Helper()
	all := w.read(topic)
	if !strings.Contains(w.t.Name(), "embedded") {
		return all
	}
	ids := map[string]bool{}
	return slices.DeleteFunc(all, func(s seen) bool {
		repeat := ids[s.id]
		ids[s.id] = true
		return repeat
	})
}

type seen struct {
	moved
	id  string
	rec *kgo.Record
}

func header(r *kgo.Record, name string) (value string) {
	for _, h := range r.Headers {
		if h.Key == name {
			value = string(h.Value)
		}
	}
	return value
}

// inOrder fails unless each key's versions come as 1, 2, 3 ... with nothing twice and nothing left
// out, want in all.
func inOrder(t testing.TB, all []seen, want int) {
	t.Helper()
	version, ids, faults := map[string]int{}, map[string]bool{}, 0
	fault := func(format string, args ...any) {
		t.Helper()
		if t.Errorf(format, args...); faults > 20 {
			t.Fatal("and so on")
		}
		faults++
	}
	for _, s := range all {
		if ids[s.id] {
			fault("event %s (%s, version %d) is there twice", s.id, s.Key, s.N)
		}
		ids[s.id] = true
		if s.N != version[s.Key]+1 {
			fault("%s: version %d comes after %d", s.Key, s.N, version[s.Key])
		}
		version[s.Key] = s.N
	}
	if len(all) != want {
		t.Errorf("%d events, want %d", len(all), want)
	}
}

func quiet() *slog.Logger {
	out := io.Discard
	if os.Getenv("LEAT_TEST_LOG") != "" {
		out = os.Stderr
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// everywhere runs body on each pair of database and cluster that the relay knows, side by side.
func everywhere(t *testing.T, body func(t *testing.T, w *world)) {
	for _, on := range []struct {
		name  string
		world func(t *testing.T) *world
	}{
		{"sqlite on the embedded broker", func(t *testing.T) *world { return newWorld(t, sql.SQLite(t), embedded(t, false)) }},
		{"sqlite on kfake with transactions", func(t *testing.T) *world {
			return newWorld(t, sql.SQLite(t), broker.Fake(t, broker.FakeConfig{}))
		}},
		{"sqlite on kafka", func(t *testing.T) *world { return newWorld(t, sql.SQLite(t), broker.Real(t)) }},
		{"postgres on kafka", func(t *testing.T) *world { return newWorld(t, sql.Postgres(t), broker.Real(t)) }},
		{"postgres that retains on the embedded broker", func(t *testing.T) *world { return newWorld(t, sql.Postgres(t), embedded(t, false), retains) }},
		{"postgres that retains on kfake with transactions", func(t *testing.T) *world {
			return newWorld(t, sql.Postgres(t), broker.Fake(t, broker.FakeConfig{}), retains)
		}},
		{"postgres that retains on kafka", func(t *testing.T) *world { return newWorld(t, sql.Postgres(t), broker.Real(t), retains) }},
	} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			body(t, on.world(t))
		})
	}
}

// hearing calls heard when what is logged.
type hearing struct {
	slog.Handler
	what  string
	heard func()
}

func (h *hearing) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.what {
		h.heard()
	}
	return h.Handler.Handle(ctx, r)
}

func (h *hearing) WithAttrs(a []slog.Attr) slog.Handler {
	return &hearing{h.Handler.WithAttrs(a), h.what, h.heard}
}

// counting counts the times that a relay says that it starts anew.
func counting(n *atomic.Int32) *slog.Logger {
	return slog.New(countingHandler{quiet().Handler(), n})
}

type countingHandler struct {
	slog.Handler
	n *atomic.Int32
}

func (h countingHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "relay starts anew" {
		h.n.Add(1)
	}
	return h.Handler.Handle(ctx, r)
}

func (h countingHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return countingHandler{h.Handler.WithAttrs(a), h.n}
}
