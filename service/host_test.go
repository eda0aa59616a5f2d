package service_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), run with -update if this is meant:\n%s", path, diff)
	}
}

type asked struct {
	ID string `json:"id"`
}

func (asked) EventType() string  { return "test.thing.asked.v1" }
func (e asked) EventKey() string { return e.ID }

type done struct {
	ID string `json:"id"`
}

func (done) EventType() string  { return "test.thing.done.v1" }
func (e done) EventKey() string { return e.ID }

var (
	requests = leat.Topic{Name: "test.requests", Carries: []any{asked{}}, Partitions: 2}
	results  = leat.Topic{Name: "test.results", Carries: []any{done{}}, Partitions: 2, Config: map[string]string{"retention.ms": "-1"}}
)

func routes(r service.Routes) func(*service.Service) service.Routes {
	return func(*service.Service) service.Routes { return r }
}

func nothing(http.ResponseWriter, *http.Request) {}

func ignore(context.Context, *leat.Event[asked]) error { return nil }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestHostRefusesWhatCantRun(t *testing.T) {
	t.Parallel()
	once := outbox.Once(requests, func(context.Context, *outbox.Tx, *leat.Event[asked]) error { return nil })
	part := func(name string) service.Part {
		return service.Part{Name: name, Run: func(context.Context, *service.Service) error { return nil }}
	}
	for _, c := range []struct {
		name     string
		cfg      service.HostConfig
		services []service.Config
		want     string
	}{
		{"no services", service.HostConfig{}, nil, "no Services"},
		{"bad name", service.HostConfig{}, []service.Config{{Name: "Order"}}, `service name "Order"`},
		{"no name", service.HostConfig{}, []service.Config{{}}, `service name ""`},
		{"same name", service.HostConfig{}, []service.Config{{Name: "a"}, {Name: "a"}}, "service a is there twice"},
		{"two owners", service.HostConfig{}, []service.Config{{Name: "a", Owns: []leat.Topic{requests}}, {Name: "b", Owns: []leat.Topic{requests}}}, "topic test.requests is owned by a and by b"},
		{"no database for once", service.HostConfig{}, []service.Config{{Name: "a", Handlers: []leat.Handler{once}}}, "service a needs a database"},
		{"no database for migrations", service.HostConfig{}, []service.Config{{Name: "a", Migrations: fstest.MapFS{}}}, "service a needs a database"},
		{"strange database", service.HostConfig{DatabaseURL: "mysql://h/db"}, []service.Config{{Name: "a"}}, "is neither postgres"},
		{"a mode that SQLite has not", service.HostConfig{DatabaseURL: "sqlite:x", OutboxMode: outbox.ModeWAL}, []service.Config{{Name: "a"}}, "outbox mode wal needs PostgreSQL: on SQLite set outbox.mode to exact"},
		{"handler twice", service.HostConfig{DatabaseURL: "sqlite:x"}, []service.Config{{Name: "a", Handlers: []leat.Handler{once, once}}}, "two handlers of test.thing.asked.v1 on test.requests"},
		{"handler of a type that is not there", service.HostConfig{}, []service.Config{{Name: "a", Handlers: []leat.Handler{consumer.On(results, ignore)}}}, "does not carry"},
		{"part without name", service.HostConfig{}, []service.Config{{Name: "a", Parts: []service.Part{part("")}}}, "a part needs a Name and Run"},
		{"part name taken", service.HostConfig{}, []service.Config{{Name: "a", Parts: []service.Part{part("x"), part("x")}}}, `part name "x" is taken`},
		{"part named like ours", service.HostConfig{}, []service.Config{{Name: "a", Parts: []service.Part{part("relay")}}}, `part name "relay" is taken`},
		{"prefix", service.HostConfig{Prefix: "a b"}, []service.Config{{Name: "a"}}, `prefix "a b"`},
		{"negative", service.HostConfig{DrainTimeout: -1}, []service.Config{{Name: "a"}}, "can't be negative"},
		{"Kafka", service.HostConfig{}, []service.Config{{Name: "a"}}, `broker "kafka://h"`},
		{"same route", service.HostConfig{}, []service.Config{
			{Name: "a", Routes: routes(service.Routes{"GET /x": nothing})},
			{Name: "b", Routes: routes(service.Routes{"GET /x": nothing})},
		}, `route "GET /x" is both a's and b's`},
		{"overlapping routes", service.HostConfig{}, []service.Config{
			{Name: "a", Routes: routes(service.Routes{"GET /x/{id}": nothing})},
			{Name: "b", Routes: routes(service.Routes{"GET /{name}/y": nothing})},
		}, "conflicts with"},
		{"route of the host", service.HostConfig{}, []service.Config{{Name: "a", Routes: routes(service.Routes{"/readyz": nothing})}}, `route "/readyz" is both the host's and a's`},
		{"route without handler", service.HostConfig{}, []service.Config{{Name: "a", Routes: routes(service.Routes{"GET /x": nil})}}, "has no handler"},
		{"route that is none", service.HostConfig{}, []service.Config{{Name: "a", Routes: routes(service.Routes{"GET x": nothing})}}, `route "GET x" of a`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Services = c.services
			if c.name == "Kafka" {
				c.cfg.Kafka.Brokers = []string{"kafka://h"}
			}
			_, err := service.NewHost(c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestManifestTellsWhatAServiceTouches(t *testing.T) {
	t.Parallel()
	m := service.Config{
		Name: "worker", Owns: []leat.Topic{results},
		Handlers: []leat.Handler{consumer.On(requests, ignore)},
	}.Manifest("stage.")
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/manifest.golden", string(text)+"\n")
}

func TestProbesAnswerBeforeTheStart(t *testing.T) {
	t.Parallel()
	h, err := service.NewHost(service.HostConfig{Logger: quiet(), Services: []service.Config{{Name: "a", Routes: routes(service.Routes{"GET /x": nothing})}}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503, "/metrics": 200, "/x": 503} {
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s answers %d %s, want %d", path, w.Code, w.Body, want)
		}
		if path == "/readyz" && w.Body.String() != `{"ready":false,"state":"starting","services":{"a":{"service":"not started: the host is starting"}}}`+"\n" {
			t.Errorf("readyz: %s", w.Body)
		}
	}
	if err := h.Ready(); err == nil || !strings.Contains(err.Error(), "the host is starting") {
		t.Errorf("ready: %v", err)
	}
}

func migration(text string) fstest.MapFS {
	return fstest.MapFS{"0001_tables.sql": {Data: []byte(text)}}
}
