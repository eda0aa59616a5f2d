//go:build crashpoint

package service_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/leattest/broker"
)

// A binary built with the tag crashpoint kills itself where it is told to, and its next start makes
// up for it.
func TestCrashPointKillsTheProcess(t *testing.T) {
	t.Parallel()
	b := broker.Fake(t, broker.FakeConfig{})
	dir := t.TempDir()
	args := append(serve(t, b, dir), "--prefix", "crash.")
	c := spawn(t, []string{"LEAT_CRASH_AT=asker/relay.committed:1"}, args...)
	if code := c.code(t); code != -int(syscall.SIGKILL) {
		t.Errorf("ended with %d, want a kill", code)
	}
	if !strings.Contains(c.logs(), "crash point relay.committed, pass 1, service asker") {
		t.Error("it does not say where it died")
	}
	c = spawn(t, nil, args...)
	c.said(t, "published") // a second event, of the second start
	_ = c.cmd.Process.Signal(os.Interrupt)
	if code := c.code(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := len(b.ReadAll(t, "crash.test.requests", kgo.ReadCommitted())); n != 2 {
		t.Errorf("%d events, want one of each start", n)
	}
}

func TestCrashPointIsChecked(t *testing.T) {
	t.Parallel()
	c := spawn(t, []string{"LEAT_CRASH_AT=relay.committed"}, "--listen", "none", "--database-url", "sqlite:"+t.TempDir())
	if code := c.code(t); code != 1 || !strings.Contains(c.logs(), "want point:n") {
		t.Errorf("code %d: %s", code, c.logs())
	}
}
