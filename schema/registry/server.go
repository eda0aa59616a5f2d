package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatdev/leat/schema"
)

// Server is a schema registry.
type Server struct {
	cfg       Config
	judge     judge
	metrics   *metrics
	turn      chan struct{} // who holds it writes
	forwarder *http.Client
	ready     chan struct{} // closed once the log was read

	// gate keeps the state still for those who parse while they look at it, which may take long; mu
	// for those who only look. The applier takes gate and then mu, so that a slow verdict holds up
	// writes and not reads.
	gate sync.RWMutex
	mu   sync.RWMutex
	st   *state        // guarded by both to change, by either to read
	grew chan struct{} // closed and made anew when the state moved on; guarded by mu

	addr  string // set before ready is closed
	drain time.Duration
}

// New makes a registry; Run starts it.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, judge: judge{languages: map[schema.Type]schema.Language{}, level: cfg.Level},
		turn: make(chan struct{}, 1), ready: make(chan struct{}), st: newState(), grew: make(chan struct{}),
		drain: 10 * time.Second, forwarder: forwarder(cfg.TLS),
	}
	for _, l := range cfg.Languages {
		s.judge.languages[l.Type()] = l
	}
	s.metrics = newMetrics(cfg.Metrics, s)
	return s, nil
}

// Ready is closed once the log was read and the registry answers.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// URL is where the registry answers; call it after Ready.
func (s *Server) URL() string {
	if s.cfg.TLS != nil {
		return "https://" + s.addr
	}
	return "http://" + s.addr
}

// Run serves until ctx ends and the requests in hand are answered.
func (s *Server) Run(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.Listen, err)
	}
	return s.Serve(ctx, ln)
}

// Serve is Run on a listener that is open already; it closes it.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.addr = ln.Addr().String()
	follow, stop := context.WithCancel(context.WithoutCancel(ctx)) // the log is needed until the last answer
	group, run := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.cfg.Log.Follow(follow, s.apply); err != nil {
			return fmt.Errorf("read the registry's log: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		defer stop()
		defer ln.Close()
		if err := s.load(run); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		close(s.ready)
		s.cfg.Logger.Info("schema registry is up", slog.String("url", s.URL()))
		return s.answer(run, ln)
	})
	return group.Wait()
}

// loadAgain is when a start asks for the end of the log again: a transaction that hangs before it is
// ended by the one that leads, when it asks.
const loadAgain = 5 * time.Second

// load waits until all that is in the log has been applied.
func (s *Server) load(ctx context.Context) error {
	for {
		end, err := s.cfg.Log.End(ctx)
		if err == nil {
			some, cancel := context.WithTimeout(ctx, loadAgain)
			err = s.reach(some, end)
			cancel()
			if err == nil {
				return nil
			}
			err = fmt.Errorf("it is read up to %d of %d", s.position(), end)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.cfg.Logger.Warn("the registry's log is not read to its end yet", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// Bounds on a request, by its phases.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = 90 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

func (s *Server) answer(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s.handler(), TLSConfig: s.cfg.TLS.Clone(),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { // ends with srv.Shutdown or srv.Close below
		if s.cfg.TLS != nil {
			served <- srv.ServeTLS(ln, "", "")
		} else {
			served <- srv.Serve(ln)
		}
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve the registry: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain)
	defer cancel()
	if err := srv.Shutdown(patience); err != nil {
		_ = srv.Close() // the drain is over: what is still open is cut
	}
	<-served
	return nil
}

// apply takes what the log hands over into the state.
func (s *Server) apply(entries []Entry, next int64) {
	s.gate.Lock()
	s.mu.Lock()
	poisoned := s.st.poisoned
	s.st.apply(entries, next)
	fresh := s.st.poisoned - poisoned
	close(s.grew)
	s.grew = make(chan struct{})
	s.mu.Unlock()
	s.gate.Unlock()
	if fresh > 0 {
		s.cfg.Logger.Error("records of the registry's log can't be used and were passed over; see GET /leat/poison", slog.Int64("records", fresh))
	}
}

// reach waits until the state holds all below a position.
func (s *Server) reach(ctx context.Context, position int64) error {
	for {
		s.mu.RLock()
		at, grew := s.st.position, s.grew
		s.mu.RUnlock()
		if at >= position {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-grew:
		}
	}
}

func (s *Server) position() (at int64) {
	s.look(func(st *state) { at = st.position })
	return at
}

// look reads the state; do must be quick.
func (s *Server) look(do func(*state)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	do(s.st)
}

// weigh reads the state; do may take its time.
func (s *Server) weigh(do func(*state)) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	do(s.st)
}

// maxRounds is how often a command is judged anew because another process wrote first.
const maxRounds = 10

// write carries out a command: decide judges it against a state that holds all that was acknowledged
// before, and what it decides on is written behind that very state. It returns when the state holds
// what was written. decide may run several times.
func (s *Server) write(ctx context.Context, decide func(*state) ([]Record, *Fault)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.LogTimeout, errTimeout)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for range maxRounds {
		end, err := s.cfg.Log.End(ctx)
		if err != nil {
			return s.unreachable(ctx, err)
		}
		if err := s.reach(ctx, end); err != nil {
			return err
		}
		var records []Record
		var f *Fault
		var at int64
		s.weigh(func(st *state) { records, f = decide(st); at = st.position })
		if f != nil {
			return f
		}
		if len(records) == 0 {
			return nil
		}
		next, err := s.append(ctx, at, records)
		switch {
		case err == nil:
			return s.reach(ctx, next)
		case errors.Is(err, ErrStale):
			continue
		case errors.Is(err, ErrNotLeader), errors.Is(err, ErrTooLarge):
			return err
		}
		s.cfg.Logger.Error("write to the registry's log", slog.Any("error", err))
		return errors.Join(errUnknown, context.Cause(ctx), err)
	}
	return ErrStale
}

func (s *Server) append(ctx context.Context, after int64, records []Record) (int64, error) {
	now := time.Now().UnixMilli()
	for i := range records {
		records[i].Time = now
	}
	return s.cfg.Log.Append(ctx, after, records)
}

func (s *Server) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.cfg.Logger.Warn("find the end of the registry's log", slog.Any("error", err))
	return errors.Join(ErrUnavailable, err)
}
