package outbox_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// ownPostgres starts a server that the test may kill.
func ownPostgres(t *testing.T, settings map[string]string) (*server.Postgres, *sql.Database) {
	t.Helper()
	leattest.Need(t, "postgres")
	pg, err := server.StartPostgres(t.Context(), server.PostgresConfig{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	pg.CloseAfter(t)
	return pg, &sql.Database{URL: pg.URL("postgres")}
}

// With synchronous_commit off a transaction is visible before it is on the disk, and a crash takes it
// back. Its events must not be out by then: an event of a transaction that never was can't be called
// back, and its id's next owner would follow it.
func TestNothingIsSentThatACrashTakesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a server of its own")
	}
	pg, data := ownPostgres(t, map[string]string{"synchronous_commit": "off", "wal_writer_delay": "10s"})
	w := newWorld(t, data, broker.Real(t))
	ws := &writers{box: w.box, aggregates: 20, tolerant: true}
	if err := ws.prepare(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	w.data.Exec(t, `checkpoint`)
	// The relay has read rows, and holds on until the crash: what it sends brings the log to the disk.
	held, goOn := make(chan struct{}), make(chan struct{})
	w.relay(func(c *outbox.RelayConfig) {
		c.Hook = func(point string) {
			if point != "relay.selected" {
				return
			}
			select {
			case held <- struct{}{}:
				select {
				case <-goOn:
				case <-t.Context().Done():
				}
			default:
			}
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- ws.run(ctx, 4, 1<<40, 5) }()
	// Nobody else writes the log while the relay holds on. Yet how much is not on the disk when the server is
	// killed is luck: it is killed until a crash took something back.
	back := int64(0)
	for kills := 0; kills < 3 || back <= 0 && kills < 15; kills++ {
		<-held
		writer := freezeLogWriter(t, w.data)
		before := ws.written.Load()
		leattest.Eventually(t, "some hundred events are written", func() error { return atLeast(ws.written.Load()-before, 300) })
		if err := errors.Join(pg.Kill(), syscall.Kill(writer, syscall.SIGKILL)); err != nil {
			t.Fatal(err)
		}
		if err := pg.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		said := ws.written.Load() // at least; what is there only grows
		back = max(back, said-int64(truth(t, w.db)))
		goOn <- struct{}{}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.empty()
	all := truth(t, w.db)
	t.Logf("%d events, %d more were committed and taken back", all, back)
	if back <= 0 {
		t.Error("no crash took anything back: nothing is tested")
	}
	inOrder(t, w.read(w.topic.Name), all)
}

// freezeLogWriter stops the process that writes the log, while it holds no lock that others need.
func freezeLogWriter(t *testing.T, data *sql.Database) (pid int) {
	t.Helper()
	pid = int(data.Int(t, `select pid from pg_stat_activity where backend_type = 'walwriter'`))
	leattest.Eventually(t, "the log's writer stops in its sleep", func() error {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if data.Int(t, `select count(*) from pg_stat_activity where pid = $1 and wait_event = 'WalWriterMain'`, pid) == 1 {
			return nil
		}
		return errors.Join(errors.New("it is at work"), syscall.Kill(pid, syscall.SIGCONT))
	})
	return pid
}

// TestNothingIsLostOrDoubledWhenServersAreKilled kills the broker and the database under the relay
// and the writers.
func TestNothingIsLostOrDoubledWhenServersAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills servers of its own")
	}
	t.Run("by ids", func(t *testing.T) { killServers(t, outbox.ModeExact) })
	t.Run("by the log", func(t *testing.T) { killServers(t, outbox.ModeWAL) })
	t.Run("that stay", func(t *testing.T) { killServers(t, outbox.ModeRetain) })
	t.Run("without a table", func(t *testing.T) { killServers(t, outbox.ModeMessage) })
}

func killServers(t *testing.T, mode outbox.Mode) {
	t.Helper()
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	pg, data := ownPostgres(t, nil)
	w := newWorld(t, data, broker.At(k.Brokers()...), inMode(mode))
	ws := &writers{box: w.box, aggregates: 100, tolerant: true}
	if err := ws.prepare(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	as := role{Kind: "relay", Database: w.data.URL, Brokers: w.b.Addrs, Name: w.name, Topic: w.topic.Name, Mode: mode}
	inCommitOrder, warm := func() {}, 0
	if mode == outbox.ModeWAL {
		inCommitOrder, warm = w.streamed(as), 2
	}
	relay := start(t, as)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- ws.run(ctx, 8, 1<<40, 6) }()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	for _, victim := range strings.Fields("kafka postgres relay kafka relay postgres both") {
		before := ws.written.Load()
		some := int64(200 + r.IntN(300))
		leattest.Within(t, 4*time.Minute, "some hundred events are written", func() error { return atLeast(ws.written.Load()-before, some) })
		if victim == "relay" {
			relay.kill()
			relay = start(t, as)
		}
		if victim == "kafka" || victim == "both" {
			if err := k.Kill(1); err != nil {
				t.Fatal(err)
			}
		}
		if victim == "postgres" || victim == "both" {
			if err := pg.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := pg.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if victim == "kafka" || victim == "both" {
			if err := k.Restart(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.empty()
	t.Logf("%d events; Kafka left markers out %d times", ws.written.Load(), leftOut(t, k))
	inOrder(t, w.read(w.topic.Name), truth(t, w.db)+warm)
	inCommitOrder()
}
