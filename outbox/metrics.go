package outbox

import "github.com/leatdev/leat/internal/telemetry"

// counts are the box's metrics.
type counts struct {
	repeats *telemetry.Counter
	claimed *telemetry.Counter
	orphans *telemetry.Counter
}

func newCounts(r *telemetry.Registry) counts {
	return counts{
		repeats: r.Counter("leat_outbox_repeats_total", "Repeats of handled events that the inbox passed over."),
		claimed: r.Counter("leat_outbox_payloads_total", "Payloads put into the store because their events were too large."),
		orphans: r.Counter("leat_outbox_orphans_total", "Payloads swept from the store because no committed event names them."),
	}
}

// relayCounts are the relay's metrics.
type relayCounts struct {
	published   *telemetry.Counter
	parked      *telemetry.Counter
	takeovers   *telemetry.Counter
	failures    *telemetry.Counter
	stragglers  *telemetry.Counter
	transaction *telemetry.Histogram
}

func newRelayCounts(m *telemetry.Registry, r *Relay) relayCounts {
	seen := func(of func(s *Status) float64) func(set func(float64, ...string)) {
		return func(set func(float64, ...string)) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.shards) > 0 && r.shards[0].state.leading { // the first one speaks for all
				set(of(&r.shards[0].state.seen))
			}
		}
	}
	m.GaugeFunc("leat_outbox_waiting_rows", "Events that wait in the outbox, as the leading relay last saw it; counted up to 100000.", nil,
		seen(func(s *Status) float64 { return float64(s.Rows) }))
	m.GaugeFunc("leat_outbox_delayed_rows", "Events that are not due yet, as the leading relay last saw it; counted up to 100000.", nil,
		seen(func(s *Status) float64 { return float64(s.Delayed) }))
	m.GaugeFunc("leat_outbox_oldest_row_seconds", "Age of the oldest event in the outbox, as the leading relay last saw it.", nil,
		seen(func(s *Status) float64 { return s.Age.Seconds() }))
	m.GaugeFunc("leat_outbox_oldest_writer_seconds", "Age of the oldest transaction that may still write events; PostgreSQL only.", nil,
		seen(func(s *Status) float64 { return s.Writer.Seconds() }))
	m.GaugeFunc("leat_outbox_slot_retained_bytes", "Write-ahead log that PostgreSQL keeps for the outbox's slot in mode wal, as the leading relay last saw it.", nil,
		seen(func(s *Status) float64 {
			if s.Slot == nil {
				return 0
			}
			return float64(s.Slot.Retained)
		}))
	m.GaugeFunc("leat_outbox_relay_state", "How many shards this process's relay leads (1 without shards), 0 where it stands by or is in trouble.", nil,
		func(set func(float64, ...string)) {
			r.mu.Lock()
			defer r.mu.Unlock()
			leads := 0
			for _, s := range r.shards {
				if s.state.leading {
					leads++
				}
			}
			set(float64(leads))
		})
	return relayCounts{
		published:   m.Counter("leat_outbox_published_total", "Events that left the outbox."),
		parked:      m.Counter("leat_outbox_parked_total", "Events that could not leave and were parked."),
		takeovers:   m.Counter("leat_outbox_takeovers_total", "Times that this process's relay took over."),
		failures:    m.Counter("leat_outbox_failures_total", "Errors that ended a relay's work and made it take over anew."),
		stragglers:  m.Counter("leat_outbox_stragglers_total", "Events that only the sweep of the whole table found: the mark was wrong."),
		transaction: m.Histogram("leat_outbox_transaction_seconds", "Time from the first record of a batch to its commit.", nil),
	}
}
