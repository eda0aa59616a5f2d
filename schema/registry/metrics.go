package registry

import "github.com/leatdev/leat/internal/telemetry"

type metrics struct {
	requests *telemetry.Histogram
	verdicts *telemetry.Counter
}

func newMetrics(r *telemetry.Registry, s *Server) *metrics {
	read := func(of func(*state) float64) func(func(float64, ...string)) {
		return func(set func(float64, ...string)) { s.look(func(st *state) { set(of(st)) }) }
	}
	r.GaugeFunc("leat_registry_live_records", "Versions of schemas that are not deleted.", nil,
		read(func(st *state) float64 { return float64(st.live) }))
	r.GaugeFunc("leat_registry_log_records", "Records that were read from the registry's log.", nil,
		read(func(st *state) float64 { return float64(st.records) }))
	r.GaugeFunc("leat_registry_poison_records", "Records of the registry's log that can't be used and were passed over.", nil,
		read(func(st *state) float64 { return float64(st.poisoned) }))
	r.GaugeFunc("leat_registry_leader_state", "1 while this registry may write to its log.", nil,
		func(set func(float64, ...string)) {
			if _, self := s.cfg.Log.Leader(); self {
				set(1)
			} else {
				set(0)
			}
		})
	return &metrics{
		requests: r.Histogram("leat_registry_request_seconds", "Time of a request, by route and class of status.", nil, "route", "status"),
		verdicts: r.Counter("leat_registry_registrations_total", "Schemas that clients registered, by outcome: new, known, refused.", "outcome"),
	}
}
