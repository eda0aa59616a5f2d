package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracing is where the spans of a process go. A nil Tracing records nothing.
type Tracing struct {
	spans     sdktrace.SpanProcessor
	providers []*sdktrace.TracerProvider
}

// Tracer records the spans of one service. A nil Tracer records nothing.
type Tracer struct{ tracer trace.Tracer }

// OpenTracing reads OpenTelemetry's environment variables: spans go out by OTLP over HTTP where
// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set or OTEL_TRACES_EXPORTER
// is otlp; OTEL_TRACES_EXPORTER=none and OTEL_SDK_DISABLED=true turn that off. Headers, timeouts,
// certificates, OTEL_TRACES_SAMPLER with its argument, OTEL_RESOURCE_ATTRIBUTES and the batch
// processor's OTEL_BSP_* are the SDK's. Where nothing is set the result is nil, and valid.
func OpenTracing(ctx context.Context) (*Tracing, error) {
	on, err := wanted(os.Getenv)
	if err != nil || !on {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the OTLP exporter: %w", err)
	}
	return NewTracing(sdktrace.NewBatchSpanProcessor(exporter)), nil
}

// NewTracing is tracing into the given processor.
func NewTracing(spans sdktrace.SpanProcessor) *Tracing { return &Tracing{spans: spans} }

func wanted(env func(string) string) (bool, error) {
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	endpoint := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") + env("OTEL_EXPORTER_OTLP_ENDPOINT")
	switch exporter := env("OTEL_TRACES_EXPORTER"); exporter {
	case "none":
		return false, nil
	case "":
		if endpoint == "" {
			return false, nil
		}
	case "otlp":
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: leat exports by otlp, or not at all (none)", exporter)
	}
	protocol := env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = env("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol != "" && protocol != "http/protobuf" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: leat speaks http/protobuf (a collector's port 4318)", protocol)
	}
	return true, nil
}

// Tracer is the tracer of the named service. Call it before Run, from one goroutine.
func (t *Tracing) Tracer(service string) (*Tracer, error) {
	if t == nil {
		return nil, nil
	}
	res, err := resource.New(
		context.Background(),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv(),
		resource.WithAttributes(attribute.String("service.name", service)),
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe service %s to OpenTelemetry (OTEL_RESOURCE_ATTRIBUTES?): %w", service, err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(t.spans), sdktrace.WithResource(res))
	t.providers = append(t.providers, p)
	return &Tracer{p.Tracer("github.com/leatdev/leat")}, nil
}

// Close sends what is still held and ends the export. ctx bounds the wait.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	var errs []error
	for _, p := range t.providers {
		errs = append(errs, p.Shutdown(ctx))
	}
	if err := errors.Join(append(errs, t.spans.Shutdown(ctx))...); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

type tracerKey struct{ _ byte }

// NewContext carries the tracer to all that is done under ctx. A nil tracer leaves ctx as it is.
func NewContext(ctx context.Context, t *Tracer) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, tracerKey{}, t)
}

func tracerFrom(ctx context.Context) *Tracer {
	t, _ := ctx.Value(tracerKey{}).(*Tracer)
	return t
}
