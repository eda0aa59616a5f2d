package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// TestMain lets the test binary be a service: the tests start it as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("SERVICE_TEST_PROCESS") != "" {
		service.Main(processService())
	}
	os.Exit(m.Run())
}

// processService publishes one event at its start, and its part ends when the file STUBBORN says
// nothing else.
func processService() service.Config {
	return service.Config{
		Name: "asker", Owns: []leat.Topic{requests},
		Routes: routes(service.Routes{"GET /x": nothing}),
		Parts: []service.Part{{Name: "starter", Run: func(ctx context.Context, s *service.Service) error {
			err := s.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, asked{"1"}) })
			if err != nil {
				return err
			}
			s.Logger().InfoContext(ctx, "published")
			if os.Getenv("STUBBORN") != "" {
				select {}
			}
			return nil
		}}},
	}
}

// child is the service as a process.
type child struct {
	cmd   *exec.Cmd
	ended chan error
	mu    sync.Mutex
	out   bytes.Buffer // stdout
	log   bytes.Buffer // stderr
}

type lockedWriter struct {
	c *child
	b *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	return w.b.Write(p)
}

func (c *child) logs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.String()
}

func spawn(t *testing.T, environ []string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], args...), ended: make(chan error, 1)}
	c.cmd.Env = append(append(os.Environ(), "SERVICE_TEST_PROCESS=1"), environ...)
	c.cmd.Stdout, c.cmd.Stderr = lockedWriter{c, &c.out}, lockedWriter{c, &c.log}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }() // ends with the process
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("the process said:\n%s", c.logs())
		}
	})
	return c
}

// said waits for a line of the log.
func (c *child) said(t *testing.T, what string) {
	t.Helper()
	leattest.Eventually(t, "the process says "+what, func() error {
		if !strings.Contains(c.logs(), `"msg":"`+what+`"`) {
			return errors.New(c.logs())
		}
		return nil
	})
}

// code waits for the end and returns the exit code, or minus the signal that killed it.
func (c *child) code(t *testing.T) int {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(5 * time.Minute):
		t.Fatal("the process does not end")
	}
	if status := c.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return -int(status.Signal())
	}
	return c.cmd.ProcessState.ExitCode()
}

func serve(t *testing.T, b *broker.Broker, dir string) []string {
	t.Helper()
	return []string{"--kafka-brokers", strings.Join(b.Addrs, ","), "--database-url", "sqlite:" + dir, "--listen", "127.0.0.1:0"}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	t.Run("the first one drains", func(t *testing.T) {
		t.Parallel()
		c := spawn(t, nil, append(serve(t, b, t.TempDir()), "--prefix", "one.", "--drain-timeout", "1m")...)
		c.said(t, "published")
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		if code := c.code(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		c.said(t, "drained")
		for line := range strings.Lines(c.logs()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %s", line)
			}
		}
	})
	t.Run("the second one cuts", func(t *testing.T) {
		t.Parallel()
		c := spawn(t, []string{"STUBBORN=1"}, append(serve(t, b, t.TempDir()), "--prefix", "two.", "--drain-timeout", "1h")...)
		c.said(t, "published")
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		c.said(t, "draining")
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		if code := c.code(t); code != 128+int(syscall.SIGTERM) {
			t.Errorf("exit code %d", code)
		}
	})
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		args        []string
		code        int
		stdout, log string
	}{
		{"print-config", []string{"--print-config", "--listen", "none"}, 0, "listen", ""},
		{"manifest", []string{"--manifest", "--prefix", "p."}, 0, `"topic": "p.test.requests"`, ""},
		{"help", []string{"--help"}, 0, "", "-kafka-brokers"},
		{"unknown flag", []string{"--lisen", "x"}, 2, "", "not defined: -lisen"},
		{"argument", []string{"now"}, 2, "", `"now" is not understood; see --help`},
		{"wrong value", []string{"--listen", "x"}, 2, "", "listen (flag --listen)"},
		{"no Kafka", []string{"--kafka-brokers", "127.0.0.1:1", "--start-timeout", "3s", "--listen", "none"}, 1, "", "127.0.0.1:1"},
		{"address taken", []string{"--listen", "256.0.0.1:1"}, 1, "", "listen for HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := spawn(t, nil, append(c.args, "--database-url", "sqlite:"+t.TempDir())...)
			if c.name == "argument" {
				p = spawn(t, nil, c.args...)
			}
			if code := p.code(t); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(p.out.String(), c.stdout) || !strings.Contains(p.logs(), c.log) {
				t.Errorf("stdout %q, want %q; stderr %q, want %q", p.out.String(), c.stdout, p.logs(), c.log)
			}
		})
	}
}

// What asks a service for its manifest, a check in CI, sees no more than what the service says.
func TestAFaultyDeclarationIsToldInPlaceOfItsManifest(t *testing.T) {
	t.Parallel()
	c := processService()
	c.Handlers = []leat.Handler{consumer.On(requests, func(context.Context, *leat.Event[knob]) error { return nil })}
	fault := c.Validate()
	if fault == nil {
		t.Fatal("the declaration is not faulty")
	}
	var out, log strings.Builder
	err := service.Command(t.Context(), []string{"--manifest"}, &out, &log, c)
	if err == nil || out.Len() > 0 || log.String() != "asker: "+fault.Error()+"\n" {
		t.Errorf("got %v, stdout %q, stderr %q, want %v on stderr", err, &out, &log, fault)
	}
}

// The listener serves real connections: what was measured on Handler holds behind it.
func TestListenerServesAndCloses(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	addrs, err := server.FreeAddrs(1) // nobody else is there when it is closed
	if err != nil {
		t.Fatal(err)
	}
	cfg := service.HostConfig{Services: []service.Config{processService()}, Listen: addrs[0], DatabaseURL: "sqlite:" + t.TempDir(), Logger: quiet()}
	cfg.Kafka.Brokers = b.Addrs
	h, err := service.NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	leattest.Eventually(t, "the host is ready", h.Ready)
	url := "http://" + h.Addr()
	for path, want := range map[string]int{"/x": 200, "/readyz": 200, "/livez": 200, "/metrics": 200, "/y": 404} {
		leattest.Eventually(t, fmt.Sprintf("%s answers %d", path, want), func() error { // what is ready may stumble
			resp, err := http.Get(url + path)
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				return errors.New(resp.Status)
			}
			return nil
		})
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if resp, err := http.Get(url + "/x"); err == nil {
		_ = resp.Body.Close()
		t.Errorf("the listener still answers: %s", resp.Status)
	}
	if got := fmt.Sprint(h.Ready()); !strings.Contains(got, "the host is ended") {
		t.Errorf("ready: %s", got)
	}
}
