package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
)

// binary is where the leat that the scripts run lies.
var binary string

func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "worker" {
		if err := labour(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "leat-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "leat")
	build := exec.Command("go", "build", "-trimpath", "-tags=grpcnotrace", "-ldflags=-s -w", "-o", binary, "github.com/leatdev/leat/cmd/leat")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build leat:", err)
		return 1
	}
	return m.Run()
}

// maxBinary is in bytes, stripped; see docs/decisions/0062.
const maxBinary = 44 << 20

// Whoever can run a template can call any method, so the linker would have to keep them all.
func TestBinaryIsSmall(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if len(program) > maxBinary {
		t.Errorf("the stripped binary has %d bytes, over %d", len(program), maxBinary)
	}
	for function, want := range map[string]bool{"internal/cli.Main": true, "text/template.(*state).evalField": false} {
		if got := bytes.Contains(program, []byte(function)); got != want {
			t.Errorf("the binary holds %s: %v, want %v", function, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Run("kfake", func(t *testing.T) {
		t.Parallel()
		stack, err := devstack.Open(t.Context(), devstack.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := stack.Close(); err != nil {
				t.Error(err)
			}
		})
		scripts(t, stack.Brokers()[0], false)
	})
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		scripts(t, leattest.Need(t, "kafka"), true)
	})
}

// scripts runs every script against the brokers.
func scripts(t *testing.T, brokers string, real bool) {
	t.Helper()
	registry := startRegistry(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			env.Vars = append(
				env.Vars,
				"SELF="+self,
				"PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"),
				"LEAT_KAFKA_BROKERS="+brokers,
				"LEAT_DATABASE_URL=sqlite:"+filepath.Join(env.WorkDir, "sql"),
				"LEAT_REGISTRY_URL="+registry, "LEAT_REGISTRY_SCHEMAS=register",
				"P="+leattest.Name("e2e")+".",
				"POSTGRES="+os.Getenv("LEAT_TEST_POSTGRES"),
				"NO_COLOR=1",
			)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "kafka":
				return real, nil
			case "postgres":
				return os.Getenv("LEAT_TEST_POSTGRES") != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":     status,
			"eventually": eventually,
			"silent":     silent,
			"freeport":   freePort,
			"slurp":      slurp,
			"serves":     serves,
		},
	})
}

// status runs a program and wants its exit status: status 3 leat doctor.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s left with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// patience is how long eventually and serves wait: it only keeps a script from hanging.
const patience = 3 * time.Minute

// eventually runs a program until it succeeds: eventually leat group lag payment.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually program args...")
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s did not succeed within %s: %v", strings.Join(args, " "), patience, err)
		}
	}
}

// silent sets $SILENT to the address of a port that takes connections and never answers.
func silent(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv("SILENT", ln.Addr().String())
}

// freePort sets the variable to an address that nobody listens on, and that nobody gets without asking
// for it: a script may come back to it later.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport VARIABLE")
	}
	addrs, err := server.FreeAddrs(1)
	ts.Check(err)
	ts.Setenv(args[0], addrs[0])
}

// slurp sets a variable to the first line of a file: slurp ID stdout.
func slurp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: slurp VARIABLE file")
	}
	line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
	ts.Setenv(args[0], line)
}

// serves waits until a URL answers with 200: serves http://127.0.0.1:8080/.
func serves(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serves URL")
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get(args[0])
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			err = errors.New(resp.Status)
		}
		if time.Now().After(end) {
			ts.Fatalf("%s did not answer within %s: %v", args[0], patience, err)
		}
	}
}
