package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Edge is the door where requests come in: it puts the request's W3C trace context, or that of a
// new trace, into its context, and records the server span where t is not nil and the time in
// requests, by route and class of status, where that is not nil.
func Edge(t *Tracer, requests *Histogram, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ctx := propagation.TraceContext{}.Extract(NewContext(r.Context(), t), propagation.HeaderCarrier(r.Header))
		var span trace.Span
		if t != nil {
			ctx, span = t.server(ctx, r)
			defer span.End()
		} else if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = trace.ContextWithSpanContext(ctx, newRoot())
		}
		r = r.WithContext(ctx)
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			requests.With(r.Pattern, strconv.Itoa(sw.status/100)+"xx").Since(start)
			endServer(span, r, sw.status)
		}()
		next.ServeHTTP(sw, r)
	})
}

func (t *Tracer) server(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	return t.tracer.Start(
		ctx, r.Method,
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			attribute.String("http.request.method", r.Method),
			attribute.String("url.path", r.URL.Path),
			attribute.String("network.protocol.version", protocol(r)),
		),
	)
}

func endServer(span trace.Span, r *http.Request, status int) {
	if span == nil {
		return
	}
	if r.Pattern != "" { // what the mux matched: bounded, unlike the path
		span.SetName(r.Pattern)
		span.SetAttributes(attribute.String("http.route", r.Pattern))
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(status))
	}
}

func protocol(r *http.Request) string {
	if r.ProtoMajor == 2 {
		return "2"
	}
	return "1.1"
}

// statusWriter remembers the status. It flushes, for event streams, and unwraps, for
// http.ResponseController.
type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.written {
		w.status, w.written = status, status >= 200
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.written = true
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
