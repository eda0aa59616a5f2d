package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/shop/demo"
	"github.com/leatdev/leat/test/fleet"
)

// services are those of the shop, by their names on the command line.
var services = []string{"order", "payment", "inventory", "shipping", "notification"}

// soon are sessions so short that a dead member's partitions move while the test looks on.
var soon = []string{"-X", "session.timeout.ms=4000", "-X", "heartbeat.interval.ms=500"}

// member is one process of a service.
type member struct {
	name    string // payment-1
	service string
	addr    string
	program *server.Program
	seen    fleet.Work
}

// startFleet starts two processes of each service and returns them by service once all are ready.
func startFleet(t *testing.T, brokers, database string) map[string][]*member {
	t.Helper()
	addrs, err := server.FreeAddrs(2 * len(services))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	registry := startRegistry(t)
	fleet := map[string][]*member{}
	for _, service := range services {
		for n := range 2 {
			m := &member{name: fmt.Sprintf("%s-%d", service, n), service: service, addr: addrs[0]}
			addrs = addrs[1:]
			m.program = start(t, server.ProgramConfig{
				Argv: append([]string{binary, "run", service, "--listen", m.addr}, soon...),
				Env: []string{
					"LEAT_KAFKA_BROKERS=" + brokers, "LEAT_DATABASE_URL=" + database,
					"LEAT_REGISTRY_URL=" + registry, "LEAT_REGISTRY_SCHEMAS=register", "LEAT_START_TIMEOUT=3m",
				},
				Log: filepath.Join(dir, m.name+".log"),
			})
			fleet[service] = append(fleet[service], m)
		}
	}
	for _, twins := range fleet {
		for _, m := range twins {
			m.waitReady(t)
		}
	}
	return fleet
}

// startRegistry starts a schema registry as a process of its own and returns its URL.
func startRegistry(t *testing.T) string {
	t.Helper()
	addrs, err := server.FreeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	start(t, server.ProgramConfig{
		Argv: []string{binary, "registry", "serve", "--listen", addrs[0], "--store", "sqlite:" + filepath.Join(dir, "schemas.db")},
		Log:  filepath.Join(dir, "registry.log"),
	})
	leattest.Eventually(t, "the registry answers", func() error {
		_, err := fleet.Get(t.Context(), addrs[0], "/subjects")
		return err
	})
	return "http://" + addrs[0]
}

// start starts a program, and shows what it said last if the test fails.
func start(t *testing.T, cfg server.ProgramConfig) *server.Program {
	t.Helper()
	p, err := server.StartProgram(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said last:\n%s", filepath.Base(cfg.Log), p.LogTail(15))
		}
	})
	return p
}

func (m *member) waitReady(t *testing.T) {
	t.Helper()
	leattest.Within(t, 3*time.Minute, m.name+" is ready", func() error {
		select {
		case <-m.program.Done():
			t.Fatalf("%s has ended with status %d:\n%s", m.name, m.program.ExitCode(), m.program.LogTail(15))
		default:
		}
		_, err := fleet.Get(t.Context(), m.addr, "/readyz")
		return err
	})
}

// look asks the process for its work. inHand is whether it has records in its hands, or finished
// some within the last second.
func (m *member) look() (w fleet.Work, inHand bool, err error) {
	w, inHand, err = fleet.Look(context.Background(), m.addr, m.seen)
	if err == nil {
		m.seen = w
	}
	return w, inHand, err
}

// killBusy kills the process with -9 at a moment when it has work in hand.
func (m *member) killBusy(t *testing.T, when string) {
	t.Helper()
	leattest.Within(t, 3*time.Minute, m.name+" has work in hand", func() error {
		before := m.seen
		w, inHand, err := m.look()
		if err != nil {
			return err
		}
		if !inHand {
			return errors.New("it is idle")
		}
		if err := m.program.Kill(); err != nil {
			t.Fatal(err)
		}
		lately := "first look"
		if !before.At.IsZero() {
			lately = fmt.Sprintf("%g done in the last %v", w.Handled-before.Handled, w.At.Sub(before.At).Round(time.Millisecond))
		}
		t.Logf("%s: killed %s with %g records in hand, %s, leading %v", when, m.name, w.Queued, lately, w.Leading)
		return nil
	})
	m.seen = fleet.Work{}
}

// restart starts a killed process again and waits until it is ready.
func (m *member) restart(t *testing.T) {
	t.Helper()
	if err := m.program.Restart(); err != nil {
		t.Fatal(err)
	}
	m.waitReady(t)
}

// verdict reads what `leat demo -o json` printed and wants that all of it holds for so many orders.
func verdict(t *testing.T, p *server.Program, out string, orders int) demo.Report {
	t.Helper()
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var r demo.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("the demo left with status %d and no report (%v): %q\n%s", p.ExitCode(), err, text, p.LogTail(40))
	}
	t.Logf("report: %s", strings.TrimSpace(string(text)))
	if code := p.ExitCode(); code != 0 || !r.OK || r.Lost != 0 || r.EffectsDoubled != 0 || r.Lag != 0 {
		t.Errorf("the audit does not hold, status %d:\n%s", code, p.LogTail(60))
	}
	if r.Placed != orders || r.Completed+r.Cancelled != orders {
		t.Errorf("placed %d, completed %d, cancelled %d, want %d in all", r.Placed, r.Completed, r.Cancelled, orders)
	}
	if r.BadRecords == 0 || r.UnknownTypes == 0 || r.DuplicatesSent == 0 || r.Cancelled == 0 {
		t.Errorf("there was no trouble of some kind: %+v", r)
	}
	return r
}
