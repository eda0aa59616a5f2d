package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
)

// Nobody listens yet where others look for a port.
func TestAddressesAreGivenOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 40 {
		addrs, err := server.FreeAddrs(10)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if seen[a] {
				t.Errorf("%s was given twice", a)
			}
			seen[a] = true
		}
	}
}

func TestProgramIsKilledAndStartsAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, log := filepath.Join(dir, "out"), filepath.Join(dir, "log")
	p, err := server.StartProgram(server.ProgramConfig{
		Argv: []string{"sh", "-c", `echo said >&2; echo $WORD; exec sleep 600`}, Env: []string{"WORD=data"}, Log: log, Out: out,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	said := func(times int) {
		leattest.Eventually(t, "it has spoken", func() error {
			data, err := os.ReadFile(out)
			if err == nil && strings.Count(string(data), "data\n") != times {
				err = os.ErrNotExist
			}
			return err
		})
	}
	said(1)
	if code := p.ExitCode(); code != -1 {
		t.Errorf("the exit code of a running program is %d", code)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("killed and not done")
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	said(2)
	if err := errors.Join(p.Stop(), p.Cont()); err != nil {
		t.Fatal(err)
	}
	if err := p.End(time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, want := p.LogTail(5), "said\nsaid"; got != want {
		t.Errorf("the log ends with %q, want %q", got, want)
	}
}
