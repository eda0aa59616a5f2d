// Package telemetry is how leat tells what it does: traces, metrics and the ids in log lines.
//
// # What
//
// A W3C trace context that travels from the HTTP edge through the outbox row and the record's
// headers to the last consumer; spans for its stations, recorded where OpenTelemetry's environment
// variables name an exporter; a Registry of Prometheus metrics with small types that count into
// nothing when nil; a slog handler that adds the ids of the event at hand.
//
// # Use
//
//	reg := telemetry.NewRegistry()
//	handled := reg.For("payment").Counter("leat_consumer_events_total", "Events handled.", "outcome")
//	handled.With("done").Inc()
//
//	telemetry.Created(ctx, &m)                           // whoever writes a message
//	ctx, span := telemetry.StartProcess(ctx, group, env) // whoever handles one
//	defer func() { span.End(err) }()
//
// # Guarantees
//
// All events that one request causes carry its trace id, whether spans are recorded or not. With no
// exporter a station costs one context lookup and nothing is allocated. A metric's name says its
// room and unit, and a metric never holds more than MaxSeries series.
//
// # Failure
//
// A wrong metric name, or one metric declared in two ways, is a bug of ours and panics where the
// room is made. An exporter that is away loses spans and disturbs nobody. A traceparent that can't
// be read is treated as absent.
//
// # Test
//
// Tables for names and contexts, an exporter in memory for spans, a benchmark for the price.
package telemetry
