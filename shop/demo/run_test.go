package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
		c := killed(dir)
		c.Orders, c.Rate = 1_000_000, 100 // it is not to be done before it is killed
		c.Err, c.Logger = os.Stderr, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if _, err := demo.Run(context.Background(), c); err != nil {
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
	for range 3 {
		c := start(t, dir)
		leattest.Within(t, 5*time.Minute, "the child has done some more", func() error {
			c.lives(t)
			n := lines(dir)
			if n < before+30 {
				return fmt.Errorf("the journal had %d lines and has %d", before, n)
			}
			return nil
		})
		c.kill(t)
		before = lines(dir)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	last := killed(dir)
	last.Orders = max(last.Orders, before) // a line at least for each that was begun
	r, err := demo.Run(ctx, last)
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Placed != last.Orders {
		t.Errorf("%+v", r)
	}
}

// child is a demo in a process of its own.
type child struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer // whole when ended is closed
	ended  chan struct{}
}

// start begins a child. Where the test fails, it is asked where it stands, and that is told.
func start(t *testing.T, dir string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childDir+"="+dir, "GOTRACEBACK=all")
	c.cmd.Stderr = &c.stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the child
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			if c.cmd.Process.Signal(syscall.SIGQUIT) != nil {
				_ = c.cmd.Process.Kill()
			}
			<-c.ended
			t.Logf("the child: %v\n%s", c.cmd.ProcessState, c.stderr.String())
		}
	})
	return c
}

// lives fails the test where the child has ended by itself.
func (c *child) lives(t *testing.T) {
	t.Helper()
	select {
	case <-c.ended:
		t.Fatalf("the child has ended by itself: %v", c.cmd.ProcessState)
	default:
	}
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	c.lives(t)
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.ended
}

func lines(dir string) int {
	data, _ := os.ReadFile(filepath.Join(dir, "demo.journal"))
	return bytes.Count(data, []byte("\n"))
}

// The keys of the JSON report are a contract.
func TestJSONReportHasItsKeys(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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
	want := strings.Fields(`bad_records cancelled completed contract_evolved dead_letters duplicates_sent effects_doubled first_completed_ms lag lost
		money_balanced ok orders_per_s p50_ms p99_ms parked placed seed stock_balanced unknown_types`)
	if d := cmp.Diff(want, slices.Sorted(maps.Keys(got))); d != "" {
		t.Error(d)
	}
	if got["placed"] != 40.0 || got["ok"] != true || got["contract_evolved"] != true || got["seed"] != 5.0 {
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
