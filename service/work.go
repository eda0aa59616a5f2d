package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
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
	cfg := outbox.Config{
		DB: s.db, Source: s.name, Group: s.group(), Owns: s.owns(), Codec: s.codec,
		Mode:     s.host.cfg.OutboxMode,
		Payloads: s.host.payloads, PayloadAbove: s.host.cfg.PayloadAbove, PayloadKeep: s.host.cfg.PayloadKeep,
		Hook: s.hook, Metrics: s.metrics, Logger: s.host.log, // they name the service themselves
	}
	s.cfg.Tuning.outbox(&cfg)
	if s.box, err = outbox.New(cfg); err != nil {
		return leat.Permanent(err) // a wrong declaration stays wrong
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
	return errors.Join(s.prepareSending(r.kafka), s.prepareConsumer(r), s.prepareShare())
}

func (s *Service) prepareSending(client *kafka.Client) (err error) {
	if len(s.cfg.Owns) == 0 {
		return nil
	}
	s.producer, err = client.Producer(kafka.ProducerConfig{Source: s.name, Owns: s.owns(), Codec: s.codec, Metrics: s.metrics, Claim: s.claim()})
	if err != nil || s.box == nil {
		return err
	}
	cfg := outbox.RelayConfig{
		Box: s.box, Kafka: s.kafka(), Shards: s.shards(),
		PositionTopic: positionTopic(s.host.cfg.Prefix, s.name),
		Mode:          s.host.cfg.OutboxMode, ReplicationURL: s.host.cfg.OutboxLogURL,
		Keep: s.host.cfg.OutboxKeep, Partition: s.host.cfg.OutboxPart, Detach: s.host.cfg.OutboxDetach,
		PollMax:      s.host.cfg.OutboxPoll,
		DrainTimeout: s.host.share(0.1),
		Hook:         s.hook, Metrics: s.metrics, Logger: s.host.log,
	}
	s.cfg.Tuning.relay(&cfg)
	s.relay, err = outbox.NewRelay(cfg)
	return err
}

// shards is how many relays share the outbox.
func (s *Service) shards() int {
	if s.db.Dialect() == sqldb.Postgres {
		return max(s.cfg.OutboxShards, 1)
	}
	return 1
}

// claim is what becomes of the data of large events that are sent without a transaction. Without a
// database nothing of it is named, and nothing swept.
func (s *Service) claim() func(context.Context, *leat.Message) error {
	store, above := s.host.payloads, cmp.Or(s.host.cfg.PayloadAbove, outbox.DefaultPayloadAbove)
	switch {
	case store == nil:
		return nil
	case s.box != nil:
		return s.box.Claim
	}
	return func(ctx context.Context, m *leat.Message) error {
		_, err := blob.Claim(ctx, store, s.name, above, m)
		return err
	}
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
	cfg := consumer.Config{
		Group: s.group(), Kafka: s.kafka(), Handlers: s.named(handlers), Codec: s.codec, Strict: s.cfg.Strict,
		Transforms:   consumer.TransformConfig{Source: s.name, Owns: s.owns()},
		DrainTimeout: s.host.share(0.35), Control: r.control, Payloads: s.host.payloads,
		Logger: s.log, Metrics: s.metrics, Hook: s.hook,
	}
	s.cfg.Tuning.consumer(&cfg)
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
	if s.share != nil {
		run(r.handling, sharePart, true, s.share.Run)
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
	sharePart    = "share"
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
	if s.share != nil {
		parts = append(parts, partState{sharePart, s.share.Ready()})
	}
	for _, p := range s.cfg.Parts {
		parts = append(parts, partState{p.Name, nil})
	}
	return parts
}
