package telemetry

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/leatdev/leat"
)

// Span is one station of a trace. The zero Span records nothing.
type Span struct{ span trace.Span }

// End ends the span; err, where not nil, marks it as failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.RecordError(err)
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// Created records that m was made ("create <topic>") and gives it the context of that span, which the
// spans of its consumers then descend from. With no tracer in ctx it only does what Inject does.
func Created(ctx context.Context, m *leat.Message) {
	t := tracerFrom(ctx)
	if t == nil || m.TraceParent != "" {
		Inject(ctx, m)
		return
	}
	_, span := t.tracer.Start(
		parentOf(ctx), "create "+m.Topic,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.type", "create"),
			attribute.String("messaging.operation.name", "create"),
			attribute.String("messaging.destination.name", m.Topic),
			attribute.String("messaging.message.id", m.ID),
			attribute.String("messaging.message.conversation_id", m.CorrelationID),
			attribute.Int("messaging.message.body.size", len(m.Data)),
			attribute.String("cloudevents.event_type", m.Type),
			attribute.String("cloudevents.event_source", m.Source),
		),
	)
	span.End()
	sc := span.SpanContext()
	m.TraceParent, m.TraceState = formatParent(sc), sc.TraceState().String()
}

// StartProcess starts the span of handling one event ("process <topic>") as a child of the span
// that published it, so that all that one request causes is one trace. With no tracer in ctx it
// returns ctx as it is: Inject then finds the trace in the envelope that leat.NewContext carries.
func StartProcess(ctx context.Context, group string, e *leat.Envelope) (context.Context, Span) {
	t := tracerFrom(ctx)
	if t == nil {
		return ctx, Span{}
	}
	at := e.Position()
	ctx, span := t.tracer.Start(
		Extract(ctx, e.Wire()), "process "+at.Topic,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.consumer.group.name", group),
			attribute.String("messaging.destination.name", at.Topic),
			attribute.String("messaging.destination.partition.id", strconv.Itoa(int(at.Partition))),
			attribute.Int64("messaging.kafka.offset", at.Offset),
			attribute.String("messaging.message.id", e.ID()),
			attribute.String("messaging.message.conversation_id", e.CorrelationID()),
			attribute.Int("messaging.message.body.size", len(e.Raw())),
			attribute.String("cloudevents.event_type", e.Type()),
			attribute.String("cloudevents.event_source", e.Source()),
			attribute.Int("leat.attempt", e.Attempt()),
		),
	)
	return ctx, Span{span}
}

// Recording says whether anybody records the spans of what is done under ctx.
func Recording(ctx context.Context) bool { return tracerFrom(ctx) != nil }

// StartBatch starts the span of handling several events of a topic at once. It is a trace of its own,
// linked to those of the events.
func StartBatch(ctx context.Context, group, topic string, events []*leat.Envelope) (context.Context, Span) {
	t := tracerFrom(ctx)
	if t == nil {
		return ctx, Span{}
	}
	var links []trace.Link
	for _, e := range events {
		if sc := trace.SpanContextFromContext(Extract(context.Background(), e.Wire())); sc.IsValid() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	ctx, span := t.tracer.Start(
		ctx, "process "+topic,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(links...),
		trace.WithAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.consumer.group.name", group),
			attribute.String("messaging.destination.name", topic),
			attribute.Int("messaging.batch.message_count", len(events)),
		),
	)
	return ctx, Span{span}
}

// parentOf is ctx with a parent for a new span: its own, else that of the event being handled.
func parentOf(ctx context.Context) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	if e := leat.FromContext(ctx); e != nil {
		return Extract(ctx, e.Wire())
	}
	return ctx
}
