package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/schema"
)

// HostConfig says which services run in one process, and on what.
type HostConfig struct {
	// Services are the services; at least one, each name once.
	Services []Config

	// Kafka is the cluster; the zero value is localhost:9092.
	Kafka kafka.Config

	// DatabaseURL is where the services' databases are: sqlite:DIR, a file NAME.db there for each
	// service, or postgres://..., a schema NAME there for each. "": the services have none, and
	// those that need one are refused.
	DatabaseURL string

	// DatabaseConns bounds the connections of each service; 0: the default of sqldb.Config.
	DatabaseConns int

	// OutboxMode is how the services write their outboxes and their relays read them; "": outbox.ModeExact.
	OutboxMode outbox.Mode

	// OutboxLogURL leads relays in mode wal past a pooler to the server; "": DatabaseURL.
	OutboxLogURL string

	// OutboxKeep, OutboxPart and OutboxDetach are Keep, Partition and Detach of outbox.RelayConfig, for mode
	// retain; 0: 7 days in partitions of 24 h, which are dropped.
	OutboxKeep, OutboxPart time.Duration
	OutboxDetach           bool

	// OutboxPoll is the longest wait between two looks of a relay at an outbox in which nothing waits;
	// events that this process commits wake it at once. 0: 50 ms.
	OutboxPoll time.Duration

	// PayloadURL is the store that events too large for their topic leave their data in, and that
	// the data is fetched from, as blob.Config says: file:DIR, s3://BUCKET, postgres://...; "": there
	// is none, and such events are refused.
	PayloadURL string

	// PayloadAbove is the size of data, in bytes, above which it goes there; 0: 512 KiB.
	PayloadAbove int

	// PayloadKeep is how long a payload is kept; 0: for ever. See outbox.Config.
	PayloadKeep time.Duration

	// Registry is the schema registry; the zero value: none.
	Registry RegistryConfig

	// Listen is the address of the HTTP listener, for example 127.0.0.1:8080; port 0 takes a free
	// one, see Host.Addr. "": none, and Handler is there for whoever serves it.
	Listen string

	// Prefix stands before the names of all topics and groups, so that several systems share one
	// cluster; it is no part of the services' names and databases.
	Prefix string

	// CheckTopics leaves topics alone: what is missing or not as declared is said and ends the
	// start. False: topics that are missing are made.
	CheckTopics bool

	// StartTimeout is the longest wait at the start, for migrations that another process runs and
	// for topics that other services own; 0: 60 s.
	StartTimeout time.Duration

	// DrainDelay is the time between /readyz turning red and the drain; 0: none.
	DrainDelay time.Duration

	// DrainTimeout is the longest wait at the end; what is in hand then is cut off, and comes again
	// at the next start. 0: 25 s.
	DrainTimeout time.Duration

	// Logger gets the log; nil: slog.Default().
	Logger *slog.Logger

	// Hook, where set, is called at the commit points of relays, consumers and inboxes, from their
	// goroutines; tests of crashes set it.
	Hook func(service, point string)
}

const (
	defaultStart = time.Minute
	defaultDrain = 25 * time.Second
)

// Validate names everything that is wrong with the configuration.
func (c HostConfig) Validate() error {
	var errs []error
	if len(c.Services) == 0 {
		errs = append(errs, errors.New("no Services: name at least one"))
	}
	names := map[string]bool{}
	owners := map[string]string{}
	for _, s := range c.Services {
		errs = append(errs, s.Validate())
		if names[s.Name] {
			errs = append(errs, fmt.Errorf("service %s is there twice", s.Name))
		}
		names[s.Name] = true
		for _, t := range s.Owns {
			if other, taken := owners[t.Name]; taken && other != s.Name {
				errs = append(errs, fmt.Errorf("topic %s is owned by %s and by %s: a topic has one owner", t.Name, other, s.Name))
			}
			owners[t.Name] = s.Name
		}
		if c.DatabaseURL == "" && s.needsDatabase() {
			errs = append(errs, fmt.Errorf("service %s needs a database: set DatabaseURL (--database-url, LEAT_DATABASE_URL)", s.Name))
		}
	}
	if c.DatabaseURL != "" {
		errs = append(errs, checkDatabase(c.DatabaseURL))
	}
	if m := c.OutboxMode; m != "" && m != outbox.ModeExact && strings.HasPrefix(c.DatabaseURL, "sqlite:") {
		errs = append(errs, fmt.Errorf("outbox mode %s needs PostgreSQL: on SQLite set outbox.mode to %s, or take a database.url with postgres://", m, outbox.ModeExact))
	}
	if c.PayloadURL != "" {
		errs = append(errs, blob.Config{URL: c.PayloadURL}.Validate())
	}
	if c.OutboxPoll < 0 || c.PayloadAbove < 0 || c.PayloadKeep < 0 || c.DatabaseConns < 0 || c.StartTimeout < 0 || c.DrainDelay < 0 || c.DrainTimeout < 0 {
		errs = append(errs, errors.New("OutboxPoll, PayloadAbove, PayloadKeep, DatabaseConns, StartTimeout, DrainDelay and DrainTimeout can't be negative"))
	}
	return errors.Join(append(errs, checkPrefix(c.Prefix), c.Kafka.Validate(), c.Registry.Validate())...)
}

func (c HostConfig) withDefaults() HostConfig {
	if c.StartTimeout == 0 {
		c.StartTimeout = defaultStart
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = defaultDrain
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Kafka.Logger == nil {
		c.Kafka.Logger = c.Logger
	}
	return c
}

// Host runs services in one process.
type Host struct {
	cfg      HostConfig
	log      *slog.Logger
	services []*Service
	metrics  *telemetry.Registry
	handler  http.Handler
	gate     gate
	payloads blob.Store // nil: none

	mu      sync.Mutex
	state   string // starting, ready, draining, ended
	waiting string // what the start waits for
	addr    string // of the listener
	runs    bool
}

// States of a host.
const (
	starting = "starting"
	ready    = "ready"
	draining = "draining"
	ended    = "ended"
)

// ErrCut, as the cause of Run's context, ends a host as far as possible like a kill does: nothing is
// drained, answered or committed any more. It is a [consumer.ErrCut].
var ErrCut = fmt.Errorf("the host was cut off: %w", consumer.ErrCut)

// NewHost makes a host, and refuses what could not run: all faults of the configuration, and routes
// that clash. It starts nothing and opens nothing; it calls each service's Routes.
func NewHost(cfg HostConfig) (*Host, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure host: %w", err)
	}
	h := &Host{cfg: cfg.withDefaults(), metrics: telemetry.NewRegistry(), state: starting}
	h.log = slog.New(telemetry.LogHandler(h.cfg.Logger.Handler()))
	client, err := cfg.Registry.Open()
	if err != nil {
		return nil, err
	}
	for _, c := range cfg.Services {
		s := newService(h, c)
		if s.codec, err = c.codec(cfg.Registry, client); err != nil {
			return nil, fmt.Errorf("service %s: %w", c.Name, err)
		}
		if codec, ok := s.codec.(*schema.Codec); ok {
			if err := codec.Check(append(s.owns(), s.encoded()...)...); err != nil { // before anything is opened
				return nil, fmt.Errorf("service %s: %w", c.Name, err)
			}
		}
		h.services = append(h.services, s)
	}
	if h.handler, err = h.mount(); err != nil {
		return nil, fmt.Errorf("mount routes: %w", err)
	}
	return h, nil
}

// Handler serves the routes of all services, /livez, /readyz and /metrics. Routes answer 503 until
// the host is ready, and again once it drains.
func (h *Host) Handler() http.Handler { return h.handler }

// Addr is the address of the listener once Run has it, else "".
func (h *Host) Addr() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addr
}

// Service is the service of that name, or nil.
func (h *Host) Service(name string) *Service {
	for _, s := range h.services {
		if s.name == name {
			return s
		}
	}
	return nil
}

// Ready is nil once everything runs, or says per service which part is not ready and why.
func (h *Host) Ready() error {
	rep := h.report()
	if rep.Ready {
		return nil
	}
	var errs []error
	if rep.State != ready {
		errs = append(errs, fmt.Errorf("the host is %s%s", rep.State, because(rep.Waiting)))
	}
	for _, s := range h.services {
		for _, p := range s.parts(rep.State) {
			if p.err != nil {
				errs = append(errs, fmt.Errorf("service %s: %s: %w", s.name, p.name, p.err))
			}
		}
	}
	return errors.Join(errs...)
}

// share is a part of the drain's time.
func (h *Host) share(of float64) time.Duration {
	return time.Duration(of * float64(h.cfg.DrainTimeout))
}

func because(waiting string) string {
	if waiting == "" {
		return ""
	}
	return ": waiting for " + waiting
}

func (h *Host) now() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

func (h *Host) setState(state, waiting string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state, h.waiting = state, waiting
}

func (h *Host) report() report {
	h.mu.Lock()
	rep := report{State: h.state, Waiting: h.waiting, Services: map[string]map[string]string{}}
	h.mu.Unlock()
	rep.Ready = rep.State == ready
	for _, s := range h.services {
		parts := map[string]string{}
		for _, p := range s.parts(rep.State) {
			parts[p.name] = "ok"
			if p.err != nil {
				parts[p.name], rep.Ready = p.err.Error(), false
			}
		}
		rep.Services[s.name] = parts
	}
	return rep
}

// Run starts the services, works until ctx ends, and drains. It returns nil after a drain, whether
// or not all could be finished in time, and an error where the start did not succeed or something
// failed for good.
func (h *Host) Run(ctx context.Context) error {
	h.mu.Lock()
	again := h.runs
	h.runs = true
	h.mu.Unlock()
	if again {
		return errors.New("run host: a host runs once; make a new one")
	}
	defer h.setState(ended, "")
	r := newRun(ctx, h)
	defer r.close()
	if err := r.start(ctx); err != nil {
		if ctx.Err() != nil && r.failure() == nil {
			return nil // asked to end while it started
		}
		return fmt.Errorf("start: %w", err)
	}
	<-r.over
	r.drain(ctx)
	return r.failure()
}
