package consumer

import (
	"strconv"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/internal/telemetry"
)

// secondsBuckets suit handlers and commits, from 100 microseconds to a minute.
var secondsBuckets = []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60}

// batchBuckets suit batches.
var batchBuckets = []float64{2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500}

// metrics is what the room counts. Outcomes of an event: done, skipped, exhausted (OnExhausted ended
// it), retry, unavailable, given-up.
type metrics struct {
	events        *telemetry.Counter
	seconds       *telemetry.Histogram
	skipped       *telemetry.Counter
	passed        *telemetry.Counter
	spared        *telemetry.Counter
	ackErrors     *telemetry.Counter
	deadLetters   *telemetry.Counter
	letterErrors  *telemetry.Counter
	deferred      *telemetry.Counter
	parkErrors    *telemetry.Counter
	rebalances    *telemetry.Counter
	drain         *telemetry.Histogram
	commits       *telemetry.Counter
	batches       *telemetry.Counter
	batchEvents   *telemetry.Histogram
	commitSeconds *telemetry.Histogram
	seeks         *telemetry.Counter

	transactions       *telemetry.Counter
	transactionSeconds *telemetry.Histogram
	transactionEvents  *telemetry.Counter
}

func newMetrics(r *telemetry.Registry, c *Consumer) *metrics {
	gauge := func(name, help string, value func(PartitionStats) (float64, bool)) {
		r.GaugeFunc(name, help, []string{"topic", "partition"}, func(set func(float64, ...string)) {
			for _, p := range c.Stats().Partitions {
				if v, ok := value(p); ok {
					set(v, p.Topic, strconv.Itoa(int(p.Partition)))
				}
			}
		})
	}
	gauge("leat_consumer_lag_records", "Events that are neither finished nor parked: those in hand, and what can be read of the partition and was not yet. Markers, aborted records and gaps that were read count for nothing.",
		func(p PartitionStats) (float64, bool) { return float64(p.Lag), p.Lag >= 0 })
	gauge("leat_consumer_lag_seconds", "Age of the oldest event that is neither finished nor parked, by its record's time; 0 where there is none.",
		func(p PartitionStats) (float64, bool) { return p.TimeLag.Seconds(), p.TimeLag >= 0 })
	gauge("leat_consumer_undecided_seconds", "How long the last stable offset has stood still below the end of the log, noticed every 5 s: an open or hanging transaction keeps what lies behind it from being read, and from counting as lag.",
		func(p PartitionStats) (float64, bool) { return p.Undecided.Seconds(), true })
	gauge("leat_consumer_queued_records", "Records in memory that are not finished.",
		func(p PartitionStats) (float64, bool) { return float64(p.Queued), true })
	gauge("leat_consumer_queued_bytes", "About what they take.",
		func(p PartitionStats) (float64, bool) { return float64(p.Bytes), true })
	parked := func(value func(PartitionStats) float64) func(PartitionStats) (float64, bool) {
		return func(p PartitionStats) (float64, bool) {
			r := c.routes[p.Topic]
			return value(p), r != nil && r.Parking != nil
		}
	}
	gauge("leat_consumer_parked_keys", "Keys with events in the park topic, or held.", parked(func(p PartitionStats) float64 { return float64(p.ParkedKeys) }))
	gauge("leat_consumer_parked_events", "Events that wait in the park topic.", parked(func(p PartitionStats) float64 { return float64(p.ParkedEvents) }))
	gauge("leat_consumer_parked_seconds", "Time since the first failure of the parked event that has failed for the longest; 0 where none waits.", parked(func(p PartitionStats) float64 { return p.ParkedFor.Seconds() }))
	gauge("leat_consumer_held_keys", "Keys whose events go to the dead letters until they are released.", parked(func(p PartitionStats) float64 { return float64(p.HeldKeys) }))
	gauge("leat_consumer_waiting_partitions", "1 while a partition waits: infrastructure away, dead letter not written, records gone.",
		func(p PartitionStats) (float64, bool) {
			if p.Waits != nil {
				return 1, true
			}
			return 0, true
		})
	gauge("leat_consumer_halted_partitions", "1 while the control topic lets nothing of a partition start.",
		func(p PartitionStats) (float64, bool) {
			if p.Halted != "" {
				return 1, true
			}
			return 0, true
		})
	r.GaugeFunc("leat_consumer_control_state", "1 while the control topic is followed, 0 where it can't be.", nil, func(set func(float64, ...string)) {
		switch s := c.Stats().Control; {
		case s.Topic == "":
		case s.Err == nil:
			set(1)
		default:
			set(0)
		}
	})
	r.GaugeFunc("leat_consumer_control_passed_records", "Records of the control topic that were passed over: unknown (of a later program) or broken.", []string{"why"}, func(set func(float64, ...string)) {
		if s := c.Stats().Control; s.Topic != "" {
			set(float64(s.Unknown), "unknown")
			set(float64(s.Broken), "broken")
		}
	})
	r.GaugeFunc("leat_consumer_hung_handlers", "Attempts that ignore the end of their context.", nil, func(set func(float64, ...string)) {
		set(float64(c.Stats().Hung))
	})
	handlerGauge := func(name, help string, value func(*handler) float64) {
		r.GaugeFunc(name, help, []string{"topic", "type"}, func(set func(float64, ...string)) {
			for _, m := range c.members() {
				m.mu.Lock()
				for _, h := range m.handlers {
					set(value(h), h.Topic.Name, h.Kind.Type)
				}
				m.mu.Unlock()
			}
		})
	}
	handlerGauge("leat_consumer_breaker_state", "The handler's breaker: 0 closed or none, 1 half-open, 2 open.", func(h *handler) float64 {
		if h.breaker == nil {
			return 0
		}
		return float64(h.breaker.State)
	})
	handlerGauge("leat_consumer_limited_events", "Keys whose next event waits for the handler's rate limit.", func(h *handler) float64 {
		if h.limiter == nil {
			return 0
		}
		return float64(h.limiter.Waiting())
	})
	return &metrics{
		events:             r.Counter("leat_consumer_events_total", "Attempts on events, by outcome.", "topic", "type", "outcome"),
		seconds:            r.Histogram("leat_consumer_handle_seconds", "Time of one attempt.", secondsBuckets, "topic", "type"),
		skipped:            r.Counter("leat_consumer_skipped_total", "Events that their handler passed over, by reason.", "topic", "reason"),
		passed:             r.Counter("leat_consumer_unhandled_total", "Events of types that no handler takes, passed over.", "topic"),
		ackErrors:          r.Counter("leat_consumer_share_errors_total", "Times that the brokers of a share group did not take the word that events are done: their locks had run out, and they come again.", "topic"),
		spared:             r.Counter("leat_consumer_spared_total", "Events that did not come again after a restart or hand-over: the group's offset map said that they are finished.", "topic"),
		deadLetters:        r.Counter("leat_consumer_dead_letters_total", "Dead letters written, by reason.", "topic", "reason"),
		deferred:           r.Counter("leat_consumer_deferred_total", "Events that moved to a retry topic, by its number.", "topic", "tier"),
		letterErrors:       r.Counter("leat_consumer_dead_letter_errors_total", "Dead letters, and events for a retry topic, that could not be written at once.", "topic"),
		parkErrors:         r.Counter("leat_consumer_park_errors_total", "Records that could not be written to the park topic; each begins its partition anew.", "topic"),
		rebalances:         r.Counter("leat_consumer_rebalances_total", "Assignments that the group gave this member."),
		drain:              r.Histogram("leat_consumer_revoke_seconds", "Time from a revoke to its last commit.", secondsBuckets),
		batches:            r.Counter("leat_consumer_batches_total", "Batches of at least two events, by outcome: done, partly, failed.", "topic", "type", "outcome"),
		batchEvents:        r.Histogram("leat_consumer_batch_events", "Events in a batch.", batchBuckets, "topic", "type"),
		commits:            r.Counter("leat_consumer_commits_total", "Commits of offsets, by outcome.", "outcome"),
		seeks:              r.Counter("leat_consumer_seeks_total", "Seeks that this member has carried out.", "topic"),
		commitSeconds:      r.Histogram("leat_consumer_commit_seconds", "Time of one commit.", secondsBuckets),
		transactions:       r.Counter("leat_consumer_transactions_total", "Commits of transforms with what left by them, by outcome.", "outcome"),
		transactionSeconds: r.Histogram("leat_consumer_transaction_seconds", "Time of a commit of transforms that succeeded.", secondsBuckets),
		transactionEvents:  r.Counter("leat_consumer_transaction_events_total", "Events whose outputs or dead letters were committed."),
	}
}

// handlerMetrics is one handler's share, looked up once.
type handlerMetrics struct {
	done, skipped, exhausted, retry, unavailable, givenUp *telemetry.Counter
	seconds                                               *telemetry.Histogram

	batchDone, batchPartly, batchFailed *telemetry.Counter // nil: takes no batches
	batchEvents                         *telemetry.Histogram
}

func (m *metrics) handler(h *leat.Handler) handlerMetrics {
	outcome := func(o string) *telemetry.Counter { return m.events.With(h.Topic.Name, h.Kind.Type, o) }
	of := handlerMetrics{
		done: outcome("done"), skipped: outcome("skipped"), exhausted: outcome("exhausted"),
		retry: outcome("retry"), unavailable: outcome("unavailable"), givenUp: outcome("given-up"),
		seconds: m.seconds.With(h.Topic.Name, h.Kind.Type),
	}
	if h.Batch != nil {
		batch := func(o string) *telemetry.Counter { return m.batches.With(h.Topic.Name, h.Kind.Type, o) }
		of.batchDone, of.batchPartly, of.batchFailed = batch("done"), batch("partly"), batch("failed")
		of.batchEvents = m.batchEvents.With(h.Topic.Name, h.Kind.Type)
	}
	return of
}

// batch counts a batch of n events and how it ended: done, partly (some events failed), failed (as a
// whole).
func (m *handlerMetrics) batch(n int, err error, byIndex bool) {
	m.batchEvents.Observe(float64(n))
	switch {
	case err == nil:
		m.batchDone.Inc()
	case byIndex:
		m.batchPartly.Inc()
	default:
		m.batchFailed.Inc()
	}
}

// finished counts an event that ended well.
func (m *handlerMetrics) finished(v attempt.Verdict, s attempt.Stage, c *Consumer, p *partition) {
	switch {
	case v.Skip != "":
		m.skipped.Inc()
		c.metrics.skipped.With(p.at.topic, v.Skip).Inc()
	case s == attempt.Exhausting:
		m.exhausted.Inc()
	default:
		m.done.Inc()
	}
}

// failed counts an attempt that did not.
func (m *handlerMetrics) failed(v attempt.Verdict) {
	switch v.Act {
	case attempt.Again, attempt.Spared:
		m.retry.Inc()
	case attempt.Pause:
		m.unavailable.Inc()
	default:
		m.givenUp.Inc()
	}
}
