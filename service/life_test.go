package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/stack"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// diary notes what happens, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// asking publishes asked{id} for POST /ask/{id}.
func asking() service.Config {
	return service.Config{
		Name: "asker", Owns: []leat.Topic{requests},
		Routes: func(s *service.Service) service.Routes {
			return service.Routes{"POST /ask/{id}": func(w http.ResponseWriter, r *http.Request) {
				err := s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) error {
					return tx.Publish(ctx, asked{r.PathValue("id")})
				})
				if err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
				}
			}}
		},
	}
}

// On SIGTERM the request in hand is answered, the event in hand handled, the part returns, and what
// all of them published is in Kafka; new requests are turned away from the first moment.
func TestDrainFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	var d diary
	var p *stack.Process
	turned := func() {
		if w := p.Do("POST", "/slow/new", ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("a new request in the drain: %d", w.Code)
		}
		if w := p.Do("GET", "/readyz", ""); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"state":"draining"`) {
			t.Errorf("readyz in the drain: %d %s", w.Code, w.Body)
		}
	}
	worker := service.Config{
		Name: "worker", Owns: []leat.Topic{results},
		Handlers: []leat.Handler{consumer.On(requests, func(ctx context.Context, e *leat.Event[asked]) error {
			d.note("handler begins")
			time.Sleep(4 * time.Second)
			turned()
			d.note("handler ends")
			return ctx.Err()
		})},
		Routes: func(s *service.Service) service.Routes {
			return service.Routes{"POST /slow/{id}": func(w http.ResponseWriter, r *http.Request) {
				d.note("request begins")
				<-s.Done()
				time.Sleep(2 * time.Second)
				if err := s.Tx(r.Context(), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, done{"slow"}) }); err != nil {
					t.Errorf("transaction of a request in the drain: %v", err)
				}
				d.note("request ends")
			}}
		},
		Parts: []service.Part{{Name: "clock", Run: func(ctx context.Context, s *service.Service) error {
			<-ctx.Done()
			d.note("part ends")
			return s.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, done{"part"}) })
		}}},
	}
	stack.Run(t, stack.Config{Services: []service.Config{asking(), worker}}, func(t *testing.T, s *stack.Stack) {
		s.Start("asker")
		p = s.Start("worker")
		answered := make(chan int, 1)
		go func() { answered <- p.Do("POST", "/slow/1", "").Code }()
		synctest.Wait()
		s.Do("POST", "/ask/1", "")
		leattest.Eventually(t, "the handler has the event", func() error {
			if !slices.Contains(d.all(), "handler begins") {
				return errors.New("not yet")
			}
			return nil
		})
		p.Stop()
		if code := <-answered; code != http.StatusOK {
			t.Errorf("the request in hand got %d", code)
		}
		if got, want := strings.Join(d.all(), ", "), "request begins, handler begins, request ends, handler ends, part ends"; got != want {
			t.Errorf("order: %s\nwant:  %s", got, want)
		}
		s.Quiet() // nobody runs worker any more: its offset is committed, its outbox empty
		if n := len(s.Records("test.results")); n != 2 {
			t.Errorf("%d results came out, want those of the request and of the part", n)
		}
	})
}

// What does not finish in time is cut off, and the process ends all the same.
func TestDrainEndsInTime(t *testing.T) {
	t.Parallel()
	stubborn := service.Config{Name: "stubborn", Parts: []service.Part{{Name: "rock", Run: func(context.Context, *service.Service) error {
		time.Sleep(time.Hour)
		return nil
	}}}}
	stack.Run(t, stack.Config{Services: []service.Config{stubborn}, DrainTimeout: 10 * time.Second, Logger: quiet()}, func(t *testing.T, s *stack.Stack) {
		p := s.Start()
		began := time.Now()
		p.Stop()
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("the drain took %v, want 10 s and a little", took)
		}
		time.Sleep(time.Hour) // the bubble's time goes on only as long as this goroutine lives
	})
}

func TestFailureOfAPartEndsTheHost(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(context.Context, *service.Service) error{
		"bad: engine: no fuel": func(context.Context, *service.Service) error {
			time.Sleep(time.Minute)
			return errors.New("no fuel")
		},
		"bad: engine: panic: boom": func(context.Context, *service.Service) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synced(t, func(t *testing.T, s *stack.Stack) {
				d := &diary{}
				ctx, stop := context.WithTimeout(t.Context(), time.Hour)
				defer stop()
				err := host(t, s, service.HostConfig{Services: []service.Config{
					{Name: "bad", Parts: []service.Part{{Name: "engine", Run: run}}},
					{Name: "good", Parts: []service.Part{{Name: "wheel", Run: func(ctx context.Context, _ *service.Service) error {
						<-ctx.Done()
						d.note("drained")
						return nil
					}}}},
				}}).Run(ctx)
				if err == nil || !strings.HasPrefix(err.Error(), name) {
					t.Errorf("the host ended with %v, want %s", err, name)
				}
				if len(d.all()) != 1 {
					t.Error("the other service was not drained")
				}
			})
		})
	}
}

// synced is a bubble with a cluster for hosts that the test makes itself.
func synced(t *testing.T, body func(t *testing.T, s *stack.Stack)) {
	t.Helper()
	stack.Run(t, stack.Config{}, body)
}

func host(t *testing.T, s *stack.Stack, cfg service.HostConfig) *service.Host {
	t.Helper()
	cfg.Kafka, cfg.Logger = s.Kafka(), quiet()
	h, err := service.NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestStartSaysWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	reader := service.Config{Name: "reader", Handlers: []leat.Handler{consumer.On(requests, ignore)}}
	owner := service.Config{Name: "owner", Owns: []leat.Topic{requests}}
	for _, c := range []struct {
		name    string
		cfg     service.HostConfig
		waiting string // in /readyz after a second
		want    []string
		after   time.Duration // not sooner
	}{
		{"topic of nobody", service.HostConfig{Services: []service.Config{reader}, Prefix: "p.", StartTimeout: 30 * time.Second}, "topics p.test.requests", []string{"wait for topics p.test.requests", "the start took longer than 30s", "start that one, with the same --prefix"}, 30 * time.Second},
		{"topics only to be checked", service.HostConfig{Services: []service.Config{owner}, CheckTopics: true}, "", []string{"--topics check", "create topic test.requests with 2 partitions"}, 0},
		{"no Kafka", service.HostConfig{Services: []service.Config{reader}, Kafka: kafka.Config{Brokers: []string{"nowhere:1"}}}, "Kafka: ", []string{"Kafka: ", "nowhere:1", "the start took longer than 1m0s"}, time.Minute},
		{"wrong migration", service.HostConfig{Services: []service.Config{{Name: "m", Migrations: fstest.MapFS{"0001_x.sql": {Data: []byte("create tabel x")}}}}, DatabaseURL: "sqlite:"}, "", []string{"database of m", "0001_x.sql"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.cfg.DatabaseURL != "" {
				c.cfg.DatabaseURL += t.TempDir()
			}
			synced(t, func(t *testing.T, s *stack.Stack) {
				brokers := c.cfg.Kafka.Brokers
				c.cfg.Kafka = s.Kafka()
				if brokers != nil {
					c.cfg.Kafka.Brokers = brokers
				}
				c.cfg.Logger = quiet()
				h, err := service.NewHost(c.cfg)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				ended := make(chan error, 1)
				go func() { ended <- h.Run(t.Context()) }()
				if c.waiting != "" {
					time.Sleep(c.after / 2)
					if err := h.Ready(); err == nil || !strings.Contains(err.Error(), "waiting for "+c.waiting) {
						t.Errorf("while it waits: %v", err)
					}
				}
				err = <-ended
				for _, want := range c.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("no %q in: %v", want, err)
					}
				}
				if took := time.Since(began); took < c.after || took > c.after+15*time.Second {
					t.Errorf("it took %v, want %v", took, c.after)
				}
			})
		})
	}
}

// Two services in one process answer on one door, each with its own database, group and metrics.
func TestServicesShareAProcess(t *testing.T) {
	t.Parallel()
	var seen diary
	worker := service.Config{
		Name: "worker",
		Handlers: []leat.Handler{consumer.On(requests, func(ctx context.Context, e *leat.Event[asked]) error {
			seen.note("%s %s", e.Data.ID, telemetry.TraceID(ctx))
			return nil
		})},
		Routes: routes(service.Routes{
			"GET /boom": func(http.ResponseWriter, *http.Request) { panic("boom") },
			"POST /read": func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err != nil {
					http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
				}
			},
		}),
	}
	stack.Run(t, stack.Config{Services: []service.Config{asking(), worker}, Logger: quiet()}, func(t *testing.T, s *stack.Stack) {
		p := s.Start()
		const trace = "0af7651916cd43dd8448eb211c80319c"
		for _, c := range []struct {
			method, path, body string
			want               int
		}{
			{"POST", "/ask/7", "", 200},
			{"GET", "/ask/7", "", 405},
			{"GET", "/boom", "", 500},
			{"POST", "/read", strings.Repeat("x", 1<<20), 200},
			{"POST", "/read", strings.Repeat("x", 1<<20+1), 413},
			{"GET", "/nowhere", "", 404},
		} {
			if w := p.Do(c.method, c.path, c.body, "traceparent", "00-"+trace+"-b7ad6b7169203331-00"); w.Code != c.want {
				t.Errorf("%s %s: %d %s, want %d", c.method, c.path, w.Code, w.Body, c.want)
			}
		}
		s.Quiet()
		if got := seen.all(); len(got) != 1 || got[0] != "7 "+trace {
			t.Errorf("handled %v, want 7 in the trace of its request", got)
		}
		var rep struct {
			Ready    bool
			Services map[string]map[string]string
		}
		if err := json.Unmarshal(p.Do("GET", "/readyz", "").Body.Bytes(), &rep); err != nil || !rep.Ready {
			t.Errorf("readyz %+v, %v", rep, err)
		}
		if rep.Services["asker"]["relay"] != "ok" || rep.Services["worker"]["consumer"] != "ok" {
			t.Errorf("readyz %+v", rep)
		}
		metrics := p.Do("GET", "/metrics", "").Body.String()
		for _, want := range []string{
			`leat_service_request_seconds_count{route="POST /ask/{id}",service="asker",status="2xx"} 1`,
			`leat_service_request_seconds_count{route="GET /boom",service="worker",status="5xx"} 1`,
			`leat_service_ready_state{part="consumer",service="worker"} 1`,
		} {
			if !strings.Contains(metrics, want) {
				t.Errorf("no %s in the metrics", want)
			}
		}
	})
}

func TestServiceWithoutDatabaseSaysSo(t *testing.T) {
	t.Parallel()
	synced(t, func(t *testing.T, s *stack.Stack) {
		h := host(t, s, service.HostConfig{Services: []service.Config{{Name: "a"}}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		leattest.Eventually(t, "the host is ready", h.Ready)
		if err := h.Service("a").Tx(ctx, nil); err == nil || !strings.Contains(err.Error(), "no database") {
			t.Errorf("Tx: %v", err)
		}
		if err := h.Service("a").Send(ctx, asked{}); err == nil || !strings.Contains(err.Error(), "owns no topics") {
			t.Errorf("Send: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := h.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "runs once") {
			t.Errorf("second run: %v", err)
		}
	})
}
