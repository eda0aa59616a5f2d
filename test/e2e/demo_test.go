package e2e_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/leattest/sql"
)

// demoLimit is how long a demo may take after the last kill.
const demoLimit = 10 * time.Minute

// The same command, killed at any moment and given again, goes on with the orders of its directory
// until there are as many as it was asked for, and the audit holds. How many these are is said after the
// last kill: before, it has no end that could come first.
func TestDemoGoesOnAfterKills(t *testing.T) {
	layer3(t)
	t.Run("embedded", func(t *testing.T) { killDemo(t, 10) })
	t.Run("servers", func(t *testing.T) {
		argv := append([]string{"--kafka", leattest.Need(t, "kafka"), "--db", sql.Postgres(t).URL}, soon...)
		killDemo(t, 4, argv...)
	})
}

// killDemo kills a demo so many times: in turn at a moment after its start, which may be before it
// does anything, and at a moment after it has placed orders.
func killDemo(t *testing.T, kills int, more ...string) {
	dir := t.TempDir()
	s := seed(t)
	random := rand.New(rand.NewPCG(s, 0))
	out := filepath.Join(dir, "report")
	run := func(orders int) *server.Program {
		return start(t, server.ProgramConfig{
			Argv: append([]string{
				binary, "demo", "--data", filepath.Join(dir, "data"), "--orders", strconv.Itoa(orders), "--exit", "-o", "json",
				"--trouble", strconv.Itoa(shopTrouble), "--rate", "200", "--seed", strconv.FormatUint(s, 10),
			}, more...),
			Log: filepath.Join(dir, "log"), Out: out,
		})
	}
	p := run(endless)
	inHand := 0
	for n := range kills {
		before, _ := placed(t, dir)
		if n%2 == 1 {
			leattest.Within(t, 3*time.Minute, "it has placed more orders", func() error {
				if now, _ := placed(t, dir); now <= before {
					return errors.New("it has not")
				}
				return nil
			})
		}
		select {
		case <-p.Done():
			t.Fatalf("it ended with status %d before kill %d:\n%s", p.ExitCode(), n+1, p.LogTail(20))
		case <-time.After(time.Duration(random.Int64N(int64(time.Second)))):
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		begun, done := placed(t, dir)
		if begun > before {
			inHand++
		}
		t.Logf("kill %d: %d orders begun, %d of them not known to be placed", n+1, begun, begun-done)
		if err := p.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	if inHand < kills/2 {
		t.Errorf("%d of %d kills came after new orders, want half of them", inHand, kills)
	}
	p, orders := goOn(t, p, dir, run)
	select {
	case <-p.Done():
	case <-time.After(demoLimit):
		t.Fatalf("it has not ended after %v:\n%s", demoLimit, p.LogTail(20))
	}
	verdict(t, p, out, orders)
}

// goOn kills a demo without end and gives it again with one: some more orders than it has begun.
func goOn(t *testing.T, p *server.Program, dir string, run func(orders int) *server.Program) (again *server.Program, orders int) {
	t.Helper()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	begun, _ := placed(t, dir)
	orders = max(shopOrders, begun+100)
	return run(orders), orders
}

// placed reads the demo's journal: how many orders it began to place, and of how many it knows that
// they are placed.
func placed(t *testing.T, dir string) (begun, done int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "demo.journal"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte(`{"do":`)), bytes.Count(text, []byte(`{"did":`))
}
