package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/devstack"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
)

// process is the service as a process.
type process struct {
	cmd     *exec.Cmd
	address string
	ended   chan error
	logs    *lockedBuffer
}

// lockedBuffer takes the process's lines while the test reads them.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the service and waits until it is ready.
func start(t *testing.T, brokers []string, dir string, more ...string) *process {
	t.Helper()
	addrs, err := server.FreeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{ended: make(chan error, 1), logs: &lockedBuffer{}, address: addrs[0]}
	p.cmd = exec.Command(os.Args[0], "--kafka-brokers", strings.Join(brokers, ","), "--database-url", "sqlite:"+dir, "--listen", p.address, "--drain-timeout", "2m")
	p.cmd.Args = append(p.cmd.Args, more...)
	p.cmd.Env = append(os.Environ(), "HELLO_IS_MAIN=1")
	p.cmd.Stderr = p.logs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("the service said:\n%s", p.logs)
		}
	})
	leattest.Eventually(t, "the service is ready", func() error {
		status, body := get(p.address, "/readyz")
		if status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	return p
}

func get(address, path string) (int, string) {
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(5 * time.Minute):
		t.Fatal("the service does not end")
		return nil
	}
}

// send puts an order on the topic as any other client would.
func send(t *testing.T, cl *kgo.Client, id string, cents int) {
	t.Helper()
	r := &kgo.Record{
		Topic: "acme.orders", Key: []byte(id),
		Value: fmt.Appendf(nil, `{"order_id":%q,"cents":%d}`, id, cents),
		Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(id)},
			{Key: "ce_source", Value: []byte("test")},
			{Key: "ce_type", Value: []byte("acme.order.created.v1")},
			{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
		},
	}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// payments reads n payments: order id -> its traceparent. Of a service that was killed one may be there
// twice, under one id.
func payments(t *testing.T, cfg kafka.Config, n int) map[string]string {
	t.Helper()
	cl, err := cfg.NewClient(kgo.ConsumeTopics("acme.payments"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, ids := map[string]string{}, map[string]string{}
	for len(ids) < n {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("waited for %d payments, got %v", n, got)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var p struct {
				OrderID string `json:"order_id"`
			}
			if err := json.Unmarshal(r.Value, &p); err != nil {
				t.Errorf("payment %q: %v", r.Value, err)
			}
			w, err := kafka.WireOf(r)
			if err != nil || w.Attribute("type") != "acme.payment.succeeded.v1" || w.Attribute("source") != "payment" || w.Attribute("causationid") != p.OrderID {
				t.Errorf("payment of %s: headers %v, %v", p.OrderID, r.Headers, err)
			}
			if id, paid := ids[p.OrderID]; paid && id != w.Attribute("id") {
				t.Errorf("order %s was paid twice", p.OrderID)
			}
			ids[p.OrderID] = w.Attribute("id")
			got[p.OrderID] = string(w.Header("traceparent"))
		})
	}
	return got
}

// The service charges what comes, also what came while it was dead, and drains on SIGTERM.
func TestOrdersArePaidOnce(t *testing.T) {
	t.Parallel()
	dev, err := devstack.Open(t.Context(), devstack.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	cfg := kafka.Config{Brokers: dev.Brokers()}
	cl, err := cfg.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	dir := t.TempDir()

	first := start(t, dev.Brokers(), dir)
	send(t, cl, "o-1", 1200)
	for id, trace := range payments(t, cfg, 1) {
		if id != "o-1" || !strings.Contains(trace, "0af7651916cd43dd8448eb211c80319c") {
			t.Errorf("payment of %s in trace %q", id, trace)
		}
	}
	leattest.Eventually(t, "the metrics say that it is ready", func() error {
		if status, body := get(first.address, "/metrics"); status != http.StatusOK || !strings.Contains(body, `leat_service_ready_state{part="consumer",service="payment"} 1`) {
			return fmt.Errorf("metrics: %d, %d bytes", status, len(body))
		}
		return nil
	})
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.wait(t)

	send(t, cl, "o-2", 700)
	send(t, cl, "o-3", 100_001)                                               // over the limit: a dead letter
	second := start(t, dev.Brokers(), dir, "-X", "session.timeout.ms=120000") // nobody takes its place
	if got := payments(t, cfg, 2); got["o-1"] == "" || got["o-2"] == "" {
		t.Errorf("paid %v", got)
	}
	if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.wait(t); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	for line := range strings.Lines(second.logs.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON in the log: %s", line)
		}
	}
	if !strings.Contains(second.logs.String(), `"msg":"drained"`) {
		t.Error("it did not drain")
	}
}

// What newcomers copy is what is tested here.
func TestREADMEHasThisCode(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, language string }{{"main.go", "go"}, {"migrations/0001_charge.sql", "sql"}} {
		code, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if want := "`" + c.path + "`\n\n```" + c.language + "\n" + string(code) + "```"; !strings.Contains(string(readme), want) {
			t.Errorf("the README's %s is not examples/01-hello/%s", c.path, c.path)
		}
	}
}
