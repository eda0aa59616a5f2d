package telemetry

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MaxSeries is how many series one metric holds; further label values are counted together under
// the value "other", so that a label that grows without end can't fill the process.
const MaxSeries = 2000

// Registry holds the metrics of one process. Registries made by For share everything and differ in
// the label service. A nil Registry is valid and counts into nothing.
type Registry struct {
	*shared
	service string
}

type shared struct {
	prom *prometheus.Registry

	mu   sync.Mutex
	made map[string]*family
}

// Metric describes one metric, for the reference.
type Metric struct {
	Name, Kind, Help string
	Labels           []string // without the label service, which all have
}

type family struct {
	Metric
	counter   *prometheus.CounterVec
	gauge     *prometheus.GaugeVec
	histogram *prometheus.HistogramVec
	reads     *readings
	series    atomic.Int64
	known     sync.Map // joined label values -> struct{}
}

// NewRegistry makes a registry that also tells of the Go runtime and the process.
func NewRegistry() *Registry {
	r := &Registry{shared: &shared{prom: prometheus.NewRegistry(), made: map[string]*family{}}}
	r.prom.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// For is the registry with the label service set for all metrics made through it.
func (r *Registry) For(service string) *Registry {
	if r == nil {
		return nil
	}
	return &Registry{shared: r.shared, service: service}
}

// Handler serves the metrics in Prometheus' text format.
func (r *Registry) Handler() http.Handler {
	if r == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(r.prom, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Metrics lists leat's own metrics by name.
func (r *Registry) Metrics() []Metric {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Metric
	for _, f := range r.made {
		all = append(all, f.Metric)
	}
	slices.SortFunc(all, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Counter only grows; its name ends in _total. Made twice it is the same counter.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	f := r.family(Metric{Name: name, Kind: "counter", Help: help, Labels: labels}, func(f *family) prometheus.Collector {
		f.counter = prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, withService(labels))
		return f.counter
	})
	if f == nil {
		return nil
	}
	c := &Counter{vec: vec{f, r.service}}
	if len(labels) == 0 {
		c.one = f.counter.WithLabelValues(r.service)
	}
	return c
}

// Gauge goes up and down.
func (r *Registry) Gauge(name, help string, labels ...string) *Gauge {
	f := r.family(Metric{Name: name, Kind: "gauge", Help: help, Labels: labels}, func(f *family) prometheus.Collector {
		f.gauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, withService(labels))
		return f.gauge
	})
	if f == nil {
		return nil
	}
	g := &Gauge{vec: vec{f, r.service}}
	if len(labels) == 0 {
		g.one = f.gauge.WithLabelValues(r.service)
	}
	return g
}

// Histogram counts observations in buckets with the given upper bounds; nil: [Seconds].
func (r *Registry) Histogram(name, help string, buckets []float64, labels ...string) *Histogram {
	if buckets == nil {
		buckets = Seconds
	}
	f := r.family(Metric{Name: name, Kind: "histogram", Help: help, Labels: labels}, func(f *family) prometheus.Collector {
		f.histogram = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, withService(labels))
		return f.histogram
	})
	if f == nil {
		return nil
	}
	h := &Histogram{vec: vec{f, r.service}}
	if len(labels) == 0 {
		h.one = f.histogram.WithLabelValues(r.service)
	}
	return h
}

// Seconds are the bucket bounds for durations from half a millisecond to two minutes.
var Seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}

// GaugeFunc is a gauge whose values are read at each scrape: read calls set once per series. A
// later GaugeFunc of the same name and service takes the place of the earlier one, so that a room
// that is made anew is the one that is seen.
func (r *Registry) GaugeFunc(name, help string, labels []string, read func(set func(value float64, values ...string))) {
	f := r.family(Metric{Name: name, Kind: "gauge", Help: help, Labels: labels}, func(f *family) prometheus.Collector {
		f.reads = &readings{desc: prometheus.NewDesc(name, help, withService(labels), nil), by: map[string]readFunc{}}
		return f.reads
	})
	if f == nil {
		return
	}
	f.reads.mu.Lock()
	defer f.reads.mu.Unlock()
	f.reads.by[r.service] = read
}

func withService(labels []string) []string { return append([]string{"service"}, labels...) }

func (r *Registry) family(m Metric, build func(*family) prometheus.Collector) *family {
	if r == nil {
		return nil
	}
	if err := checkName(m); err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.made[m.Name]; f != nil {
		if f.Kind != m.Kind || !slices.Equal(f.Labels, m.Labels) {
			panic(fmt.Sprintf("metric %s is declared in two ways: %s%v and %s%v", m.Name, f.Kind, f.Labels, m.Kind, m.Labels))
		}
		return f
	}
	f := &family{Metric: m}
	r.prom.MustRegister(build(f))
	r.made[m.Name] = f
	return f
}

var (
	nameShape = regexp.MustCompile(`^leat_[a-z0-9]+(_[a-z0-9]+)+$`)
	units     = map[string][]string{
		"counter":   {"total"},
		"histogram": {"seconds", "bytes", "records", "events", "rows", "attempts"},
		"gauge": {
			"seconds", "bytes", "ratio", "info", "state", "records", "events", "rows", "partitions",
			"lanes", "keys", "members", "clients", "connections", "writers", "handlers", "services",
		},
	}
)

// checkName holds a metric to leat_<room>_<what>_<unit>.
func checkName(m Metric) error {
	last := m.Name[strings.LastIndexByte(m.Name, '_')+1:]
	switch {
	case !nameShape.MatchString(m.Name) || strings.Count(m.Name, "_") < 3:
		return fmt.Errorf("metric %q is not named leat_<room>_<what>_<unit>", m.Name)
	case !slices.Contains(units[m.Kind], last):
		return fmt.Errorf("metric %q is a %s and has to end in one of %v", m.Name, m.Kind, units[m.Kind])
	case m.Help == "":
		return fmt.Errorf("metric %q has no help", m.Name)
	case slices.Contains(m.Labels, "service"):
		return fmt.Errorf("metric %q names the label service, which all metrics have", m.Name)
	}
	return nil
}
