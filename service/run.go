package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
)

// run is one Run of a host: what it started, in order, for the drain to stop in the opposite one.
type run struct {
	control string // topic of commands to the groups; "": none
	h       *Host
	base    context.Context // of all that runs: goes on when Run's context ends, until the drain is over
	cut     context.CancelCauseFunc
	over    <-chan struct{} // Run's context ended, or something failed for good
	fail    context.CancelCauseFunc

	tracing  *telemetry.Tracing
	server   *http.Server
	kafka    *kafka.Client
	serving  *stage
	relaying *stage
	handling *stage
	working  *stage

	mu  sync.Mutex
	err error // the first failure
}

func newRun(ctx context.Context, h *Host) *run {
	r := &run{h: h}
	r.base, r.cut = context.WithCancelCause(context.WithoutCancel(ctx))
	over, cancel := context.WithCancelCause(ctx)
	r.over = over.Done()
	r.fail = cancel
	context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrCut) {
			r.cut(ErrCut)
		}
	})
	r.serving = newStage(r.base, r.failed)
	r.relaying = newStage(r.base, r.failed)
	r.handling = newStage(r.base, r.failed)
	r.working = newStage(r.base, r.failed)
	return r
}

// failed takes the error that ends the host.
func (r *run) failed(err error) {
	r.mu.Lock()
	first := r.err == nil
	if first {
		r.err = err
	}
	r.mu.Unlock()
	if first {
		r.fail(err)
	}
}

func (r *run) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// start brings everything up, in the order in which one thing needs the other; the listener comes
// first, so that probes tell what the start waits for, and the routes last.
func (r *run) start(ctx context.Context) error {
	began := time.Now()
	if err := r.openTracing(ctx); err != nil {
		return err
	}
	if err := r.listen(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.h.cfg.StartTimeout, fmt.Errorf("the start took longer than %v (--start-timeout)", r.h.cfg.StartTimeout))
	defer cancel()
	steps := []struct {
		waitsFor string
		do       func(context.Context) error
	}{
		{"Kafka", r.openKafka},
		{"payloads", r.openPayloads},
		{"databases", r.openDatabases},
		{"topics", r.topics},
		{"schemas", r.schemas},
		{"services", r.startServices},
	}
	for _, step := range steps {
		r.h.setState(starting, step.waitsFor)
		if err := step.do(ctx); err != nil {
			return err
		}
		if err := r.failure(); err != nil {
			return err
		}
	}
	r.h.gate.unlock()
	r.h.setState(ready, "")
	r.h.log.InfoContext(ctx, "started", telemetry.KeyDuration, time.Since(began), "services", r.h.names(), "address", r.h.Addr())
	return nil
}

func (h *Host) names() []string {
	var names []string
	for _, s := range h.services {
		names = append(names, s.name)
	}
	return names
}

// openTracing gives each service its tracer. A process with one service takes OTEL_SERVICE_NAME for
// its name.
func (r *run) openTracing(ctx context.Context) error {
	var err error
	if r.tracing, err = telemetry.OpenTracing(ctx); err != nil {
		return err
	}
	for _, s := range r.h.services {
		name := s.name
		if own := os.Getenv("OTEL_SERVICE_NAME"); own != "" && len(r.h.services) == 1 {
			name = own
		}
		if s.tracer, err = r.tracing.Tracer(name); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) listen() error {
	h := r.h
	if h.cfg.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", h.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for HTTP (is another process there? choose an address with --listen or LEAT_LISTEN): %w", err)
	}
	h.mu.Lock()
	h.addr = l.Addr().String()
	h.mu.Unlock()
	r.server = h.server()
	r.server.BaseContext = func(net.Listener) context.Context { return r.base }
	r.serving.start("HTTP server", true, func(ctx context.Context) error {
		if err := r.server.Serve(l); err != http.ErrServerClosed || ctx.Err() == nil {
			return err
		}
		return nil
	})
	return nil
}

// persist repeats do, which reaches for a server, until it succeeds, fails for good or ctx ends: a
// server that starts at the same time may be a little later.
func (r *run) persist(ctx context.Context, what string, do func(context.Context) error) error {
	again := leat.Retry{Base: 250 * time.Millisecond, Max: 4 * time.Second}
	for attempt := 1; ; attempt++ {
		err := do(ctx)
		if err == nil {
			return nil
		}
		if leat.IsPermanent(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ctx.Err() == nil {
			r.h.setState(starting, fmt.Sprintf("%s: %v", what, err))
			r.h.log.WarnContext(ctx, "can't start yet", "waits_for", what, telemetry.KeyAttempt, attempt, telemetry.KeyError, err)
			pause(ctx, again.Delay(attempt, rand.Float64()))
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w (%w)", what, err, context.Cause(ctx))
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (r *run) openKafka(ctx context.Context) error {
	return r.persist(ctx, "Kafka", func(ctx context.Context) (err error) {
		r.kafka, err = kafka.Open(ctx, r.h.cfg.Kafka)
		return err
	})
}

func (r *run) openPayloads(ctx context.Context) error {
	if r.h.cfg.PayloadURL == "" {
		return nil
	}
	return r.persist(ctx, "store of payloads", func(ctx context.Context) (err error) {
		r.h.payloads, err = blob.Open(ctx, blob.Config{URL: r.h.cfg.PayloadURL, Logger: r.h.log})
		return err
	})
}

func (r *run) openDatabases(ctx context.Context) error {
	for _, s := range r.h.services {
		if err := r.persist(ctx, "database of "+s.name, func(ctx context.Context) error { return s.openDatabase(ctx, r.kafka.Embedded()) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) startServices(ctx context.Context) error {
	for _, s := range r.h.services {
		if err := s.prepare(r); err != nil {
			return fmt.Errorf("service %s: %w", s.name, err)
		}
	}
	for _, s := range r.h.services {
		s.start(r)
	}
	return ctx.Err()
}

// drain stops everything in order: no new requests, requests answered, events handled, parts
// returned, outboxes emptied. Each step has its share of the time; what the step before leaves over
// goes to the next.
func (r *run) drain(ctx context.Context) {
	h := r.h
	if r.base.Err() != nil {
		return
	}
	h.setState(draining, "")
	for _, s := range h.services {
		close(s.done)
	}
	h.log.InfoContext(r.base, "draining", "cause", context.Cause(ctx), "limit", h.cfg.DrainTimeout)
	pause(r.base, h.cfg.DrainDelay)
	began := time.Now()
	var left []string
	step := func(share float64, do func(ctx context.Context) []string) {
		limit, cancel := context.WithDeadline(r.base, began.Add(h.share(share)))
		defer cancel()
		left = append(left, do(limit)...)
	}
	step(0.3, r.endRequests)
	step(0.7, r.handling.end)
	step(0.8, r.working.end)
	step(0.9, r.flush)
	step(1.0, r.relaying.end)
	if len(left) > 0 {
		h.log.WarnContext(r.base, "the drain ran out of time; what is cut off comes again at the next start", "unfinished", left, "limit", h.cfg.DrainTimeout)
		return
	}
	h.log.InfoContext(r.base, "drained", telemetry.KeyDuration, time.Since(began))
}

// endRequests lets requests in hand end; the listener closes with the first step.
func (r *run) endRequests(limit context.Context) []string {
	if r.server != nil {
		// Shutdown waits for connections that are not idle; the gate below, for requests in routes,
		// also where there is no listener.
		r.serving.stop()
		_ = r.server.Shutdown(limit)
	}
	if n := r.h.gate.shut(limit); n > 0 {
		return []string{fmt.Sprintf("%d requests", n)}
	}
	return nil
}

// flush waits until the outboxes are empty, as far as the relays of this process empty them.
func (r *run) flush(limit context.Context) []string {
	var left []string
	for _, s := range r.h.services {
		if n := s.flush(limit); n > 0 {
			left = append(left, fmt.Sprintf("%d events in the outbox of %s", n, s.name))
		}
	}
	return left
}

// closing bounds what close waits for: by then only what ignores its context is left.
const closing = 3 * time.Second

// close cuts what still runs and gives everything back.
func (r *run) close() {
	r.cut(errors.New("the host has ended"))
	r.fail(nil)
	if r.server != nil {
		r.serving.stop()
		_ = r.server.Close()
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(r.base), closing)
	defer cancel()
	for _, s := range []*stage{r.handling, r.working, r.relaying, r.serving} {
		for _, name := range s.end(limit) {
			r.h.log.ErrorContext(limit, "left behind: it ignores its context", "task", name)
		}
	}
	for _, s := range r.h.services {
		s.close()
	}
	if r.h.payloads != nil {
		r.h.payloads.Close()
	}
	if r.kafka != nil {
		r.kafka.Close()
	}
	if err := r.tracing.Close(limit); err != nil {
		r.h.log.WarnContext(limit, "traces", telemetry.KeyError, err)
	}
}
