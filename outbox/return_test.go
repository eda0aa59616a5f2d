package outbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/outbox"
)

// backWithin is how soon events leave again once broker and database answer.
const backWithin = 10 * time.Second

// TestTheRelayIsBackSoonAfterItsServers kills broker, database or both with work in hand, leaves them
// away for a while, and takes the time from their answer to the first event that leaves. Where that is too
// late it is done again: the machine may have been busy with something else, or stood still.
func TestTheRelayIsBackSoonAfterItsServers(t *testing.T) {
	if testing.Short() {
		t.Skip("kills servers of its own")
	}
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	pg, data := ownPostgres(t, nil)
	w := newWorld(t, data, broker.At(k.Brokers()...))
	w.relay(func(c *outbox.RelayConfig) { c.LeaseTTL, c.BatchRows = 0, 100 })
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("LEAT_TEST_KILLS")); err == nil {
		rounds = n
	}
	n, took := 0, map[string][]time.Duration{}
	back := func(victims string, away time.Duration) time.Duration {
		for range 1000 { // so that there is work in hand
			n++
			w.publish(moved{Key: "k", N: n})
		}
		if strings.Contains(victims, "kafka") {
			err = k.Kill(1)
		}
		if strings.Contains(victims, "postgres") && err == nil {
			err = pg.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(away)
		if strings.Contains(victims, "postgres") {
			err = pg.Restart(t.Context())
		}
		if strings.Contains(victims, "kafka") && err == nil {
			err = k.Restart(t.Context(), 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		n++
		w.publish(moved{Key: "k", N: n})
		w.empty()
		return time.Since(began)
	}
	for round := range rounds {
		for i, victims := range []string{"kafka", "postgres", "kafka postgres"} {
			away := time.Duration((round*3+i)%6) * 2 * time.Second // from a blip to an outage
			for try := 1; ; try++ {
				d := back(victims, away)
				if d <= backWithin {
					took[victims] = append(took[victims], d)
					break
				}
				t.Logf("%s: %v until events leave again, at try %d", victims, d, try)
				if try == 5 {
					t.Fatalf("%s: events leave again after more than %v, each time", victims, backWithin)
				}
			}
		}
	}
	for victims, all := range took {
		slices.Sort(all)
		t.Logf("%-14s %d kills: median %v, longest %v", victims, len(all), all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	}
	t.Logf("Kafka left markers out %d times", leftOut(t, k))
	inOrder(t, w.read(w.topic.Name), n)
}

// leftOut counts how often the coordinator took a partition without a leader for deleted, and left the
// marker of a transaction out: one that hangs from then on.
func leftOut(t *testing.T, k *server.Kafka) int {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(k.Dir(), "node-1", "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(log, []byte("likely deleted already and hence can be skipped"))
}
