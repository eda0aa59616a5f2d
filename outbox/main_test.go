package outbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// roleEnv makes this test binary another program: a process that can be killed.
const roleEnv = "LEAT_OUTBOX_TEST_ROLE"

// role is what such a process does and on what.
type role struct {
	Kind     string // "relay", "embedded" or "parked"
	Database string
	Brokers  []string
	Name     string // of the service
	Topic    string
	Shards   int
	Dir      string // of the embedded broker
	Seed     int64
	Events   int
	Mode     outbox.Mode
	CrashAt  string // point at which it kills itself at its CrashOn-th pass; "": none
	CrashOn  int32
	Instance string // of its group
}

// crash is the hook that kills the process where the role says.
func (as role) crash() func(point string) {
	var passes atomic.Int32
	return func(point string) {
		if point == as.CrashAt && passes.Add(1) == as.CrashOn {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

func TestMain(m *testing.M) {
	text := os.Getenv(roleEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var as role
	if err := json.Unmarshal([]byte(text), &as); err != nil {
		panic(err)
	}
	run := map[string]func(context.Context, role) error{"relay": relayRole, "embedded": embeddedRole, "parked": parkedRole}[as.Kind]
	if err := run(context.Background(), as); err != nil {
		fmt.Fprintln(os.Stderr, as.Kind, err)
		os.Exit(1)
	}
}

// process is a role at work.
type process struct {
	cmd   *exec.Cmd
	lines chan string // what it prints, closed at its end
}

// start starts a process that dies with the test.
func start(t testing.TB, as role) *process {
	t.Helper()
	text, err := json.Marshal(as)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			select {
			case p.lines <- in.Text():
			default: // nobody listens any more
			}
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9, also of one that is stopped.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// boxMode is the mode of a box: the others are the relay's alone.
func boxMode(m outbox.Mode) outbox.Mode {
	if m != outbox.ModeMessage && m != outbox.ModeRetain {
		return ""
	}
	return m
}

// inMode makes a box for a relay of that mode.
func inMode(m outbox.Mode) func(*outbox.Config) {
	return func(c *outbox.Config) { c.Mode = boxMode(m) }
}

// relayRole relays until it is killed.
func relayRole(ctx context.Context, as role) error {
	db, err := sqldb.Open(ctx, sqldb.Config{URL: as.Database, Logger: quiet()})
	if err != nil {
		return err
	}
	defer db.Close()
	box, err := outbox.New(outbox.Config{DB: db, Source: as.Name, Owns: []leat.Topic{{Name: as.Topic, Carries: []any{moved{}}}}, Logger: quiet(), Mode: boxMode(as.Mode)})
	if err != nil {
		return err
	}
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Box: box, Kafka: kafka.Config{Brokers: as.Brokers, Logger: slog.New(slog.DiscardHandler)}, Logger: quiet(),
		Mode: as.Mode, Shards: as.Shards, LeaseTTL: time.Second, TransactionTimeout: 3 * time.Second, SweepEvery: time.Second,
		Hook: func(point string) {
			if point == "relay.committed" {
				fmt.Println(point)
			}
		},
	})
	if err != nil {
		return err
	}
	return relay.Run(ctx)
}
