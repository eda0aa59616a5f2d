package outbox_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// crash runs a relay that ends at the nth pass of a commit point, as if killed there.
func (w *world) crash(point string, nth int32) {
	w.t.Helper()
	w.crashIn("", point, nth)
}

func (w *world) crashIn(mode outbox.Mode, point string, nth int32) {
	w.t.Helper()
	var passes atomic.Int32
	r, err := outbox.NewRelay(outbox.RelayConfig{
		Box: w.box, Kafka: w.kafka(), Logger: quiet(), PositionTopic: "position." + w.name, BatchRows: 10, Mode: mode,
		TransactionTimeout: 3 * time.Second,
		Hook: func(p string) {
			if p == point && passes.Add(1) == nth {
				runtime.Goexit()
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.Run(w.t.Context())
	}()
	select {
	case <-ended:
	case <-time.After(2 * time.Minute):
		w.t.Fatalf("no pass number %d of %s", nth, point)
	}
}

func TestACrashAtAnyPointLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		n := 0
		for _, point := range []string{"relay.selected", "relay.produced", "relay.committing", "relay.committed", "relay.deleted"} {
			for _, nth := range []int32{1, 2} {
				for range 25 {
					n++
					w.publish(moved{Key: "k", N: n})
				}
				w.crash(point, nth)
			}
		}
		w.relay()
		w.empty()
		inOrder(t, w.distinct(w.topic.Name), n)
	})
}

// The database lost rows that had left (asynchronous commits and a crash, a promoted standby, a
// restored backup) and gave their ids to others. Deleting what the position names would lose those.
func TestRowsThatGotTheIDsOfLostOnesLeave(t *testing.T) {
	t.Parallel()
	forget := map[bool]string{
		true:  `alter sequence leat_outbox_id_seq restart 1`,
		false: `delete from sqlite_sequence where name = 'leat_outbox'`,
	}
	body := func(t *testing.T, w *world) {
		for n := range 5 {
			w.publish(moved{Key: "ghost", N: n + 1})
		}
		w.crash("relay.committed", 1) // sent and not deleted
		w.data.Exec(t, `delete from `+w.table)
		w.data.Exec(t, forget[w.data.IsPostgres()])
		for n := range 5 {
			w.publish(moved{Key: "k", N: n + 1})
		}
		if id := w.data.Int(t, `select min(id) from `+w.table); id != 1 {
			t.Fatalf("ids begin at %d: nothing is tested", id)
		}
		r, _ := w.relay()
		w.empty()
		inOrder(t, w.read(w.topic.Name), 10)
		if s, err := r.Status(t.Context()); err != nil || !strings.Contains(s.Warning, "gave their ids to others") {
			t.Errorf("it is not told: %q, %v", s.Warning, err)
		}
	}
	t.Run("sqlite", func(t *testing.T) { body(t, newWorld(t, sql.SQLite(t), broker.Real(t))) })
	t.Run("postgres", func(t *testing.T) { body(t, newWorld(t, sql.Postgres(t), broker.Real(t))) })
	t.Run("postgres that retains", func(t *testing.T) { body(t, newWorld(t, sql.Postgres(t), broker.Real(t), retains)) })
}

// A copy of the database from before the last takeover is told from the database.
func TestARestoredDatabaseIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	again := func() *outbox.Relay {
		r, stop := w.relay()
		w.publish(moved{Key: "k", N: len(w.read(w.topic.Name)) + 1})
		w.empty()
		stop()
		return r
	}
	again()
	w.data.Exec(t, `create table backup as select * from leat_outbox_meta`)
	for range 2 {
		if s, err := again().Status(t.Context()); err != nil || s.Warning != "" {
			t.Errorf("told without a reason: %q, %v", s.Warning, err)
		}
	}
	w.data.Exec(t, `update leat_outbox_meta set token = backup.token, before = backup.before from backup`)
	if s, err := again().Status(t.Context()); err != nil || !strings.Contains(s.Warning, "backup") {
		t.Errorf("not told: %q, %v", s.Warning, err)
	}
	w.data.Exec(t, `update leat_outbox_meta set token = 'x', before = 'y', outbox = outbox || '-2'`) // Kafka knows nothing of it
	if s, err := again().Status(t.Context()); err != nil || !strings.Contains(s.Warning, "no position") {
		t.Errorf("not told: %q, %v", s.Warning, err)
	}
	inOrder(t, w.read(w.topic.Name), 5)
}

func TestSQLiteNeverGivesAnIDTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.SQLite(t), embedded(t, false))
	w.publish(moved{Key: "k", N: 1}, moved{Key: "k", N: 2})
	w.relay()
	w.empty()
	if id := w.data.Int(t, `select seq from sqlite_sequence where name = 'leat_outbox'`); id != 2 {
		t.Errorf("the empty table's last id is %d, want 2", id)
	}
	first, err := w.box.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := newWorld(t, sql.SQLite(t), w.b).box.Status(t.Context())
	if err != nil || first.Outbox == second.Outbox || second.Outbox == "" {
		t.Errorf("outboxes %q and %q, %v", first.Outbox, second.Outbox, err)
	}
}

// Staging beside production, or a new data directory: the same service on the same cluster, with
// another database. Neither fences the other off nor takes its position for its own.
func TestTwoOutboxesOfOneServiceDoNotMeet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.SQLite(t), broker.Real(t))
	other := newWorld(t, sql.SQLite(t), w.b)
	other.name, other.topic, other.stray = w.name, w.topic, w.stray
	other.box = other.newBox(other.db)
	// A position of the other one that is newer must not hide its own.
	w.publish(moved{Key: "c", N: 1})
	w.crash("relay.committed", 1)
	_, stop := other.relay()
	other.publish(moved{Key: "d", N: 1})
	other.empty()
	stop()
	var takeovers, commits atomic.Int32
	watch := func(c *outbox.RelayConfig) {
		c.Logger, c.LeaseTTL, c.TransactionTimeout = counting(&takeovers), time.Minute, time.Minute
		c.Hook = func(p string) {
			if p == "relay.committed" {
				commits.Add(1)
			}
		}
	}
	w.relay(watch)
	other.relay(watch)
	for n := range 20 {
		w.publish(moved{Key: "a", N: n + 1})
		other.publish(moved{Key: "b", N: n + 1})
		w.empty()
		other.empty()
	}
	inOrder(t, w.read(w.topic.Name), 42)
	if commits.Load() < 20 || takeovers.Load() != 0 {
		t.Errorf("%d commits, %d relays started anew", commits.Load(), takeovers.Load())
	}
}

// Another outbox's open transaction on the position topic holds the last stable offset back. The
// position that is committed behind it must be found all the same.
func TestAPositionBehindAnOpenTransactionIsFound(t *testing.T) {
	t.Parallel()
	body := func(t *testing.T, b *broker.Broker) {
		w := newWorld(t, sql.SQLite(t), b)
		_, stop := w.relay()
		w.publish(moved{Key: "k", N: 1})
		w.empty()
		stop()
		open, err := kafka.OpenTransactor(t.Context(), w.kafka(), kafka.TransactorConfig{ID: w.name + "-other", Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		if err := open.Begin(); err != nil {
			t.Fatal(err)
		}
		raw := kafka.Raw{Topic: "position." + w.name, Key: []byte("other"), Value: []byte(`{}`)}
		if err := open.Produce(t.Context(), nil, raw); err != nil {
			t.Fatal(err)
		}
		leattest.Eventually(t, "the other transaction is open", func() error {
			all := w.b.ReadAll(t, "position."+w.name, kgo.ReadUncommitted())
			if string(all[len(all)-1].Key) != "other" {
				return fmt.Errorf("the last record is of %s", all[len(all)-1].Key)
			}
			return nil
		})
		w.publish(moved{Key: "k", N: 2})
		ended := make(chan error, 1)
		time.AfterFunc(3*time.Second, func() { ended <- open.Abort(t.Context()) }) // a relay reads to the end, and waits for that
		w.crash("relay.committed", 1)                                              // its position lies behind the open transaction
		w.relay()
		w.empty()
		inOrder(t, w.read(w.topic.Name), 2)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Run("kfake", func(t *testing.T) { body(t, broker.Fake(t, broker.FakeConfig{})) })
	t.Run("kafka", func(t *testing.T) { body(t, broker.Real(t)) })
}

// Of three relays one works; those that stand by leave it alone, and one that wakes up after another
// has taken over neither commits nor takes back what it no longer has.
func TestStandbysWaitAndAZombieIsFencedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sql.Postgres(t), broker.Real(t))
	asleep, wake := make(chan struct{}), make(chan struct{})
	var sleepOnce sync.Once
	w.relay(func(c *outbox.RelayConfig) {
		c.Hook = func(p string) {
			if p == "relay.committing" {
				sleepOnce.Do(func() { close(asleep); <-wake })
			}
		}
	})
	w.publish(moved{Key: "k", N: 1})
	<-asleep
	// The sleeper's lease is kept alive by its own process; take it away as its death would.
	w.data.Exec(t, `update leat_lease set expires_at = clock_timestamp() - interval '1 second', token = token + 1000`)
	var takeovers atomic.Int32
	heir := func(c *outbox.RelayConfig) {
		c.Logger, c.LeaseTTL, c.TransactionTimeout = counting(&takeovers), time.Minute, time.Minute
	}
	w.relay(heir)
	w.relay(heir)
	w.publish(moved{Key: "k", N: 2})
	w.empty()
	close(wake)
	for n := 3; n < 20; n++ {
		w.publish(moved{Key: "k", N: n})
		w.empty()
	}
	inOrder(t, w.read(w.topic.Name), 19)
	if n := takeovers.Load(); n > 1 {
		t.Errorf("the heirs started anew %d times: they fence each other off", n)
	}
}
