package service_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/leattest/stack"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/registry"
	"github.com/leatdev/leat/service"
)

func TestReferenceOfSettings(t *testing.T) {
	t.Parallel()
	golden(t, "../docs/reference/config.md", `# Configuration

A service, and `+"`leat run`"+`, takes each setting from the first of these that has it: flag, environment, file, default. `+"`--print-config`"+` shows every value with its origin, secrets redacted.

`+service.NewSettings().Reference()+`
The file is YAML, named by `+"`--config`"+` or `+"`LEAT_CONFIG`"+`; the dots of a setting are levels, and a name that is not known is refused with its line:

`+"```yaml"+`
kafka:
  brokers: [kafka-1:9092, kafka-2:9092]
  properties:
    security.protocol: SASL_SSL
    sasl.mechanism: SCRAM-SHA-512
    sasl.username: payment
    sasl.password: ${file:/run/secrets/kafka}
database:
  url: postgres://payment:${env:PG_PASSWORD}@db/shop
listen: 0.0.0.0:8080
`+"```"+`

Kafka client properties go by Java's or librdkafka's names: `+"`-X name=value`"+`, repeated for more, or `+"`LEAT_KAFKA_X_SASL_PASSWORD`"+` for `+"`sasl.password`"+`, or below `+"`kafka.properties`"+` in the file. They win over what leat itself sets. `+"`group.instance.id`"+` makes the members static, `+"`group.protocol`"+` is classic or consumer (KIP-848). `+"`${env:NAME}`"+` and `+"`${file:PATH}`"+` are resolved in them and in `+"`database.url`"+`.

Traces follow OpenTelemetry's own variables: `+"`OTEL_EXPORTER_OTLP_ENDPOINT`"+` (OTLP over HTTP, a collector's port 4318) turns them on, `+"`OTEL_SDK_DISABLED`"+` and `+"`OTEL_TRACES_EXPORTER=none`"+` off; `+"`OTEL_TRACES_SAMPLER`"+`, `+"`OTEL_RESOURCE_ATTRIBUTES`"+`, `+"`OTEL_EXPORTER_OTLP_HEADERS`"+` and the rest mean what they mean everywhere. `+"`OTEL_SERVICE_NAME`"+` renames the service of a process that runs one. Without any of them nothing is recorded, and every event still carries a trace id.

HTTP: `+"`/livez`"+` says that the process answers, `+"`/readyz`"+` which part of which service is not ready and why, `+"`/metrics`"+` is for Prometheus. Routes answer 503 until everything has started and from when the drain begins. A request's body may have 1 MiB.

The drain after SIGTERM: no new requests, requests in hand answered, events in hand handled and committed, parts returned, the outbox emptied; what is not done within `+"`drain.timeout`"+` is cut off and comes again. A second signal ends the process at once. Give an orchestrator's grace period a few seconds more than `+"`drain.delay`"+` and `+"`drain.timeout`"+` together.
`)
}

// What the code registers is what the reference lists, and the other way around.
func TestReferenceOfMetrics(t *testing.T) {
	t.Parallel()
	worker := service.Config{
		Name: "worker", Owns: []leat.Topic{results},
		Handlers: []leat.Handler{outbox.Once(requests, func(context.Context, *outbox.Tx, *leat.Event[asked]) error { return nil })},
	}
	var metrics []telemetry.Metric
	stack.Run(t, stack.Config{Services: []service.Config{asking(), worker}}, func(_ *testing.T, s *stack.Stack) {
		metrics = s.Start().Host.Registry().Metrics()
	})
	metrics = append(metrics, registryMetrics(t)...)
	slices.SortFunc(metrics, func(a, b telemetry.Metric) int { return strings.Compare(a.Name, b.Name) })
	var table strings.Builder
	var listed []string
	for _, m := range metrics {
		listed = append(listed, m.Name)
		labels := "service"
		for _, l := range m.Labels {
			labels += ", " + l
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Name, m.Kind, labels, m.Help)
	}
	for _, name := range registered(t) {
		if !slices.Contains(listed, name) {
			t.Errorf("%s is in the code, and a host with all its parts does not have it", name)
		}
	}
	golden(t, "../docs/reference/metrics.md", `# Metrics

What a process serves at `+"`/metrics`"+`, beside Go's own and the process's. Names are leat_room_what_unit. A metric holds at most `+fmt.Sprint(telemetry.MaxSeries)+` series; label values beyond are counted together as "other".

| metric | kind | labels | what it says |
|---|---|---|---|
`+table.String())
}

// registryMetrics are those of the schema registry, which is a process of its own.
func registryMetrics(t *testing.T) []telemetry.Metric {
	t.Helper()
	metrics := telemetry.NewRegistry().For("registry")
	_, err := registry.New(registry.Config{Log: registry.NewMemory(), Languages: []schema.Language{avro.Language}, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	return metrics.Metrics()
}

var registration = regexp.MustCompile(`\.(?:Counter|Gauge|Histogram|GaugeFunc)\(\s*"(leat_[a-z0-9_]+)"`)

// registered are the names of the metrics in the module's code.
func registered(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, room := range []string{"kafka", "schema", "schema/registry", "sqldb", "consumer", "outbox", "service", "lag"} {
		files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			code, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range registration.FindAllStringSubmatch(string(code), -1) {
				names = append(names, m[1])
			}
		}
	}
	if len(names) < 10 {
		t.Fatalf("only %v found in the code", names)
	}
	return names
}
