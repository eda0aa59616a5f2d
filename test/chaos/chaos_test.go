package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/test/chaos/audit"
)

func TestMain(m *testing.M) {
	if actAsTold() { // the writers are this program
		return
	}
	os.Exit(m.Run())
}

var (
	seedFlag    = flag.Uint64("chaos.seed", 1, "seed of the run")
	profileFlag = flag.String("chaos.profile", "quick", "profile of the run")
	forFlag     = flag.Duration("chaos.for", 30*time.Second, "how long faults come")
)

// The shop loses, doubles and disorders nothing while its processes, brokers and database are killed,
// cut off and lied to.
func TestShopSurvivesChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a whole system under faults: layer 4, not under -short")
	}
	leattest.Need(t, "kafka") // servers of its own, but only where the run has servers at all
	leattest.Need(t, "postgres")
	for length := *forFlag; ; length *= 3 { // a machine may be too slow for the faults of a short run to meet work
		report, err := Run(t.Context(), Config{
			Seed: *seedFlag, Profile: *profileFlag, For: length, Drain: 10 * time.Minute, Rate: 15, Out: t.Output(),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Audit.Findings {
			t.Error(f)
		}
		if report.InHand > 0 && report.Audit.Effects > 0 && report.Audit.Writes > 0 && report.Audit.Reads > 0 && report.Orders > 0 {
			return
		}
		nothing := fmt.Sprintf("it proves nothing: %d kills with work in hand, %d orders; %s", report.InHand, report.Orders, summary(report.Audit))
		if t.Failed() || length > 3**forFlag {
			t.Fatal(nothing)
		}
		t.Log(nothing)
	}
}

var scene = Scene{
	Services: []string{"order", "payment"}, Processes: []string{"order-1", "order-2", "payment-1"}, Writers: []string{"writer-1"},
	Partitions: []string{"shop.orders/0", "shop.orders/1"}, Brokers: 3,
}

func TestScheduleIsOfItsSeedAlone(t *testing.T) {
	t.Parallel()
	for name, p := range profiles {
		one, again := schedule(7, p, scene, time.Hour), schedule(7, p, scene, time.Hour)
		if diff := cmp.Diff(one, again); diff != "" {
			t.Errorf("%s: one seed makes two schedules: %s", name, diff)
		}
		if cmp.Equal(one, schedule(8, p, scene, time.Hour)) {
			t.Errorf("%s: two seeds make one schedule", name)
		}
	}
}

// Every fault of a profile comes, at a time within the run, to a target that there is, and lasts as
// long as it has to for what it is to show.
func TestScheduleHasEveryFaultOfItsProfile(t *testing.T) {
	t.Parallel()
	for name, p := range profiles {
		seen := map[Kind]int{}
		for _, s := range schedule(1, p, scene, 2*time.Hour) {
			seen[s.Kind]++
			if s.At <= 0 || s.At >= 2*time.Hour || s.For < 0 || s.For > 15*time.Second || p.Short && s.For > 3*time.Second {
				t.Errorf("%s: %v lasts or comes wrongly", name, s)
			}
			switch s.Kind {
			case Freeze:
				if !p.Short && s.For <= 6*time.Second {
					t.Errorf("%s: %v is no longer than a session", name, s)
				}
			case FreezeWrite:
				if !p.Short && s.For <= 6*time.Second {
					t.Errorf("%s: %v is no longer than a transaction may be open", name, s)
				}
			case Lose, Slow:
				if len(s.APIs) == 0 || s.Times == 0 {
					t.Errorf("%s: %v meets nothing", name, s)
				}
			}
			known := slices.Concat(scene.Services, scene.Processes, scene.Writers, scene.Partitions, []string{"database", ""})
			if !slices.Contains(known, s.Target) {
				t.Errorf("%s: %v meets nobody", name, s)
			}
		}
		for kind, weight := range p.Weight {
			if (seen[kind] > 0) != (weight > 0) {
				t.Errorf("%s: %s came %d times in two hours", name, kind, seen[kind])
			}
		}
	}
}

func TestRunRefusesWhatIsNoRun(t *testing.T) {
	t.Parallel()
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "load.ndjson"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]Config{
		"no profile":    {Profile: "nonsense", For: time.Second, Drain: time.Second, Rate: 1},
		"above 0":       {Profile: "quick"},
		"name an empty": {Profile: "quick", For: time.Second, Drain: time.Second, Rate: 1, Dir: used},
	} {
		cfg.Out = io.Discard
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A directory of histories is judged again, and the exit status says how that ended.
func TestJudgeTellsByItsStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := run([]string{"-audit", dir}); got != 2 {
		t.Errorf("status %d where there is nothing to judge, want 2", got)
	}
	log, err := audit.Create(filepath.Join(dir, "writer.ndjson"), "writer")
	if err != nil {
		t.Fatal(err)
	}
	line := audit.Line{Op: audit.Write, Records: []audit.Record{{Topic: "t", ID: "x"}}}
	n, err := log.Begin(line)
	if err != nil {
		t.Fatal(err)
	}
	if got := run([]string{"-audit", dir}); got != 0 {
		t.Errorf("status %d where nothing is wrong, want 0", got)
	}
	if err := errors.Join(log.End(n, audit.OK, line), log.Close()); err != nil {
		t.Fatal(err)
	}
	if got := run([]string{"-audit", dir}); got != 1 {
		t.Errorf("status %d where a record is lost, want 1", got)
	}
}
