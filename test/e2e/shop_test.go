package e2e_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
)

var seedFlag = flag.Uint64("e2e.seed", 0, "seed of orders, trouble and kills; 0: a random one")

// seed is that of the flag or a random one, told so that a failure can be run again.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := *seedFlag
	if s == 0 {
		s = rand.Uint64N(1_000_000) + 1
	}
	t.Logf("to run it again: -run '%s' -e2e.seed %d", t.Name(), s)
	return s
}

const (
	// endless is more orders than are ever placed.
	endless = 1_000_000
	// shopOrders are enough for every kind of trouble.
	shopOrders = 1000
	// shopRate keeps orders coming for as long as the kills last.
	shopRate = 20
	// shopTrouble is the percentage of orders that meet trouble.
	shopTrouble = 20
	// shopLimit is how long the orders may take after the last kill.
	shopLimit = 10 * time.Minute
)

// layer3 keeps tests of whole systems out of the quick run.
func layer3(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs whole systems under kills: layer 3, not under -short")
	}
}

// Five services, two processes of each, on Kafka and PostgreSQL. Each service is killed with -9 twice
// with work in hand, the second time the process whose relay leads, and the broker and the database
// once: no order is lost or doubled. It is alone on the machine as far as this package goes.
func TestShopSurvivesKills(t *testing.T) {
	layer3(t)
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{})
	if err != nil {
		leattest.Missing(t, "kafka", err.Error())
	}
	k.CloseAfter(t)
	pg, err := server.StartPostgres(t.Context(), server.PostgresConfig{Settings: map[string]string{"max_connections": "300"}})
	if err != nil {
		leattest.Missing(t, "postgres", err.Error())
	}
	pg.CloseAfter(t)
	brokers := strings.Join(k.Brokers(), ",")
	fleet := startFleet(t, brokers, sql.PostgresAt(t, pg.URL("")).URL)

	dir := t.TempDir()
	out := filepath.Join(dir, "report")
	argv := []string{
		binary, "demo", "--data", filepath.Join(dir, "data"), "--kafka", brokers, "--exit", "-o", "json", "--seed", strconv.FormatUint(seed(t), 10),
		"--rate", strconv.Itoa(shopRate), "--trouble", strconv.Itoa(shopTrouble),
	}
	for _, service := range services {
		for _, m := range fleet[service] {
			argv = append(argv, "--attach", "http://"+m.addr)
		}
	}
	begun := time.Now()
	run := func(orders int) *server.Program {
		return start(t, server.ProgramConfig{
			Argv: append(slices.Clip(argv), "--orders", strconv.Itoa(orders)), Log: filepath.Join(dir, "demo.log"), Out: out,
		})
	}
	load := run(endless)

	kills := 0
	for _, service := range services { // back at once: its twin may not even have noticed
		twin := fleet[service][0]
		twin.killBusy(t, "back at once")
		twin.restart(t)
		kills++
	}
	busy(t, fleet, "the broker dies")
	if err := errors.Join(k.Kill(1), k.Restart(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	for _, service := range services { // back when the other one does the work
		leader := leading(t, fleet[service]...)
		leader.killBusy(t, "back when the other one has taken over")
		others := slices.DeleteFunc(slices.Clone(fleet[service]), func(m *member) bool { return m == leader })
		leading(t, others...)
		leader.restart(t)
		kills++
	}
	busy(t, fleet, "the database dies")
	if err := errors.Join(pg.Kill(), pg.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	select {
	case <-load.Done():
		t.Fatalf("the orders ended with status %d before the last kill:\n%s", load.ExitCode(), load.LogTail(20))
	default:
	}
	load, orders := goOn(t, load, dir, run)
	t.Logf("%d processes killed with work in hand, broker and database once, in %v", kills, time.Since(begun).Round(time.Second))

	select {
	case <-load.Done():
	case <-time.After(shopLimit):
		t.Fatalf("the orders have not ended after %v:\n%s", shopLimit, load.LogTail(20))
	}
	t.Logf("ended after %v", time.Since(begun).Round(time.Second))
	verdict(t, load, out, orders)
}

// leading waits until the relay of one of the processes leads, and returns that process.
func leading(t *testing.T, of ...*member) (leader *member) {
	t.Helper()
	leattest.Within(t, 3*time.Minute, "a relay of "+of[0].service+" leads", func() error {
		for _, m := range of {
			if w, _, err := m.look(); err == nil && w.Leading {
				leader = m
				return nil
			}
		}
		return errors.New("all stand by")
	})
	return leader
}

// busy waits until some process has work in hand.
func busy(t *testing.T, fleet map[string][]*member, what string) {
	t.Helper()
	leattest.Within(t, 3*time.Minute, "there is work in hand", func() error {
		for _, service := range services {
			for _, m := range fleet[service] {
				if w, inHand, err := m.look(); err == nil && inHand {
					t.Logf("%s while %s has %g records in hand", what, m.name, w.Queued)
					return nil
				}
			}
		}
		return errors.New("all are idle")
	})
}
