package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/service"
)

// The code of docs/guides/from-*.md.

type OrderCreated struct {
	OrderID string `json:"order_id"`
	Cents   int64  `json:"cents"`
}

func (OrderCreated) EventType() string  { return "shop.order.created.v1" }
func (e OrderCreated) EventKey() string { return e.OrderID }

type InvoiceDrawn struct {
	OrderID string `json:"order_id"`
	Cents   int64  `json:"cents"`
}

func (InvoiceDrawn) EventType() string  { return "shop.invoice.drawn.v1" }
func (e InvoiceDrawn) EventKey() string { return e.OrderID }

var (
	Orders = leat.Topic{
		Name:    "shop.orders",
		Carries: []any{OrderCreated{}},
		Foreign: OrderCreated{}, // records without a ce_type are read as this
	}
	Invoices = leat.Topic{Name: "shop.invoices", Carries: []any{InvoiceDrawn{}}}
)

// Legacy is what the old side writes: several classes on one topic.
var Legacy = leat.Topic{
	Name:    "orders",
	Foreign: leat.KindOf[json.RawMessage]("legacy.orders", nil),
}

func legacy(ctx context.Context, e *leat.Event[json.RawMessage]) error {
	switch class := e.Header("__TypeId__"); class {
	case "com.acme.OrderCreated":
		var order OrderCreated
		if err := json.Unmarshal(e.Data, &order); err != nil {
			return leat.Permanent(err)
		}
		return charge(ctx, order)
	case "com.acme.OrderCancelled":
		return leat.Skip("nothing to charge")
	default:
		return leat.Permanent(fmt.Errorf("class %q is not known", class))
	}
}

func charge(context.Context, OrderCreated) error { return nil }

func handlers() []leat.Handler {
	return []leat.Handler{
		consumer.On(Orders, func(ctx context.Context, e *leat.Event[OrderCreated]) error {
			return charge(ctx, e.Data)
		},
			consumer.WithRetry(leat.Retry{Attempts: 4, Base: 100 * time.Millisecond, Max: time.Second}),
			consumer.Timeout(5*time.Second),
			consumer.Park(leat.Parking{})), // then 10 s, 1 min, 10 min in the park topic, then the dead letters
	}
}

func retried() []leat.Handler {
	return []leat.Handler{
		consumer.On(Orders, func(ctx context.Context, e *leat.Event[OrderCreated]) error {
			return charge(ctx, e.Data)
		},
			consumer.Unordered(),
			consumer.WithRetry(leat.Retry{Attempts: 1}),
			consumer.RetryTopics(leat.RetryTopics{
				Delays: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, // attempts = "4", delay 1000, multiplier 2
				Spring: &leat.SpringRetries{},
			})),
	}
}

func once() leat.Handler {
	return outbox.Once(Orders, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[OrderCreated]) error {
		if _, err := tx.Exec(ctx, `insert into invoice (order_id, cents) values ($1, $2)`, e.Data.OrderID, e.Data.Cents); err != nil {
			return err
		}
		return tx.Publish(ctx, InvoiceDrawn{OrderID: e.Data.OrderID, Cents: e.Data.Cents})
	})
}

// old makes an event that Watermill's side reads with the id that it has here.
func old(order OrderCreated) leat.Outgoing {
	id := leat.NewID()
	return leat.With(order, leat.ID(id), leat.WithHeader("_watermill_message_uuid", []byte(id)))
}

// typed makes an event whose class Spring's deserializer is told.
func typed(order OrderCreated) leat.Outgoing {
	return leat.With(order, leat.WithHeader("__TypeId__", []byte("com.acme.OrderCreated")))
}

func transform() leat.Handler {
	return consumer.Transform(Orders, func(ctx context.Context, e *leat.Event[OrderCreated]) ([]InvoiceDrawn, error) {
		return []InvoiceDrawn{{OrderID: e.Data.OrderID, Cents: e.Data.Cents}}, nil
	})
}

// place is a request's work: the row and the event commit together.
func place(ctx context.Context, s *service.Service, order OrderCreated) error {
	return s.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		if _, err := tx.Exec(ctx, `insert into orders (id, cents) values ($1, $2)`, order.OrderID, order.Cents); err != nil {
			return err
		}
		return tx.Publish(ctx, order)
	})
}

func consume(ctx context.Context, cfg kafka.Config) error {
	c, err := consumer.New(consumer.Config{
		Group:    "payment",
		Kafka:    cfg,
		Handlers: handlers(),
	})
	if err != nil {
		return err
	}
	return c.Run(ctx) // until ctx ends: what is in hand finishes and is committed
}

func produce(ctx context.Context, cfg kafka.Config, order OrderCreated) error {
	client, err := kafka.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	producer, err := client.Producer(kafka.ProducerConfig{Source: "shop", Owns: []leat.Topic{Orders}})
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.Send(ctx, order) // idempotent, acknowledged by all in-sync replicas
}

func configured() kafka.Config {
	return kafka.Config{
		Brokers: []string{"kafka-1:9093"},
		Properties: map[string]string{
			"security.protocol": "SASL_SSL",
			"sasl.mechanism":    "SCRAM-SHA-512",
			"sasl.username":     "payment",
			"sasl.password":     "${file:/run/secrets/kafka}",
			"client.id":         "payment",
		},
	}
}

// A record as the old side writes it is read by the type that the topic names, and its headers are there.
func TestRecordsOfTheOldSideAreReadAsTheGuidesSay(t *testing.T) {
	t.Parallel()
	open := func(topic leat.Topic, header, value string) *leat.Envelope {
		t.Helper()
		if err := topic.Validate(); err != nil {
			t.Fatal(err)
		}
		kinds, err := topic.Kinds()
		if err != nil {
			t.Fatal(err)
		}
		wire, err := kafka.WireOf(&kgo.Record{
			Topic: topic.Name, Partition: 2, Offset: 17, Value: []byte(`{"order_id":"o-1","cents":5}`),
			Headers: []kgo.RecordHeader{{Key: header, Value: []byte(value)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		e := leat.NewEnvelope(wire, &kinds[len(kinds)-1], nil, 1)
		if e.Header(header) != value || e.Type() != topic.ForeignType() {
			t.Errorf("header %q, type %q", e.Header(header), e.Type())
		}
		if source, id := e.Identity(); source != "" || id != e.Position().String() {
			t.Errorf("the inbox knows it by %q %q, want its place", source, id)
		}
		return e
	}
	order, err := leat.DecodeEvent[OrderCreated](open(Orders, "_watermill_message_uuid", "0b7e"))
	if err != nil || order.Data.OrderID != "o-1" {
		t.Errorf("Watermill's: %+v, %v", order, err)
	}
	raw, err := leat.DecodeEvent[json.RawMessage](open(Legacy, "__TypeId__", "com.acme.OrderCreated"))
	if err != nil {
		t.Fatal(err)
	}
	if err := legacy(t.Context(), raw); err != nil {
		t.Errorf("Spring's: %v", err)
	}
}

// What goes back carries the headers that the old side looks for, beside the CloudEvents ones.
func TestEventsForTheOldSideCarryItsHeaders(t *testing.T) {
	t.Parallel()
	var m leat.Message
	old(OrderCreated{}).Apply(&m)
	if len(m.Headers) != 1 || m.Headers[0].Key != "_watermill_message_uuid" || string(m.Headers[0].Value) != m.ID || m.ID == "" {
		t.Errorf("for Watermill: id %q, headers %v", m.ID, m.Headers)
	}
	m = leat.Message{}
	typed(OrderCreated{}).Apply(&m)
	if len(m.Headers) != 1 || m.Headers[0].Key != "__TypeId__" || string(m.Headers[0].Value) != "com.acme.OrderCreated" {
		t.Errorf("for Spring: headers %v", m.Headers)
	}
}

// The handlers and settings of the pages are ones that leat takes.
func TestHandlersAndSettingsOfTheMovingGuidesAreTaken(t *testing.T) {
	t.Parallel()
	cfg := consumer.Config{Group: "payment", Handlers: append(handlers(), consumer.On(Legacy, legacy))}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	cfg.Handlers = retried()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	svc := service.Config{Name: "billing", Owns: []leat.Topic{Invoices}, Handlers: []leat.Handler{once()}}
	if err := svc.Validate(); err != nil {
		t.Error(err)
	}
	svc.Handlers = []leat.Handler{transform()}
	if err := svc.Validate(); err != nil {
		t.Error(err)
	}
	k := configured()
	k.Properties["sasl.password"] = "secret"
	if err := k.Validate(); err != nil {
		t.Error(err)
	}
}

var _ = []any{place, consume, produce}
