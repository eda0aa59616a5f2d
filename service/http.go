package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/leatdev/leat/internal/telemetry"
)

// What one request may take. A handler that answers for longer, such as an event stream, moves its
// write deadline with http.ResponseController.
const (
	maxBody     = 1 << 20 // bytes
	maxHeader   = 64 << 10
	headerTime  = 5 * time.Second
	requestTime = 30 * time.Second
	answerTime  = 60 * time.Second
	idleTime    = 2 * time.Minute
)

// mount puts the routes of all services behind one handler. A pattern that two of them have, or
// that contradicts another, is refused: which service would answer must not depend on luck.
func (h *Host) mount() (http.Handler, error) {
	routes := http.NewServeMux()
	by := map[string]string{"/livez": "the host", "/readyz": "the host", "/metrics": "the host"}
	var errs []error
	for _, s := range h.services {
		if s.cfg.Routes == nil {
			continue
		}
		for pattern, f := range s.cfg.Routes(s) {
			if other, taken := by[pattern]; taken {
				errs = append(errs, fmt.Errorf("route %q is both %s's and %s's", pattern, other, s.name))
				continue
			}
			by[pattern] = s.name
			errs = append(errs, register(routes, pattern, s, f))
		}
	}
	top := http.NewServeMux()
	top.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]bool{"live": true}) })
	top.HandleFunc("GET /readyz", h.readyz)
	top.Handle("GET /metrics", h.metrics.Handler())
	top.Handle("/", h.guarded(routes))
	return top, errors.Join(errs...)
}

// register adds one route; http.ServeMux says only by a panic that it does not take the pattern.
func register(mux *http.ServeMux, pattern string, s *Service, f http.HandlerFunc) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("route %q of %s: %v", pattern, s.name, p)
		}
	}()
	if f == nil {
		return fmt.Errorf("route %q of %s has no handler", pattern, s.name)
	}
	requests := s.metrics.Histogram("leat_service_request_seconds", "Time to answer a request, by route and class of status.", nil, "route", "status")
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		telemetry.Edge(s.tracer, requests, s.caught(f)).ServeHTTP(w, r) // s.tracer is there once requests are
	})
	return nil
}

// caught answers 500 for a handler that panics and logs the stack with the request's ids.
func (s *Service) caught(f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.ErrorContext(r.Context(), "handler of a request panicked", "route", r.Pattern, telemetry.KeyError, fmt.Sprint(p), "stack", string(debug.Stack()))
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		}()
		f(w, r)
	})
}

// guarded lets requests in only while the host is ready for them, and caps their bodies.
func (h *Host) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.gate.enter() {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "1")
			http.Error(w, "starting or stopping, see /readyz", http.StatusServiceUnavailable)
			return
		}
		defer h.gate.leave()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// server is the HTTP server of the host's listener.
func (h *Host) server() *http.Server {
	return &http.Server{
		Handler:           h.handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(h.log.Handler(), slog.LevelDebug), // broken clients, each
	}
}

// report is the answer of /readyz.
type report struct {
	Ready    bool                         `json:"ready"`
	State    string                       `json:"state"`             // starting, ready, draining
	Waiting  string                       `json:"waiting,omitempty"` // what the start waits for
	Services map[string]map[string]string `json:"services"`          // service -> part -> "ok" or what is wrong
}

func (h *Host) readyz(w http.ResponseWriter, _ *http.Request) {
	rep := h.report()
	status := http.StatusOK
	if !rep.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, rep)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
}
