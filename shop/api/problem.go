package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/leatdev/leat"
)

// Problem is an answer that refuses: RFC 9457 problem details.
type Problem struct {
	Type   string `json:"type"` // "about:blank": the status says it all
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Fields []Flaw `json:"errors,omitempty"`
}

// Flaw is what is wrong with one member of a body.
type Flaw struct {
	Pointer string `json:"pointer"` // RFC 6901, for example /items/0/sku
	Detail  string `json:"detail"`
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// Refuse is a problem with a status and the reason for it.
func Refuse(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Write answers with a JSON body.
func Write(w http.ResponseWriter, status int, v any) error {
	return write(w, status, "application/json", v)
}

func write(w http.ResponseWriter, status int, contentType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error is a client that went away
	return nil
}

// Handle answers with what f does. f answers itself if it returns nil, and not at all otherwise.
func Handle(log *slog.Logger, f func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		p, ok := errors.AsType[*Problem](err)
		switch {
		case ok:
		case leat.IsUnavailable(err):
			w.Header().Set("Retry-After", "1")
			p = Refuse(http.StatusServiceUnavailable, "the database is away for the moment; the request changed nothing, send it again")
			log.WarnContext(r.Context(), "request refused for now", "method", r.Method, "route", r.Pattern, "error", err)
		default:
			p = Refuse(http.StatusInternalServerError, "this is a fault of the service; its log says more")
			log.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", r.Pattern, "error", err)
		}
		_ = write(w, p.Status, "application/problem+json", p) // a Problem always encodes
	}
}
