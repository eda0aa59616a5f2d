package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// openDatabase opens the service's database and brings its tables up to date, first those of the
// outbox and the inbox.
func (s *Service) openDatabase(ctx context.Context, embedded bool) (err error) {
	if s.host.cfg.DatabaseURL == "" {
		return nil
	}
	if s.db == nil {
		cfg, err := s.database(embedded)
		if err != nil {
			return err
		}
		if s.db, err = sqldb.Open(ctx, cfg); err != nil {
			return err
		}
	}
	s.box, err = outbox.New(outbox.Config{
		DB: s.db, Source: s.name, Group: s.group(), Owns: s.owns(), Codec: s.codec(),
		Payloads: s.host.payloads, PayloadAbove: s.host.cfg.PayloadAbove, PayloadKeep: s.host.cfg.PayloadKeep,
		Hook: s.hook, Metrics: s.metrics, Logger: s.log,
	})
	if err != nil {
		return err
	}
	err = s.box.Migrate(ctx)
	if err == nil && s.cfg.Migrations != nil {
		err = s.db.Migrate(ctx, "service", s.cfg.Migrations)
	}
	if err != nil && !leat.IsUnavailable(err) {
		return leat.Permanent(err) // a wrong migration stays wrong
	}
	return err
}

// database is where the service's database is: a file in the directory, or a schema.
func (s *Service) database(embedded bool) (sqldb.Config, error) {
	cfg := sqldb.Config{URL: s.host.cfg.DatabaseURL, Schema: s.name, MaxConns: s.host.cfg.DatabaseConns, Logger: s.log}
	dir, isSQLite := strings.CutPrefix(cfg.URL, "sqlite:")
	if !isSQLite {
		return cfg, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return cfg, fmt.Errorf("make the directory of the databases: %w", err)
	}
	cfg.URL = "sqlite:" + filepath.Join(dir, s.name+".db")
	if embedded {
		// The embedded broker does not outlive a loss of power any better than the file would.
		cfg.Synchronous = sqldb.Normal
	}
	return cfg, nil
}

// prepare makes the clients and the workers of the service; nothing of it works yet.
func (s *Service) prepare(r *run) error {
	return errors.Join(s.prepareSending(r.kafka), s.prepareConsumer(r))
}

func (s *Service) prepareSending(client *kafka.Client) (err error) {
	if len(s.cfg.Owns) == 0 {
		return nil
	}
	s.producer, err = client.Producer(kafka.ProducerConfig{Source: s.name, Owns: s.owns(), Codec: s.codec(), Metrics: s.metrics})
	if err != nil || s.box == nil {
		return err
	}
	shards := 1
	if s.db.Dialect() == sqldb.Postgres {
		shards = s.cfg.OutboxShards
	}
	s.relay, err = outbox.NewRelay(outbox.RelayConfig{
		Box: s.box, Kafka: s.kafka(), Shards: shards,
		PositionTopic: positionTopic(s.host.cfg.Prefix, s.name),
		Mode:          s.host.cfg.OutboxMode, ReplicationURL: s.host.cfg.OutboxLogURL,
		DrainTimeout: s.host.share(0.1),
		Hook:         s.hook, Metrics: s.metrics, Logger: s.log,
	})
	return err
}

func (s *Service) prepareConsumer(r *run) (err error) {
	if len(s.cfg.Handlers) == 0 {
		return nil
	}
	handlers := slices.Clone(s.cfg.Handlers)
	if s.box != nil {
		if handlers, err = s.box.Bind(handlers...); err != nil {
			return err
		}
	}
	for i := range handlers {
		handlers[i].Topic.Name = s.host.cfg.Prefix + handlers[i].Topic.Name
		handlers[i].Kind.Topic = handlers[i].Topic.Name
	}
	cfg := consumer.Config{
		Group: s.group(), Kafka: s.kafka(), Handlers: handlers, Codec: s.codec(), Strict: s.cfg.Strict,
		Transforms:   consumer.TransformConfig{Source: s.name, Owns: s.owns()},
		DrainTimeout: s.host.share(0.35), Control: r.control, Payloads: s.host.payloads,
		Logger: s.log, Metrics: s.metrics, Hook: s.hook,
	}
	if s.box != nil {
		cfg.Inbox = s.box.InboxReach
	}
	if said, _ := cfg.Kafka.Membership(); r.kafka.Embedded() && said.Protocol != "consumer" {
		cfg.SessionTimeout = developing
	}
	s.consumer, err = consumer.New(cfg)
	return err
}

// start sets the service to work, first what carries events away and last what makes new ones.
func (s *Service) start(r *run) {
	run := func(stage *stage, name string, lasting bool, f func(ctx context.Context) error) {
		stage.start(s.name+": "+name, lasting, func(ctx context.Context) error { return f(s.context(ctx)) })
	}
	if s.relay != nil {
		run(r.relaying, relayPart, true, s.relay.Run)
	}
	if s.box != nil && s.relay == nil {
		run(r.relaying, "inbox", true, s.box.KeepInbox) // a relay does it beside its work
	}
	if s.consumer != nil {
		run(r.handling, consumerPart, true, s.consumer.Run)
	}
	for _, p := range s.cfg.Parts {
		run(r.working, p.Name, false, func(ctx context.Context) error { return p.Run(ctx, s) })
	}
}

// developing is the session timeout on an embedded broker, the least that Kafka's default allows:
// whoever develops kills and restarts, and would wait for the dead member each time.
const developing = 6 * time.Second

// flushPoll is how often flush looks.
const flushPoll = 20 * time.Millisecond

// flush waits until the outbox is empty, or another process is seen to empty it, and tells how many
// events are left.
func (s *Service) flush(limit context.Context) int64 {
	if s.relay == nil {
		return 0
	}
	var head, rows int64
	for {
		status, err := s.relay.Status(limit)
		if err == nil {
			rows = status.Rows
			if rows == 0 || !status.Leading && head > 0 && status.Head > head {
				return 0
			}
			head = status.Head
		}
		pause(limit, flushPoll)
		if limit.Err() != nil {
			return rows
		}
	}
}

// close gives back what the service holds.
func (s *Service) close() {
	if s.producer != nil {
		s.producer.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}

// Names of the parts that leat itself runs.
const (
	consumerPart = "consumer"
	relayPart    = "relay"
)

type partState struct {
	name string
	err  error // nil: ready
}

var errNotStarted = errors.New("not started")

// parts tells how each part of the service is. Relay and consumer are there once the host is past
// its start.
func (s *Service) parts(state string) []partState {
	if state == starting || state == ended {
		return []partState{{"service", fmt.Errorf("%w: the host is %s", errNotStarted, state)}}
	}
	var parts []partState
	if s.relay != nil {
		parts = append(parts, partState{relayPart, s.relay.Ready()})
	}
	if s.consumer != nil {
		parts = append(parts, partState{consumerPart, s.consumer.Ready()})
	}
	for _, p := range s.cfg.Parts {
		parts = append(parts, partState{p.Name, nil})
	}
	return parts
}
