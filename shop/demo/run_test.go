package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/shop/demo"
)

// childDir, where set, makes this test binary the demo of that directory, to be killed.
const childDir = "LEAT_TEST_DEMO_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if _, err := demo.Run(context.Background(), killed(dir)); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func killed(dir string) demo.Config {
	return demo.Config{Orders: 150, Seed: 3, Trouble: 40, Exit: true, Dir: dir}
}

// The demo is killed with -9 three times, each time with work in hand, and goes on every time.
func TestKilledDemoGoesOnAndTheAuditHolds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	dir := t.TempDir()
	before := 0
	for kill := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		leattest.Eventually(t, "the child has done some more", func() error {
			n := lines(dir)
			if n < before+30 {
				return errNotYet
			}
			return nil
		})
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("kill %d: the child had ended by itself: %s", kill, stderr.String())
		}
		before = lines(dir)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := demo.Run(ctx, killed(dir))
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Placed != 150 {
		t.Errorf("%+v", r)
	}
}

type notYet struct{}

func (notYet) Error() string { return "not yet" }

var errNotYet = notYet{}

func lines(dir string) int {
	data, _ := os.ReadFile(filepath.Join(dir, "demo.journal"))
	return bytes.Count(data, []byte("\n"))
}

// The keys of the JSON report are a contract.
func TestJSONReportHasItsKeys(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, talk bytes.Buffer
	r, err := demo.Run(ctx, demo.Config{Orders: 40, Seed: 5, Trouble: 50, Exit: true, JSON: true, Dir: t.TempDir(), Out: &out, Err: &talk})
	if err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	if !r.OK {
		t.Errorf("findings %q", r.Findings)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	want := strings.Fields(`bad_records cancelled completed dead_letters duplicates_sent effects_doubled first_completed_ms lag lost
		money_balanced ok orders_per_s p50_ms p99_ms placed seed stock_balanced unknown_types`)
	if d := cmp.Diff(want, slices.Sorted(maps.Keys(got))); d != "" {
		t.Error(d)
	}
	if got["placed"] != 40.0 || got["ok"] != true || got["seed"] != 5.0 {
		t.Errorf("got %s", out.String())
	}
}

func TestConfigIsRefusedWhole(t *testing.T) {
	t.Parallel()
	_, err := demo.Run(t.Context(), demo.Config{Orders: -1, Rate: -1, Trouble: 101, Attach: []string{"localhost"}, DatabaseURL: "sqlite:x"})
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{"Orders", "Rate", "percentage", "base URL", "leave the database"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in %v", want, err)
		}
	}
}

func TestDirectoryKeepsItsSeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := demo.Run(t.Context(), demo.Config{Orders: 1, Seed: 3, Exit: true, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := demo.Run(t.Context(), demo.Config{Orders: 1, Seed: 4, Exit: true, Dir: dir}); err == nil || !strings.Contains(err.Error(), "seed 3") {
		t.Errorf("another seed: %v", err)
	}
	if r, err := demo.Run(t.Context(), demo.Config{Orders: 2, Exit: true, Dir: dir}); err != nil || r.Seed != 3 || r.Placed != 2 || !r.OK {
		t.Errorf("no seed: %+v %v", r, err)
	}
}
