package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/sqldb"
)

// RelayConfig says how the events of a box get to Kafka. Box and Kafka are needed, everything else
// has a default that fits.
type RelayConfig struct {
	Box   *Box
	Kafka kafka.Config

	// PositionTopic keeps the relay's position. It has one partition per shard, is compacted, and is
	// made where that is allowed. Empty: "leat.outbox." and the box's source. Not used on the embedded
	// broker.
	PositionTopic string
	// Shards is how many relays share the work, each with the events of its keys: the processes that
	// run this relay divide the shards among them. All should ask for the same number; the last one
	// that starts with another changes it for all, in some seconds, once what is in hand is finished.
	// More than one needs PostgreSQL. 0: 1; at most 64.
	Shards int
	// Mode is how the relay finds what is to leave. Empty: the box's.
	Mode Mode
	// ReplicationURL leads to the server itself in modes wal and message, where the box's URL leads to a pooler.
	// Empty: the box's.
	ReplicationURL string
	// BatchRows and BatchBytes bound one Kafka transaction. 0: 10,000 rows, 16 MiB.
	BatchRows, BatchBytes int
	// PollMin and PollMax bound the wait between two looks at an outbox in which nothing waits;
	// events that this process commits wake the relay at once. 0: 2 ms and 50 ms.
	PollMin, PollMax time.Duration
	// Pause is the wait after a Kafka transaction before the next: brokers put off a transaction
	// that comes at the heels of another by 20 ms. 0: 5 ms; negative: none.
	Pause time.Duration
	// TransactionTimeout is after how long the broker ends a transaction of a relay that is gone:
	// so long readers may wait for it. 0: 10 s.
	TransactionTimeout time.Duration
	// LeaseTTL is after how long without a sign of life another relay takes over. 0: 5 s.
	LeaseTTL time.Duration
	// SweepEvery is how often the relay looks at the whole table and not only above its mark; a sixth as
	// often while it works off a backlog. 0: 5 s.
	SweepEvery time.Duration
	// Patience is how long events wait for a topic that is missing or may not be written to before
	// they are parked. Events of other topics go on. 0: 30 s; negative: for ever.
	Patience time.Duration
	// Keep is how long mode retain keeps events that have left, in partitions that go as a whole. 0: 7
	// days; negative: for ever.
	Keep time.Duration
	// Partition is how much time one of them holds, from 1 s on. 0: 24 h.
	Partition time.Duration
	// Detach leaves partitions of older events behind as tables of their own, leat_outbox_kept_ and when
	// they began, for whoever archives and drops them. false: they are dropped.
	Detach bool
	// DrainTimeout bounds the end of the work in hand when Run's context ends. 0: 10 s.
	DrainTimeout time.Duration
	// Holder names this process in the lease. Empty: a random name.
	Holder string
	// Hook, where set, is called at the named commit points "relay.selected", "relay.produced",
	// "relay.committing", "relay.committed" and "relay.deleted"; tests of crashes set it.
	Hook func(point string)
	// Metrics counts. Nil: into nothing.
	Metrics *telemetry.Registry
	// Logger gets what heals by itself or needs a person. Nil: slog.Default().
	Logger *slog.Logger
}

// DefaultKeep is how long mode retain keeps events where RelayConfig does not say.
const DefaultKeep = 7 * 24 * time.Hour

// Validate names everything that is wrong with the config.
func (c RelayConfig) Validate() error {
	var faults []error
	if c.Box == nil {
		faults = append(faults, errors.New("no Box: make one with outbox.New"))
	}
	if err := c.Kafka.Validate(); err != nil {
		faults = append(faults, err)
	}
	if c.PositionTopic != "" {
		if err := leat.ValidTopicName(c.PositionTopic); err != nil {
			faults = append(faults, err)
		}
	}
	mode := c.Mode
	if mode == "" && c.Box != nil {
		mode = c.Box.cfg.Mode
	}
	if err := mode.fault(c); err != nil {
		faults = append(faults, err)
	}
	if c.BatchRows < 0 || c.BatchBytes < 0 {
		faults = append(faults, errors.New("BatchRows and BatchBytes can't be negative"))
	}
	switch {
	case c.Shards < 0 || c.Shards > maxShards:
		faults = append(faults, fmt.Errorf("%d is no number of Shards: 1 to %d", c.Shards, maxShards))
	case c.Shards > 1 && c.Box != nil && c.Box.db.Dialect() != sqldb.Postgres:
		faults = append(faults, errors.New("more than one of Shards needs PostgreSQL: SQLite has one writer, which one relay outruns"))
	}
	if c.Partition != 0 && c.Partition < time.Second {
		faults = append(faults, fmt.Errorf("a Partition of %v is too short: at least 1s", c.Partition))
	}
	if mode == ModeRetain && c.Box != nil && c.Box.cfg.Payloads != nil && c.Box.cfg.PayloadKeep > 0 {
		if keep := cmp.Or(c.Keep, DefaultKeep); keep < 0 || keep > c.Box.cfg.PayloadKeep {
			faults = append(faults, fmt.Errorf("events are kept for longer than their payloads, PayloadKeep %v, and could not be sent again: keep payloads at least as long", c.Box.cfg.PayloadKeep))
		}
	}
	for name, d := range map[string]time.Duration{
		"PollMin": c.PollMin, "PollMax": c.PollMax, "TransactionTimeout": c.TransactionTimeout,
		"LeaseTTL": c.LeaseTTL, "SweepEvery": c.SweepEvery, "DrainTimeout": c.DrainTimeout,
	} {
		if d < 0 {
			faults = append(faults, fmt.Errorf("%s can't be negative", name))
		}
	}
	return errors.Join(faults...)
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c RelayConfig) withDefaults() RelayConfig {
	orDefault(&c.PositionTopic, "leat.outbox."+c.Box.cfg.Source)
	orDefault(&c.Shards, 1)
	orDefault(&c.Mode, c.Box.cfg.Mode)
	orDefault(&c.Mode, ModeExact)
	orDefault(&c.BatchRows, 10_000)
	orDefault(&c.BatchBytes, 16<<20)
	orDefault(&c.PollMin, 2*time.Millisecond)
	orDefault(&c.PollMax, max(50*time.Millisecond, c.PollMin))
	orDefault(&c.Pause, 5*time.Millisecond)
	orDefault(&c.TransactionTimeout, 10*time.Second)
	orDefault(&c.LeaseTTL, 5*time.Second)
	orDefault(&c.SweepEvery, 5*time.Second)
	orDefault(&c.Patience, 30*time.Second)
	orDefault(&c.DrainTimeout, 10*time.Second)
	orDefault(&c.Keep, DefaultKeep)
	orDefault(&c.Partition, 24*time.Hour)
	orDefault(&c.Holder, leat.NewID())
	if c.Hook == nil {
		c.Hook = func(string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("service", c.Box.cfg.Source)
	return c
}

// Relay brings the events of one outbox to Kafka. Any number of relays may run for an outbox: each
// shard has one that works, the others stand by.
type Relay struct {
	cfg    RelayConfig
	box    *Box
	db     *sqldb.DB
	log    *slog.Logger
	counts relayCounts

	running atomic.Bool

	mu      sync.Mutex
	shards  []*shard // of this generation
	err     error    // why there are none
	warning string   // what did not fit together at the last takeover that found something
}

// NewRelay makes a relay; Run does the work.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make relay: %w", err)
	}
	cfg = cfg.withDefaults()
	r := &Relay{cfg: cfg, box: cfg.Box, db: cfg.Box.db, log: cfg.Logger}
	r.counts = newRelayCounts(cfg.Metrics, r)
	r.generation(nil, errors.New("the relay has not started"))
	return r, nil
}

// Run relays until ctx ends, then ends the transaction in hand and returns nil. It returns an error
// only where a person must change something first, a *SetupError; whatever else goes wrong ends
// with a new client and a takeover, after a pause that grows.
func (r *Relay) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return errors.New("run relay: it runs already")
	}
	defer r.running.Store(false)
	asked := false
	err := r.persist(ctx, func(err error) { r.generation(nil, err) }, func(ctx context.Context) error {
		if !asked {
			if err := r.ask(ctx); err != nil {
				return err
			}
			asked = true
		}
		return r.serve(ctx)
	})
	if err != nil {
		return fmt.Errorf("run relay: %w", err)
	}
	r.generation(nil, errors.New("the relay has ended"))
	return nil
}

// persist serves until ctx ends, again after each error, which is noted. It returns an error only
// where a person must change something.
func (r *Relay) persist(ctx context.Context, note func(error), serve func(context.Context) error) error {
	backoff, failures := leat.Retry{Base: 50 * time.Millisecond, Max: time.Second}, 0
	for ctx.Err() == nil {
		started := time.Now()
		err := serve(ctx)
		if err == nil || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			continue
		}
		if setup, ok := errors.AsType[*SetupError](err); ok {
			return setup
		}
		note(err)
		r.counts.failures.Inc()
		if _, learned := errors.AsType[*refusedError](err); learned || time.Since(started) > 5*backoff.Max {
			failures = 0
		}
		failures++
		r.log.WarnContext(ctx, "relay starts anew", "attempt", failures, "error", err)
		_ = sleep(ctx, backoff.Delay(failures, rand.Float64()))
	}
	return nil
}
