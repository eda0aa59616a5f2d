package telemetry

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Counter is a number that only grows. A counter with labels counts after With. A nil Counter
// counts into nothing.
type Counter struct {
	vec
	one prometheus.Counter
}

// With is the counter of one set of label values; keep it where it is used often.
func (c *Counter) With(values ...string) *Counter {
	if c == nil {
		return nil
	}
	return &Counter{c.vec, c.f.counter.WithLabelValues(c.labels(values)...)}
}

// Inc adds one.
func (c *Counter) Inc() { c.Add(1) }

// Add adds n, which is never negative.
func (c *Counter) Add(n float64) {
	if c != nil {
		c.one.Add(n)
	}
}

// Gauge is a number that goes up and down. A gauge with labels is set after With. A nil Gauge keeps
// nothing.
type Gauge struct {
	vec
	one prometheus.Gauge
}

// With is the gauge of one set of label values.
func (g *Gauge) With(values ...string) *Gauge {
	if g == nil {
		return nil
	}
	return &Gauge{g.vec, g.f.gauge.WithLabelValues(g.labels(values)...)}
}

// Set sets the value.
func (g *Gauge) Set(v float64) {
	if g != nil {
		g.one.Set(v)
	}
}

// Add adds v, which may be negative.
func (g *Gauge) Add(v float64) {
	if g != nil {
		g.one.Add(v)
	}
}

// Histogram counts observations in buckets. One with labels observes after With. A nil Histogram
// observes nothing.
type Histogram struct {
	vec
	one prometheus.Observer
}

// With is the histogram of one set of label values.
func (h *Histogram) With(values ...string) *Histogram {
	if h == nil {
		return nil
	}
	return &Histogram{h.vec, h.f.histogram.WithLabelValues(h.labels(values)...)}
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	if h != nil {
		h.one.Observe(v)
	}
}

// Since counts the seconds since start.
func (h *Histogram) Since(start time.Time) {
	if h != nil {
		h.one.Observe(time.Since(start).Seconds())
	}
}

// vec is what the three kinds share: the family and the service that they count for.
type vec struct {
	f       *family
	service string
}

// labels puts the service before values, and "other" in place of them where the family is full.
func (v vec) labels(values []string) []string {
	all := make([]string, 0, 1+len(values))
	all = append(append(all, v.service), values...)
	key := strings.Join(all, "\x00")
	if _, known := v.f.known.Load(key); known {
		return all
	}
	if v.f.series.Load() < MaxSeries {
		if _, raced := v.f.known.LoadOrStore(key, struct{}{}); !raced {
			v.f.series.Add(1)
		}
		return all
	}
	for i := range values {
		all[1+i] = "other"
	}
	return all
}

type readFunc func(set func(value float64, values ...string))

// readings collects a GaugeFunc of each service.
type readings struct {
	desc *prometheus.Desc

	mu sync.Mutex
	by map[string]readFunc
}

// Describe implements prometheus.Collector.
func (r *readings) Describe(ch chan<- *prometheus.Desc) { ch <- r.desc }

// Collect implements prometheus.Collector. The readers run outside the lock: they may take locks of
// their rooms.
func (r *readings) Collect(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	by := make(map[string]readFunc, len(r.by))
	for service, read := range r.by {
		by[service] = read
	}
	r.mu.Unlock()
	for service, read := range by {
		seen := 0
		read(func(value float64, values ...string) {
			if seen++; seen > MaxSeries {
				return
			}
			labels := append([]string{service}, values...)
			m, err := prometheus.NewConstMetric(r.desc, prometheus.GaugeValue, value, labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(r.desc, err)
			}
			ch <- m
		})
	}
}
