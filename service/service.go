package service

import (
	"context"
	"errors"
	"log/slog"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// Service is a service at work, as its routes and parts see it. Its methods are safe for concurrent
// use. Tx, View, Send and DB work once the host has started it, which is before a route or a part is
// called.
type Service struct {
	name    string
	cfg     Config
	host    *Host
	log     *slog.Logger
	metrics *telemetry.Registry
	tracer  *telemetry.Tracer
	done    chan struct{}

	codec    leat.Codec
	db       *sqldb.DB // nil: none
	box      *outbox.Box
	producer *kafka.Producer
	relay    *outbox.Relay      // nil: nothing to relay
	consumer *consumer.Consumer // nil: no handlers
	share    *consumer.Share    // nil: no share group
}

func newService(h *Host, c Config) *Service {
	s := &Service{
		name: c.Name, cfg: c, host: h,
		log:     h.log.With(telemetry.KeyService, c.Name),
		metrics: h.metrics.For(c.Name),
		done:    make(chan struct{}),
	}
	s.metrics.GaugeFunc("leat_service_ready_state", "Whether a part of the service is ready: 1 yes, 0 no.", []string{"part"}, s.readyGauge)
	return s
}

func (s *Service) readyGauge(set func(value float64, values ...string)) {
	for _, p := range s.parts(s.host.now()) {
		value := 1.0
		if p.err != nil {
			value = 0
		}
		set(value, p.name)
	}
}

// Name is the service's name.
func (s *Service) Name() string { return s.name }

// Logger writes the service's log lines; lines with the context of a request or an event carry its
// ids.
func (s *Service) Logger() *slog.Logger { return s.log }

// DB is the service's database, nil where it has none.
func (s *Service) DB() *sqldb.DB { return s.db }

// Outbox is the service's outbox, for whoever looks at it; nil where it has no database.
func (s *Service) Outbox() *outbox.Box { return s.box }

// Done is closed when the drain begins. An answer that goes on for long, such as an event stream,
// ends then.
func (s *Service) Done() <-chan struct{} { return s.done }

var (
	errNoDatabase = errors.New("the service has no database: set DatabaseURL (--database-url, LEAT_DATABASE_URL)")
	errNoTopics   = errors.New("the service owns no topics: list them in Owns")
)

// Tx runs fn in a transaction that carries events: what fn writes and what it publishes are
// committed together or not at all. fn must be repeatable, see sqldb.DB.Tx.
func (s *Service) Tx(ctx context.Context, fn func(ctx context.Context, tx *outbox.Tx) error) error {
	if s.box == nil {
		return errNoDatabase
	}
	return s.box.Tx(s.context(ctx), fn)
}

// View runs fn on one snapshot of the database and changes nothing.
func (s *Service) View(ctx context.Context, fn func(ctx context.Context, tx *sqldb.Tx) error) error {
	if s.db == nil {
		return errNoDatabase
	}
	return s.db.View(ctx, fn)
}

// Send sends events at once, outside of any transaction, and waits until Kafka has them. What must
// not get lost when the process dies belongs into Tx. Large data goes to the store of payloads as it
// does there, and is named in the service's database: not while a transaction of the same SQLite file is
// open, which has its only writer.
func (s *Service) Send(ctx context.Context, events ...any) error {
	if s.producer == nil {
		return errNoTopics
	}
	return s.producer.Send(s.context(ctx), events...)
}

// context is ctx with the service's tracer, so that what is published outside of requests and
// events is traced too.
func (s *Service) context(ctx context.Context) context.Context {
	return telemetry.NewContext(ctx, s.tracer)
}

// group is the name of the consumer group.
func (s *Service) group() string { return s.host.cfg.Prefix + s.name }

// owns are the service's topics as they are named in the cluster.
func (s *Service) owns() []leat.Topic { return prefixed(s.host.cfg.Prefix, s.cfg.Owns) }

func prefixed(prefix string, topics []leat.Topic) []leat.Topic {
	named := make([]leat.Topic, len(topics))
	for i, t := range topics {
		named[i] = t
		named[i].Name = prefix + t.Name
	}
	return named
}

// kafka is the cluster as the service's own clients reach it, under the service's name.
func (s *Service) kafka() kafka.Config {
	cfg := s.host.cfg.Kafka
	cfg.Logger = s.log
	if cfg.ClientID == "" {
		cfg.ClientID = s.group()
	}
	return cfg
}

func (s *Service) hook(point string) {
	if h := s.host.cfg.Hook; h != nil {
		h(s.name, point)
	}
}
