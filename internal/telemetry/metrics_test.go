package telemetry_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/internal/telemetry"
)

// scrape returns leat's own lines of a scrape, sorted as Prometheus sorts them.
func scrape(t *testing.T, r *telemetry.Registry) []string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var own []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "leat_") {
			own = append(own, strings.TrimSpace(line))
		}
	}
	return own
}

func TestServicesShareMetricsAndDifferInTheirLabel(t *testing.T) {
	t.Parallel()
	root := telemetry.NewRegistry()
	for i, service := range []string{"order", "payment"} {
		r := root.For(service)
		events := r.Counter("leat_consumer_events_total", "Events handled.", "outcome")
		events.With("done").Add(float64(i + 1))
		r.Counter("leat_consumer_events_total", "Events handled.", "outcome").With("done").Inc() // made again: the same
		r.Gauge("leat_consumer_queued_records", "Records that wait.").Set(float64(7 + i))
		r.GaugeFunc("leat_outbox_oldest_seconds", "Age of the oldest row.", []string{"topic"}, func(set func(float64, ...string)) {
			set(99, "replaced")
		})
		r.GaugeFunc("leat_outbox_oldest_seconds", "Age of the oldest row.", []string{"topic"}, func(set func(float64, ...string)) {
			set(0.5, "a")
		})
	}
	root.Counter("leat_service_starts_total", "Starts.").Inc()
	want := []string{
		`leat_consumer_events_total{outcome="done",service="order"} 2`,
		`leat_consumer_events_total{outcome="done",service="payment"} 3`,
		`leat_consumer_queued_records{service="order"} 7`,
		`leat_consumer_queued_records{service="payment"} 8`,
		`leat_outbox_oldest_seconds{service="order",topic="a"} 0.5`,
		`leat_outbox_oldest_seconds{service="payment",topic="a"} 0.5`,
		`leat_service_starts_total{service=""} 1`,
	}
	if diff := cmp.Diff(want, scrape(t, root)); diff != "" {
		t.Errorf("scrape (-want +got):\n%s", diff)
	}
	var names []string
	for _, m := range root.Metrics() {
		names = append(names, m.Name+" "+m.Kind+" "+strings.Join(m.Labels, ","))
	}
	wantNames := []string{
		"leat_consumer_events_total counter outcome",
		"leat_consumer_queued_records gauge ",
		"leat_outbox_oldest_seconds gauge topic",
		"leat_service_starts_total counter ",
	}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// Not parallel: allocations are counted for the whole process.
func TestNilRegistryCountsIntoNothing(t *testing.T) {
	var r *telemetry.Registry
	counter := r.For("x").Counter("leat_a_b_total", "Help.", "l")
	gauge := r.Gauge("leat_a_b_records", "Help.")
	histogram := r.Histogram("leat_a_b_seconds", "Help.", nil)
	r.GaugeFunc("leat_a_c_records", "Help.", nil, func(func(float64, ...string)) { t.Error("read") })
	if n := testing.AllocsPerRun(100, func() {
		counter.With("v").Inc()
		gauge.Set(1)
		gauge.Add(1)
		histogram.Since(time.Time{})
		histogram.With("v").Observe(1)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if r.Metrics() != nil {
		t.Error("a nil registry has metrics")
	}
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry()
	c := r.Counter("leat_test_things_total", "Things.", "id")
	for i := range telemetry.MaxSeries + 500 {
		c.With(fmt.Sprint(i)).Inc()
	}
	c.With("0").Inc() // known labels still count
	lines := scrape(t, r)
	if got, want := len(lines), telemetry.MaxSeries+1; got != want {
		t.Errorf("%d series, want %d", got, want)
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{`{id="other",service=""} 500`, `{id="0",service=""} 2`} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestWrongMetricsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make func(r *telemetry.Registry)
		want string
	}{
		{"no prefix", func(r *telemetry.Registry) { r.Counter("kafka_in_records_total", "H.") }, "is not named leat_<room>_<what>_<unit>"},
		{"no what", func(r *telemetry.Registry) { r.Counter("leat_in_total", "H.") }, "is not named"},
		{"upper case", func(r *telemetry.Registry) { r.Counter("leat_kafka_In_total", "H.") }, "is not named"},
		{"counter without total", func(r *telemetry.Registry) { r.Counter("leat_kafka_in_records", "H.") }, "has to end in one of [total]"},
		{"histogram in milliseconds", func(r *telemetry.Registry) { r.Histogram("leat_kafka_send_ms", "H.", nil) }, "has to end in one of [seconds"},
		{"no help", func(r *telemetry.Registry) { r.Gauge("leat_kafka_in_records", "") }, "has no help"},
		{"label service", func(r *telemetry.Registry) { r.Gauge("leat_kafka_in_records", "H.", "service") }, "names the label service"},
		{"two ways", func(r *telemetry.Registry) {
			r.Gauge("leat_kafka_in_records", "H.")
			r.Gauge("leat_kafka_in_records", "H.", "topic")
		}, "declared in two ways"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.want) {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			c.make(telemetry.NewRegistry())
		})
	}
}
