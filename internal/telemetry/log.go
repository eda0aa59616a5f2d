package telemetry

import (
	"context"
	"log/slog"

	"github.com/leatdev/leat"
)

// Keys of log attributes. Lines of all rooms use these and no other names for the same things.
const (
	KeyService       = "service"
	KeyGroup         = "group"
	KeyTopic         = "topic"
	KeyPartition     = "partition"
	KeyOffset        = "offset"
	KeyEventID       = "event_id"
	KeyEventType     = "event_type"
	KeyCorrelationID = "correlation_id"
	KeyTraceID       = "trace_id"
	KeyAttempt       = "attempt"
	KeyDuration      = "duration"
	KeyError         = "error"
)

// LogHandler is next with the ids of the event at hand (event_id, correlation_id) and the trace_id
// added to each line whose context has them.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	e := leat.FromContext(ctx)
	id := TraceID(ctx)
	if e == nil && id == "" {
		return h.Handler.Handle(ctx, r)
	}
	has := map[string]bool{}
	r.Attrs(func(a slog.Attr) bool { has[a.Key] = true; return true })
	add := func(key, value string) {
		if value != "" && !has[key] {
			r.AddAttrs(slog.String(key, value))
		}
	}
	r = r.Clone()
	if e != nil {
		add(KeyEventID, e.ID())
		add(KeyCorrelationID, e.CorrelationID())
	}
	add(KeyTraceID, id)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
