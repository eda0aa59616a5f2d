package service_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
	"github.com/leatdev/leat/schema/registry"
	"github.com/leatdev/leat/service"
)

// Three releases of one contract: the second adds an optional field, the third breaks it.
type (
	bought1 struct {
		ID    string `json:"id"`
		Cents int64  `json:"cents"`
	}
	bought2 struct {
		ID    string  `json:"id"`
		Cents int64   `json:"cents"`
		Gift  *string `json:"gift"`
	}
	bought3 struct {
		ID    string `json:"id"`
		Cents string `json:"cents"`
	}
)

func (bought1) EventType() string  { return "test.bought.v1" }
func (bought2) EventType() string  { return "test.bought.v1" }
func (bought3) EventType() string  { return "test.bought.v1" }
func (e bought1) EventKey() string { return e.ID }
func (e bought2) EventKey() string { return e.ID }
func (e bought3) EventKey() string { return e.ID }

// contracts is a registry that can go away and come back where it was.
type contracts struct {
	t    *testing.T
	log  *registry.Memory
	addr string
	stop func()
}

func newContracts(t *testing.T) *contracts {
	addrs, err := server.FreeAddrs(1) // it comes back there
	if err != nil {
		t.Fatal(err)
	}
	c := &contracts{t: t, log: registry.NewMemory(), addr: addrs[0]}
	c.start()
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *contracts) start() {
	c.t.Helper()
	ln, err := net.Listen("tcp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	srv, err := registry.New(registry.Config{Log: c.log, Languages: []schema.Language{avro.Language, jsonschema.Format, protobuf.Format}, Logger: quiet()})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, ln) }()
	<-srv.Ready()
	c.stop = sync.OnceFunc(func() { cancel(); <-ended })
}

func (c *contracts) config(change ...func(*service.RegistryConfig)) service.RegistryConfig {
	cfg := service.RegistryConfig{URLs: []string{"http://" + c.addr}, Schemas: service.SchemasRegister}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

// Old and new instances of a writer and a reader run side by side after a compatible change, in both
// forms of the frame; a registry that is away stops neither; a breaking change does not start.
func TestContractsThroughARegistry(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		for _, c := range []struct {
			encoding leat.Encoding
			header   bool
		}{{leat.Avro, false}, {leat.Avro, true}, {leat.JSONSchema, false}} {
			t.Run(fmt.Sprintf("%s header=%v", c.encoding, c.header), func(t *testing.T) {
				testContracts(t, b, newContracts(t), c.encoding, c.header)
			})
		}
	})
}

func testContracts(t *testing.T, b *broker.Broker, c *contracts, encoding leat.Encoding, header bool) {
	prefix := b.Name("contracts") + "."
	database := "sqlite:" + t.TempDir() // shared, as by two releases of one service
	var old, fresh, gifts atomic.Int64
	topic := func(carries any) leat.Topic {
		return leat.Topic{Name: "test.bought", Carries: []any{carries}, Partitions: 1, Encoding: encoding}
	}
	host := func(services ...service.Config) service.HostConfig {
		cfg := service.HostConfig{
			DatabaseURL: database, Prefix: prefix, Logger: quiet(), Services: services,
			Registry: c.config(func(r *service.RegistryConfig) { r.Header = header }),
		}
		cfg.Kafka = kafka.Config{Brokers: b.Addrs}
		return cfg
	}
	oldHost := hosting(t, host(
		service.Config{Name: "shop", Owns: []leat.Topic{topic(bought1{})}},
		service.Config{Name: "old", Handlers: []leat.Handler{consumer.On(topic(bought1{}), func(_ context.Context, e *leat.Event[bought1]) error {
			if e.Data.Cents != 7 || !strings.Contains(e.Header(kafka.HeaderDataSchema), "/subjects/"+prefix+"test.bought-value/versions/") {
				return leat.Permanent(fmt.Errorf("got %+v by %q", e.Data, e.Header(kafka.HeaderDataSchema)))
			}
			old.Add(1)
			return nil
		})}},
	))
	newHost := hosting(t, host(
		service.Config{Name: "shop", Owns: []leat.Topic{topic(bought2{})}},
		service.Config{Name: "new", Handlers: []leat.Handler{consumer.On(topic(bought2{}), func(_ context.Context, e *leat.Event[bought2]) error {
			if e.Data.Gift != nil && *e.Data.Gift == "tea" {
				gifts.Add(1)
			}
			if e.Data.Cents != 7 {
				return leat.Permanent(fmt.Errorf("got %+v", e.Data))
			}
			fresh.Add(1)
			return nil
		})}},
	))
	publish := func(h *service.Host, event any) {
		t.Helper()
		err := h.Service("shop").Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, event) })
		if err != nil {
			t.Fatal(err)
		}
	}
	reached := func(events, withGift int64) {
		t.Helper()
		leattest.Eventually(t, fmt.Sprintf("both readers have %d events", events), func() error {
			if old.Load() < events || fresh.Load() < events || gifts.Load() < withGift {
				return fmt.Errorf("old %d, new %d, gifts %d; %v; %v", old.Load(), fresh.Load(), gifts.Load(), oldHost.Ready(), newHost.Ready())
			}
			return nil
		})
	}
	publish(oldHost, bought1{"1", 7})
	publish(newHost, bought2{"1", 7, new("tea")})
	reached(2, 1)

	c.stop()
	publish(oldHost, bought1{"1", 7})
	publish(newHost, bought2{"1", 7, nil})
	reached(4, 1)

	// A reader that never saw the schemas waits for the registry, and loses nothing.
	var late atomic.Int64
	lateHost, _ := running(t, host(service.Config{Name: "late", Handlers: []leat.Handler{consumer.On(topic(bought1{}), func(_ context.Context, e *leat.Event[bought1]) error {
		late.Add(1)
		return nil
	})}}))
	leattest.Eventually(t, "the late reader says what it waits for", func() error {
		if err := lateHost.Ready(); err == nil || !strings.Contains(err.Error(), "schema") {
			return fmt.Errorf("ready: %v", err)
		}
		return nil
	})
	c.start()
	leattest.Eventually(t, "the late reader has all", func() error {
		if late.Load() < 4 {
			return fmt.Errorf("%d; %v", late.Load(), lateHost.Ready())
		}
		return nil
	})

	refused, err := service.NewHost(host(service.Config{Name: "shop", Owns: []leat.Topic{topic(bought3{})}}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = refused.Run(ctx)
	if !errors.Is(err, schema.ErrIncompatible) || !strings.Contains(err.Error(), "test.bought.v1") || !strings.Contains(err.Error(), "cents") {
		t.Errorf("a breaking change: %v", err)
	}
}
