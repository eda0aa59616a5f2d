package telemetry

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/leatdev/leat"
)

// Names of the W3C trace context, as HTTP and record headers have them.
const (
	TraceParent = "traceparent"
	TraceState  = "tracestate"
)

// Inject gives m the trace context of ctx, unless it has one: that of the span or request at hand,
// else that of the event being handled, else a new trace. Whatever is published so belongs to a
// trace.
func Inject(ctx context.Context, m *leat.Message) {
	if m.TraceParent != "" {
		return
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		m.TraceParent, m.TraceState = formatParent(sc), sc.TraceState().String()
		return
	}
	if e := leat.FromContext(ctx); e != nil {
		if m.TraceParent, m.TraceState = contextOf(e.Wire()); m.TraceParent != "" {
			return
		}
	}
	m.TraceParent = rootParent(m.ID)
}

// Extract puts the trace context of a record into ctx as the parent of what is done with it.
func Extract(ctx context.Context, w leat.Wire) context.Context {
	parent, state := contextOf(w)
	sc, ok := parseContext(parent, state)
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, sc)
}

// TraceID is the id of the trace that ctx belongs to, "" for none.
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc.TraceID().String()
	}
	if e := leat.FromContext(ctx); e != nil {
		if parent, _ := contextOf(e.Wire()); parent != "" {
			return parent[3:35]
		}
	}
	return ""
}

// contextOf reads a record's trace context; a parent that is not valid is as good as none. Records
// of other clients carry it as the plain headers of OpenTelemetry or as CloudEvents' extension.
func contextOf(w leat.Wire) (parent, state string) {
	if h := w.Header(TraceParent); h != nil {
		parent, state = string(h), string(w.Header(TraceState))
	} else {
		parent, state = w.Attribute(TraceParent), w.Attribute(TraceState)
	}
	if parent == "" {
		return "", ""
	}
	if _, ok := parseContext(parent, ""); !ok {
		return "", ""
	}
	return parent, state
}

func parseContext(parent, state string) (trace.SpanContext, bool) {
	if parent == "" {
		return trace.SpanContext{}, false
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{TraceParent: parent, TraceState: state})
	sc := trace.SpanContextFromContext(ctx)
	return sc, sc.IsValid()
}

// newRoot starts a trace that nobody records: its sampled flag is not set.
func newRoot() trace.SpanContext {
	var cfg trace.SpanContextConfig
	_, _ = rand.Read(cfg.TraceID[:]) // never fails: crypto/rand aborts the process instead
	_, _ = rand.Read(cfg.SpanID[:])
	return trace.NewSpanContext(cfg)
}

// rootParent begins a trace at an event that comes out of nothing: where the event's id is a UUID as
// leat makes them, the trace id is that id and the span id its last half, which is random; what is
// random once need not be so twice.
func rootParent(id string) string {
	if !isUUID(id) {
		return formatParent(newRoot())
	}
	var parent [55]byte
	b := append(parent[:0], "00-"...)
	for _, part := range [...]string{id[0:8], id[9:13], id[14:18], id[19:23], id[24:36], "-", id[19:23], id[24:36], "-00"} {
		b = append(b, part...)
	}
	return string(b)
}

// isUUID says whether id is a UUID in lower case whose last half is not all zeros.
func isUUID(id string) bool {
	if len(id) != 36 || id[19:] == "0000-000000000000" {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

func formatParent(sc trace.SpanContext) string {
	return "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + sc.TraceFlags().String()
}
