package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/service"
)

// Process is a host as a process of its own would be: it can be drained or crashed, and what it was
// is started anew with Stack.Start.
type Process struct {
	// Host is the host in the process.
	Host *service.Host

	id       int
	stack    *Stack
	services []service.Config
	cancel   context.CancelCauseFunc // SIGTERM
	kill     context.CancelCauseFunc // kill -9
	life     context.Context         // ends with Crash
	ended    chan struct{}           // closed when Host.Run has returned
	err      error                   // of Host.Run
	end      time.Time               // when that was, once ended is closed

	mu      sync.Mutex
	dead    bool // crashed
	gone    bool // crashed or stopped
	conns   map[*conn]struct{}
	stalled chan struct{} // closed by Resume; nil: not stalled
}

// String names the process by its number and its services.
func (p *Process) String() string {
	var names []string
	for _, c := range p.services {
		names = append(names, c.Name)
	}
	return fmt.Sprintf("%d (%s)", p.id, strings.Join(names, ", "))
}

func (p *Process) run() {
	t, cfg := p.stack.t, p.stack.cfg
	kafka := p.stack.Kafka()
	kafka.Dial, kafka.ClientID, p.conns = p.dial, p.clientID(), map[*conn]struct{}{}
	of := service.HostConfig{
		Services:     p.services,
		Kafka:        kafka,
		DatabaseURL:  "sqlite:" + p.stack.dir,
		Prefix:       cfg.Prefix,
		DrainTimeout: cfg.DrainTimeout,
		Logger:       p.stack.log.With("process", p.id),
		Hook:         p.hook,
	}
	if cfg.Tune != nil {
		cfg.Tune(&of)
	}
	host, err := service.NewHost(of)
	if err != nil {
		t.Fatalf("process %v: %v", p, err)
	}
	p.Host = host
	p.life, p.kill = context.WithCancelCause(context.Background())
	run, cancel := context.WithCancelCause(p.life)
	p.cancel = cancel
	go func() { // ends with the host
		defer close(p.ended)
		p.err = host.Run(run)
		p.end = time.Now()
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.gone {
			t.Errorf("process %v ended by itself: %v", p, p.err)
		}
		p.gone = true
	}()
}

// Alive says whether the process runs: it was neither stopped nor crashed.
func (p *Process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.gone
}

// Do sends a request to the process; headers come as name, value, name, value.
func (p *Process) Do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.Host.Handler().ServeHTTP(w, request(p.life, method, target, body, headers))
	return w
}

// Stop drains the process, as SIGTERM does, and waits for its end.
func (p *Process) Stop() {
	p.stack.t.Helper()
	if err := p.Drain(); err != nil {
		p.stack.t.Errorf("process %v: %v", p, err)
	}
}

// Drain is Stop where the end need not be a good one: it returns what Host.Run has.
func (p *Process) Drain() error {
	p.leave(false)
	p.cancel(errors.New("stopped by the test"))
	<-p.ended
	return p.err
}

// Crash ends the process as kill -9 does, and returns when nothing of it is left that could do
// anything.
func (p *Process) Crash() {
	p.crash()
	<-p.ended
}

// crash is Crash without the wait, for the process's own goroutines.
func (p *Process) crash() {
	if !p.leave(true) {
		return
	}
	p.mu.Lock()
	cut := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, c := range cut {
		_ = c.Close()
	}
	p.kill(service.ErrCut)
}

// leave marks the process as gone and says whether it was not before.
func (p *Process) leave(dead bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.gone
	p.gone = true
	p.dead = p.dead || dead && !was
	return !was
}

func (p *Process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// errCrashed is what the goroutines of a crashed process meet.
var errCrashed = errors.New("the process has crashed")

// hook runs at the commit points. A goroutine of a crashed process must not change the database any
// more: there it panics, which rolls a transaction back and ends a relay. Kafka is out of reach.
func (p *Process) hook(service, point string) {
	if ask := p.stack.cfg.Crash; ask != nil && !p.isDead() && ask(p, service, point) {
		p.crash()
	}
	if p.isDead() && (strings.HasPrefix(point, "relay.") || strings.HasPrefix(point, "once.")) {
		panic(errCrashed)
	}
}
