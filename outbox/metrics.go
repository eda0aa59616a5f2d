package outbox

import "github.com/leatdev/leat/internal/telemetry"

// counts are the box's metrics.
type counts struct {
	repeats *telemetry.Counter
}

func newCounts(r *telemetry.Registry) counts {
	return counts{
		repeats: r.Counter("leat_outbox_repeats_total", "Repeats of handled events that the inbox passed over."),
	}
}
