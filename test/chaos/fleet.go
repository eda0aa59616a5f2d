package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/test/fleet"
)

// member is one process: of a service, or a writer.
type member struct {
	name    string // payment-1
	service string // "": a writer
	addr    string // of its HTTP
	program *server.Program
	busy    sync.Mutex // held by the fault that has it
	told    bool       // to end, of a writer; guarded by busy

	mu   sync.Mutex
	seen fleet.Work
	read int64 // of a writer's histories: how much has been looked at
}

// sessions are so short that what happens to a dead member is seen within a run, and requests to a
// broker that does not answer end soon.
var sessions = []string{
	"-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500", "-X", "request.timeout.ms=4000",
	"-X", "socket.connection.setup.timeout.ms=2000", "-X", "metadata.max.age.ms=10000",
}

// startService starts a process of a service.
func startService(st *stage, dir, name, service, addr string) (*member, error) {
	if service == copierName {
		return startSelf(st, dir, role{Name: name, Listen: addr})
	}
	m := &member{name: name, service: service, addr: addr}
	argv := append([]string{st.binary, "run", service, "--listen", addr, "-X", "client.id=" + name}, sessions...)
	var err error
	m.program, err = server.StartProgram(server.ProgramConfig{
		Argv: argv, Log: filepath.Join(dir, name+".log"),
		Env: []string{
			"LEAT_KAFKA_BROKERS=" + strings.Join(st.brokers, ","), "LEAT_DATABASE_URL=" + st.database[name],
			"LEAT_REGISTRY_URL=" + st.schemas, "LEAT_REGISTRY_SCHEMAS=register",
			"LEAT_START_TIMEOUT=120s", "GOMEMLIMIT=256MiB",
		},
	})
	return m, err
}

// startSelf starts this program as a writer or a copier.
func startSelf(st *stage, dir string, r role) (*member, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	r.Brokers, r.Dir = st.brokers, dir
	told, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("tell a process its role: %w", err)
	}
	m := &member{name: r.Name, addr: r.Listen}
	if r.Listen != "" {
		m.service = copierName
	}
	m.program, err = server.StartProgram(server.ProgramConfig{
		Argv: []string{self}, Env: []string{roleEnv + "=" + string(told)}, Log: filepath.Join(dir, r.Name+".log"),
	})
	return m, err
}

// waitReady waits until a service's process is ready.
func (m *member) waitReady(ctx context.Context) error { return m.waitFor(ctx, "/readyz") }

func (m *member) waitFor(ctx context.Context, path string) error {
	for m.service != "" {
		_, err := fleet.Get(ctx, m.addr, path)
		if err == nil {
			break
		}
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("wait for %s: %w: %w; it said last:\n%s", m.name, context.Cause(ctx), err, m.program.LogTail(5))
		}
	}
	return nil
}

// look asks a service's process for its work. inHand is whether it has records in its hands, or
// finished some within the last second.
func (m *member) look(ctx context.Context) (queued float64, inHand bool, err error) {
	m.mu.Lock()
	before := m.seen
	m.mu.Unlock()
	now, busy, err := fleet.Look(ctx, m.addr, before)
	if err != nil {
		return 0, false, err
	}
	m.mu.Lock()
	m.seen = now
	m.mu.Unlock()
	return now.Queued, busy, nil
}

// waitBusy waits a while until a service's process has work in hand.
func (m *member) waitBusy(ctx context.Context, patience time.Duration) (queued float64, inHand bool) {
	for deadline := time.Now().Add(patience); ; {
		queued, inHand, err := m.look(ctx)
		if err == nil && inHand {
			return queued, true
		}
		if time.Now().After(deadline) || !pause(ctx, 20*time.Millisecond) {
			return 0, false
		}
	}
}

// openDeeds counts the operations in a writer's histories that began since the last call and have no
// end: what a kill interrupted.
func (m *member) openDeeds(dir string) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	open := map[string]bool{}
	for _, kind := range []string{"-sent", "-txn"} {
		text, err := os.ReadFile(filepath.Join(dir, m.name+kind+".ndjson"))
		if err != nil {
			return 0, fmt.Errorf("look for what a writer has in hand: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			var l struct {
				N  int64
				At int64 `json:"t"`
				Is string
			}
			if json.Unmarshal([]byte(line), &l) != nil || l.At <= m.read {
				continue
			}
			if id := kind + strconv.FormatInt(l.N, 10); l.Is == "do" {
				open[id] = true
			} else if l.Is != "ending" {
				delete(open, id)
			}
		}
	}
	m.read = time.Now().UnixNano()
	return len(open), nil
}

// kill kills a process and lets its next life be looked at anew.
func (m *member) kill() error {
	m.mu.Lock()
	m.seen = fleet.Work{}
	m.mu.Unlock()
	return m.program.Kill()
}

// closeAll kills all processes.
func closeAll(members []*member) error {
	var errs []error
	for _, m := range members {
		if m != nil && m.program != nil {
			errs = append(errs, m.program.Close())
		}
	}
	return errors.Join(errs...)
}
