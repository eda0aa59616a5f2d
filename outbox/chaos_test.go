package outbox_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

// TestNothingIsLostDoubledOrDisorderedUnderKills lets 12 bad writers write while two relay processes
// are killed and stopped: the one that leads, the one that stands by, and those that wake after
// another has taken over. What a fresh read_committed reader sees must be the aggregates' versions,
// each once and in order.
func TestNothingIsLostDoubledOrDisorderedUnderKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	one := func(*rand.Rand) int { return 1 }
	t.Run("postgres", func(t *testing.T) {
		chaos(t, newWorld(t, sql.Postgres(t), broker.Real(t)), outbox.ModeExact, 12, 50_000, one)
	})
	t.Run("postgres by its log", func(t *testing.T) {
		chaos(t, newWorld(t, sql.Postgres(t), broker.Real(t)), outbox.ModeWAL, 12, 50_000, one)
	})
	t.Run("postgres without a table", func(t *testing.T) {
		chaos(t, newWorld(t, sql.Postgres(t), broker.Real(t), says), outbox.ModeMessage, 12, 50_000, one)
	})
	t.Run("postgres that retains", func(t *testing.T) {
		w := newWorld(t, sql.Postgres(t), broker.Real(t), retains)
		chaos(t, w, outbox.ModeRetain, 12, 50_000, one)
		if kept, events := w.data.Int(t, `select count(*) from leat_outbox_kept`), truth(t, w.db); int(kept) != events {
			t.Errorf("%d events are kept of %d", kept, events)
		}
	})
	t.Run("sqlite", func(t *testing.T) {
		chaos(t, newWorld(t, sql.SQLite(t), broker.Real(t)), outbox.ModeExact, 4, 10_000, one)
	})
	t.Run("shards", func(t *testing.T) {
		// Mostly three; now and then a relay asks for another number, and all have to follow.
		some := func(r *rand.Rand) int { return []int{3, 3, 3, 3, 3, 3, 1, 2, 5}[r.IntN(9)] }
		chaos(t, newWorld(t, sql.Postgres(t), broker.Real(t)), outbox.ModeExact, 12, 30_000, some)
	})
}

// chaos asks shards for the number of shards that a relay asks for.
func chaos(t *testing.T, w *world, mode outbox.Mode, n, events int, shards func(*rand.Rand) int) {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("LEAT_TEST_EVENTS")); err == nil {
		events = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("LEAT_TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("LEAT_TEST_SEED=%d LEAT_TEST_EVENTS=%d", seed, events)
	ws := &writers{box: w.box, aggregates: 400, tolerant: true}
	if err := ws.prepare(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	as := role{Kind: "relay", Database: w.data.URL, Brokers: w.b.Addrs, Name: w.name, Topic: w.topic.Name, Mode: mode}
	inCommitOrder, warm := func() {}, 0
	if mode == outbox.ModeWAL {
		inCommitOrder, warm = w.streamed(as), 2
	}
	wrote := make(chan error, 1)
	go func() { wrote <- ws.run(t.Context(), n, int64(events), seed) }()

	r := rand.New(rand.NewPCG(seed, 99))
	relay := func() *process {
		as.Shards = shards(r)
		return start(t, as)
	}
	relays := []*process{relay(), relay()}
	kills, stops := 0, 0
	for writing := true; writing; {
		select {
		case err := <-wrote:
			if err != nil {
				t.Fatal(err)
			}
			writing = false
		case <-time.After(time.Duration(700+r.IntN(1300)) * time.Millisecond):
			i := r.IntN(len(relays))
			if kills == 0 || r.IntN(4) > 0 {
				relays[i].kill()
				relays[i] = relay()
				kills++
				continue
			}
			relays[i].signal(syscall.SIGSTOP) // two thirds sleep longer than the transaction's timeout
			stopped := relays[i]
			time.AfterFunc(time.Duration(1500+r.IntN(4500))*time.Millisecond, func() { stopped.signal(syscall.SIGCONT) })
			stops++
		}
	}
	for i := range relays {
		relays[i].kill()
	}
	relay()
	w.empty()
	t.Logf("%d events, %d transactions rolled back, %d kills, %d stops", ws.written.Load(), ws.aborted.Load(), kills, stops)
	if kills == 0 {
		t.Error("no kill: nothing is tested")
	}
	inOrder(t, w.read(w.topic.Name), truth(t, w.db)+warm)
	inCommitOrder()
}
