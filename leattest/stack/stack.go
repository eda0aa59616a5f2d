package stack

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/service"
)

// Config says what runs in the bubble.
type Config struct {
	// Services are the services that processes may run.
	Services []service.Config
	// Embedded makes the cluster one whose transactions are not relied upon, as leat dev's; false:
	// relays use Kafka transactions as on real Kafka.
	Embedded bool
	// Brokers is the number of brokers; 0: 1.
	Brokers int
	// Opts are further options of kfake; they win.
	Opts []kfake.Opt
	// Prefix stands before the names of topics and groups.
	Prefix string
	// Session is the session timeout of the groups' members; 0: 6 s, so that a crash is noticed soon.
	Session time.Duration
	// DrainTimeout is that of the hosts; 0: theirs.
	DrainTimeout time.Duration
	// Tune, where set, changes the configuration of each process's host before it is made.
	Tune func(*service.HostConfig)
	// Crash, where set, is asked at each commit point of each process, from its goroutines; true
	// crashes the process right there.
	Crash func(p *Process, service, point string) bool
	// Logger takes the log of all processes; nil: t.Output, from Info with -v, else from Error.
	Logger *slog.Logger
}

// Stack is a cluster, databases and the processes on them.
type Stack struct {
	// Cluster is kfake's own door, for faults.
	Cluster *kfake.Cluster

	t         *testing.T
	cfg       Config
	broker    *broker.Broker
	dir       string
	log       *slog.Logger
	processes []*Process // all that were ever started
	losses    losses

	described time.Time            // when evict last looked at the groups
	gathering map[string]time.Time // groups that are getting together, and since when
}

// afterlife is how long what crashed processes left behind may take to end: handlers run into their
// timeouts, clients give up.
const afterlife = 2 * time.Minute

// Run runs body in a bubble with a cluster of its own. Processes that still run at the end are
// drained.
func Run(t *testing.T, cfg Config, body func(t *testing.T, s *Stack)) {
	t.Helper()
	if !bubbles {
		leattest.Missing(t, "synctests", "run it with go test -tags synctests")
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &Stack{t: t, cfg: cfg, dir: dir, log: cfg.Logger, gathering: map[string]time.Time{}}
		if s.log == nil {
			level := slog.LevelError
			if testing.Verbose() {
				level = slog.LevelInfo
			}
			s.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
		}
		id := "stack"
		if cfg.Embedded {
			id = kafka.EmbeddedPrefix + "stack"
		}
		s.broker = broker.Fake(t, broker.FakeConfig{
			Brokers: cfg.Brokers, Virtual: true,
			Opts: append([]kfake.Opt{kfake.ClusterID(id)}, cfg.Opts...),
		})
		s.Cluster = s.broker.Cluster
		body(t, s)
		for _, p := range s.processes {
			if p.Alive() {
				p.Stop()
			}
		}
		// The bubble's time stops with this function: what crashed processes left behind ends before.
		time.Sleep(afterlife)
	})
}

// Start starts a process with the named services, none: all, and waits until it is ready.
func (s *Stack) Start(services ...string) *Process {
	s.t.Helper()
	p := s.Launch(services...)
	leattest.Eventually(s.t, fmt.Sprintf("process %v is ready", p), func() error {
		select {
		case <-p.ended:
			s.t.Fatalf("process %v ended while it started: %v", p, p.err)
		default:
		}
		return p.Host.Ready()
	})
	return p
}

// Launch is Start without the wait.
func (s *Stack) Launch(services ...string) *Process {
	s.t.Helper()
	p := &Process{id: len(s.processes) + 1, stack: s, ended: make(chan struct{})}
	for _, c := range s.cfg.Services {
		if len(services) == 0 || slices.Contains(services, c.Name) {
			p.services = append(p.services, c)
		}
	}
	if len(p.services) < max(len(services), 1) {
		s.t.Fatalf("start %v: the stack does not have all of these services", services)
	}
	s.processes = append(s.processes, p)
	p.run()
	return p
}

// Processes are those that are alive and run the named service.
func (s *Stack) Processes(name string) []*Process {
	var alive []*Process
	for _, p := range s.processes {
		if p.Alive() && slices.ContainsFunc(p.services, func(c service.Config) bool { return c.Name == name }) {
			alive = append(alive, p)
		}
	}
	return alive
}

// Do sends a request to the processes that are alive, one after the other until one has the route,
// and returns the last answer: 503 where none is alive.
func (s *Stack) Do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	last := httptest.NewRecorder()
	last.Code = http.StatusServiceUnavailable
	for _, p := range s.processes {
		if !p.Alive() {
			continue
		}
		if last = p.Do(method, target, body, headers...); last.Code != http.StatusNotFound && last.Code != http.StatusServiceUnavailable {
			break
		}
	}
	return last
}

// Database is the named service's database, for the test's own look at it.
func (s *Stack) Database(name string) *sql.Database {
	return &sql.Database{URL: "sqlite:" + filepath.Join(s.dir, name+".db")}
}

// Kafka is the cluster as clients of the test reach it.
func (s *Stack) Kafka() kafka.Config {
	session := cmp.Or(s.cfg.Session, defaultSession)
	return kafka.Config{
		Properties: map[string]string{
			"session.timeout.ms":  strconv.FormatInt(session.Milliseconds(), 10),
			"enable.metrics.push": "false", // nobody reads them, and compressing them is a third of what is allocated
		},
		Brokers: s.broker.Addrs, Dial: s.broker.Dial, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// Broker is the cluster as leattest/broker has it.
func (s *Stack) Broker() *broker.Broker { return s.broker }

// Topic is the name in the cluster of a topic of the services.
func (s *Stack) Topic(name string) string { return s.cfg.Prefix + name }

// request is a request of the bubble; headers come as name, value, name, value.
func request(ctx context.Context, method, target, body string, headers []string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}
