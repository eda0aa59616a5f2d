package kafka

import "github.com/leatdev/leat/internal/telemetry"

// producerMetrics counts what producers send.
type producerMetrics struct {
	acked, failed *telemetry.Counter
}

func newProducerMetrics(reg *telemetry.Registry) producerMetrics {
	if reg == nil {
		return producerMetrics{}
	}
	c := reg.Counter("leat_kafka_sent_events_total", "Events that a producer sent, by outcome: acked or failed.", "outcome")
	return producerMetrics{acked: c.With("acked"), failed: c.With("failed")}
}

func (m producerMetrics) count(err error) {
	if err != nil {
		m.failed.Inc()
		return
	}
	m.acked.Inc()
}
