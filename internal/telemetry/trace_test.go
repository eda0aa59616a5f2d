package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
)

const (
	parent  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceID = "0af7651916cd43dd8448eb211c80319c"
)

// fakeWire is a record whose headers and attributes are given.
type fakeWire struct{ headers, attributes map[string]string }

func (fakeWire) Position() leat.Position {
	return leat.Position{Topic: "shop.orders", Partition: 3, Offset: 42}
}
func (fakeWire) Timestamp() time.Time               { return time.Time{} }
func (fakeWire) Key() []byte                        { return nil }
func (fakeWire) Value() []byte                      { return []byte("{}") }
func (w fakeWire) Attribute(name string) string     { return w.attributes[name] }
func (fakeWire) Headers() iter.Seq2[string, []byte] { return func(func(string, []byte) bool) {} }
func (w fakeWire) Header(name string) []byte {
	if v, ok := w.headers[name]; ok {
		return []byte(v)
	}
	return nil
}

// wireOf is m as it arrives.
func wireOf(m *leat.Message) fakeWire {
	return fakeWire{
		headers:    map[string]string{"traceparent": m.TraceParent, "tracestate": m.TraceState},
		attributes: map[string]string{"id": m.ID, "type": m.Type, "correlationid": m.CorrelationID},
	}
}

func handling(ctx context.Context, w leat.Wire) context.Context {
	return leat.NewContext(ctx, leat.NewEnvelope(w, nil, nil, 1))
}

func TestInjectFindsTheTrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                  string
		ctx                   context.Context
		wantParent, wantState string // "new": a fresh valid one
	}{
		{"nothing", context.Background(), "new", ""},
		{"event with headers", handling(context.Background(), fakeWire{headers: map[string]string{"traceparent": parent, "tracestate": "a=b"}}), parent, "a=b"},
		{"event with attributes", handling(context.Background(), fakeWire{attributes: map[string]string{"traceparent": parent, "tracestate": "a=b"}}), parent, "a=b"},
		{"event with rubbish", handling(context.Background(), fakeWire{headers: map[string]string{"traceparent": "\x00rubbish"}}), "new", ""},
		{"event without", handling(context.Background(), fakeWire{}), "new", ""},
		{"span before event", telemetry.Extract(handling(context.Background(), fakeWire{headers: map[string]string{"traceparent": strings.Replace(parent, "0af", "1bf", 1)}}), fakeWire{headers: map[string]string{"traceparent": parent}}), parent, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var m leat.Message
			telemetry.Inject(c.ctx, &m)
			if c.wantParent == "new" {
				if len(m.TraceParent) != len(parent) || !strings.HasSuffix(m.TraceParent, "-00") || m.TraceParent == parent {
					t.Errorf("traceparent %q is no new unsampled one", m.TraceParent)
				}
			} else if m.TraceParent != c.wantParent || m.TraceState != c.wantState {
				t.Errorf("got %q %q, want %q %q", m.TraceParent, m.TraceState, c.wantParent, c.wantState)
			}
			was := m.TraceParent
			if telemetry.Inject(context.Background(), &m); m.TraceParent != was {
				t.Error("a second Inject changed the message")
			}
		})
	}
}

func tracing(t *testing.T, service string) (*telemetry.Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	tr := telemetry.NewTracing(sdktrace.NewSimpleSpanProcessor(exporter))
	tracer, err := tr.Tracer(service)
	if err != nil {
		t.Fatal(err)
	}
	return tracer, exporter
}

// One request, the event it publishes, the handler of it in another process and the event that this
// one publishes: one chain of spans, or one trace id where nobody records.
func TestOneRequestIsOneTrace(t *testing.T) {
	t.Parallel()
	story := func(edge, worker *telemetry.Tracer) (first, second leat.Message) {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
			first = leat.Message{ID: "e1", Topic: "shop.orders", Type: "created"}
			telemetry.Created(r.Context(), &first)
			w.WriteHeader(http.StatusAccepted)
		})
		telemetry.Edge(edge, nil, mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/orders/7", nil))
		e := leat.NewEnvelope(wireOf(&first), nil, nil, 1)
		ctx, span := telemetry.StartProcess(telemetry.NewContext(t.Context(), worker), "payment", e)
		ctx = leat.NewContext(ctx, e)
		second = leat.Message{ID: "e2", Topic: "shop.payments"}
		telemetry.Created(ctx, &second)
		span.End(errors.New("no luck"))
		return first, second
	}
	t.Run("recorded", func(t *testing.T) {
		t.Parallel()
		tracer, exporter := tracing(t, "shop")
		_, second := story(tracer, tracer)
		spans := map[string]tracetest.SpanStub{}
		for _, s := range exporter.GetSpans() {
			spans[s.Name] = s
		}
		chain := []string{"POST /orders/{id}", "create shop.orders", "process shop.orders", "create shop.payments"}
		kinds := []trace.SpanKind{trace.SpanKindServer, trace.SpanKindProducer, trace.SpanKindConsumer, trace.SpanKindProducer}
		for i, name := range chain {
			s, ok := spans[name]
			if !ok {
				t.Fatalf("no span %q among %d", name, len(spans))
			}
			if s.SpanKind != kinds[i] {
				t.Errorf("%s has kind %v", name, s.SpanKind)
			}
			if i > 0 && s.Parent.SpanID() != spans[chain[i-1]].SpanContext.SpanID() {
				t.Errorf("%s is no child of %s", name, chain[i-1])
			}
		}
		if got := spans["process shop.orders"]; got.Status.Description != "no luck" {
			t.Errorf("status %+v", got.Status)
		}
		attrs := attribute.NewSet(spans["process shop.orders"].Attributes...)
		if v, _ := attrs.Value("messaging.kafka.offset"); v.AsInt64() != 42 {
			t.Errorf("attributes %v", attrs.Encoded(attribute.DefaultEncoder()))
		}
		last := spans["create shop.payments"].SpanContext
		if want := "00-" + last.TraceID().String() + "-" + last.SpanID().String() + "-01"; second.TraceParent != want {
			t.Errorf("the message carries %s, want %s", second.TraceParent, want)
		}
		if v, _ := spans["create shop.orders"].Resource.Set().Value("service.name"); v.AsString() != "shop" {
			t.Errorf("service.name %q", v.AsString())
		}
	})
	t.Run("not recorded", func(t *testing.T) {
		t.Parallel()
		first, second := story(nil, nil)
		if first.TraceParent == "" || first.TraceParent != second.TraceParent {
			t.Errorf("traceparent %q became %q", first.TraceParent, second.TraceParent)
		}
	})
	t.Run("edge not recorded", func(t *testing.T) {
		t.Parallel()
		tracer, _ := tracing(t, "payment")
		first, second := story(nil, tracer)
		if first.TraceParent[3:35] != second.TraceParent[3:35] {
			t.Errorf("trace of %q became that of %q", first.TraceParent, second.TraceParent)
		}
	})
}

func TestEdgeTakesTheCallersTrace(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("traceparent", parent)
	var got string
	telemetry.Edge(nil, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = telemetry.TraceID(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), r)
	if got != traceID {
		t.Errorf("trace %q, want %q", got, traceID)
	}
}

func TestRecordedResponsesStillFlush(t *testing.T) {
	t.Parallel()
	tracer, exporter := tracing(t, "shop")
	w := httptest.NewRecorder()
	telemetry.Edge(tracer, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		w.(http.Flusher).Flush()
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !w.Flushed || w.Code != http.StatusTeapot {
		t.Errorf("flushed %v, code %d", w.Flushed, w.Code)
	}
	attrs := attribute.NewSet(exporter.GetSpans()[0].Attributes...)
	if v, _ := attrs.Value("http.response.status_code"); v.AsInt64() != http.StatusTeapot {
		t.Errorf("status %v", v.AsInt64())
	}
}

func TestTracingFollowsTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		on   bool
		err  string
	}{
		{"unset", nil, false, ""},
		{"endpoint", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, true, ""},
		{"traces endpoint", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, true, ""},
		{"exporter", map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		{"none", map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, false, ""},
		{"disabled", map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, false, ""},
		{"other exporter", map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, "by otlp"},
		{"grpc", map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "http/protobuf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
				t.Setenv(name, c.env[name])
			}
			tr, err := telemetry.OpenTracing(t.Context())
			if (tr != nil) != c.on || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("tracing %v, error %v", tr != nil, err)
			}
			if err := tr.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// A collector gets the spans, with the names that the environment gives.
func TestSpansReachACollector(t *testing.T) {
	got := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		got <- r.URL.Path + " " + r.Header.Get("X-Tenant") + " " + body.String()
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	tr, err := telemetry.OpenTracing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := tr.Tracer("payment")
	if err != nil {
		t.Fatal(err)
	}
	m := leat.Message{Topic: "shop.payments"}
	telemetry.Created(telemetry.NewContext(t.Context(), tracer), &m)
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := <-got
	for _, want := range []string{"/v1/traces blue ", "payment", "create shop.payments", "deployment.environment.name"} {
		if !strings.Contains(sent, want) {
			t.Errorf("no %q in %q", want, sent)
		}
	}
}

func TestLogLinesCarryTheIds(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(telemetry.LogHandler(slog.NewJSONHandler(&out, nil))).With(telemetry.KeyService, "payment")
	line := func(ctx context.Context, args ...any) map[string]any {
		t.Helper()
		out.Reset()
		log.InfoContext(ctx, "m", args...)
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		if strings.Count(out.String(), `"event_id"`) > 1 {
			t.Errorf("event_id twice in %s", out.String())
		}
		return got
	}
	w := fakeWire{headers: map[string]string{"traceparent": parent}, attributes: map[string]string{"id": "e1", "correlationid": "c1"}}
	got := line(handling(t.Context(), w))
	for key, want := range map[string]string{"service": "payment", "event_id": "e1", "correlation_id": "c1", "trace_id": traceID} {
		if got[key] != want {
			t.Errorf("%s is %v, want %s", key, got[key], want)
		}
	}
	if got := line(handling(t.Context(), w), "event_id", "mine"); got["event_id"] != "mine" {
		t.Errorf("the line's own event_id became %v", got["event_id"])
	}
	if got := line(t.Context()); len(got) != 4 {
		t.Errorf("a line without an event got %v", got)
	}
}

// Not parallel: allocations are counted for the whole process.
func TestNotRecordingAllocatesNothing(t *testing.T) {
	e := leat.NewEnvelope(wireOf(&leat.Message{ID: "e1", TraceParent: parent}), nil, nil, 1)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		_, span := telemetry.StartProcess(ctx, "g", e)
		span.End(nil)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkProcess(b *testing.B) {
	e := leat.NewEnvelope(wireOf(&leat.Message{ID: "e1", TraceParent: parent}), nil, nil, 1)
	b.Run("not recording", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			_, span := telemetry.StartProcess(ctx, "g", e)
			span.End(nil)
		}
	})
	b.Run("recording", func(b *testing.B) {
		tr := telemetry.NewTracing(sdktrace.NewSimpleSpanProcessor(tracetest.NewNoopExporter()))
		tracer, err := tr.Tracer("g")
		if err != nil {
			b.Fatal(err)
		}
		ctx := telemetry.NewContext(b.Context(), tracer)
		b.ReportAllocs()
		for b.Loop() {
			_, span := telemetry.StartProcess(ctx, "g", e)
			span.End(nil)
		}
	})
}

func TestRootTraceIsTheEventsID(t *testing.T) {
	t.Parallel()
	id := leat.NewID()
	m := leat.Message{ID: id}
	telemetry.Inject(t.Context(), &m)
	if got, want := m.TraceParent[3:35], strings.ReplaceAll(id, "-", ""); got != want {
		t.Errorf("trace id %s, want the event's %s", got, want)
	}
	for _, id := range []string{"", "order-1", "019AA7C2-5B6E-7C1A-9D0E-3F2B1A4C5D6E", "019aa7c2-5b6e-7c1a-0000-000000000000", "019aa7c2-5b6e-7c1a-9d0e+3f2b1a4c5d6e"} {
		m := leat.Message{ID: id}
		telemetry.Inject(t.Context(), &m)
		if telemetry.TraceID(handling(t.Context(), wireOf(&m))) == "" {
			t.Errorf("of event %q the trace context is %q", id, m.TraceParent)
		}
	}
}
