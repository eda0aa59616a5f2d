package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
)

// Config says which group works on what. Group and Handlers are required.
type Config struct {
	// Group is the consumer group's name; members with one name share the partitions. The names of
	// its dead-letter topics end in it.
	Group string
	// InstanceID makes the member static (KIP-345): when it stops and comes back under the same id before
	// its session has ended, its partitions wait for it and no other member's stand still. Each process
	// needs its own. "": a member leaves when it stops. The property group.instance.id wins over it.
	InstanceID string
	// Protocol is how the group shares its partitions: "classic" (the members do, cooperatively), or
	// "consumer" (the brokers do, KIP-848; Apache Kafka 4.0 or newer, 4.3 advised); "": classic. The
	// property group.protocol wins over it. A cluster that does not have it is refused by Run.
	Protocol string
	// Kafka is the cluster; its zero value is localhost:9092.
	Kafka kafka.Config
	// Handlers are what the group does, at most one for a type on a topic. The group reads the topics
	// that they name.
	Handlers []leat.Handler
	// Codec reads the events' data; nil: [leat.JSON].
	Codec leat.Codec
	// Parking is for the handlers that have none of their own ([Park]); nil: what they can't handle goes
	// to the dead letters after their inline attempts.
	Parking *leat.Parking
	// Transforms says how [Transform] handlers write; they run in a member of their own.
	Transforms TransformConfig
	// Strict sends events of types that no handler takes to the dead letters (reason "unhandled");
	// without it they are counted and passed over.
	Strict bool

	// MaxInFlight bounds the attempts that run at once over all handlers; 0: 256, or what [Parallel]
	// gives to one of them, if that is more.
	MaxInFlight int
	// MaxQueued bounds the records that one partition keeps in memory unfinished; 0: 4000. A fetch
	// that is under way may exceed it, and while handlers have nothing to do it is four times that.
	MaxQueued int
	// MaxQueuedBytes bounds the bytes of the same; 0: 8 MiB.
	MaxQueuedBytes int
	// MaxBytes bounds the bytes over all partitions: each gets an equal share of it, but at least 64
	// KiB and at most MaxQueuedBytes; 0: 128 MiB.
	MaxBytes int
	// MaxSpan bounds the records from the lowest unfinished one to the newest; 0: 10000. A partition
	// that reaches it waits for its slowest event. While some are on their way into the park topic, it is
	// four times that.
	MaxSpan int

	// DrainTimeout is how long what is in hand may take to finish when the consumer stops, or a
	// partition goes to another member; 0: 20 s. A rebalance allows at most RebalanceTimeout - 5 s.
	DrainTimeout time.Duration
	// CommitInterval is the pause between commits; 0: 1 s.
	CommitInterval time.Duration
	// SessionTimeout is how long the group waits for a silent member before it gives its partitions
	// away; 0: 45 s. The broker bounds it (6 s to 30 min unless configured). Under Protocol "consumer"
	// the brokers decide it, and it must be 0.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for its members in a rebalance; 0: 60 s.
	RebalanceTimeout time.Duration
	// HungAfter is how long past its Timeout an attempt may ignore its context before Ready tells of
	// it; 0: 10 s.
	HungAfter time.Duration
	// LeaveAfter is how long past its Timeout, or past the loss of its partition, an attempt may ignore
	// its context before Run ends with [ErrHung], for the host to leave the process; 0: 1 min, negative:
	// never.
	LeaveAfter time.Duration

	// Control is the topic of commands to the group while it runs (package control), which is made
	// where it is missing; "": the group takes none.
	Control string
	// Inbox, where set, is told in the control topic, so that tools know how far back repeats are
	// passed over: the time of the oldest row found in the inbox and how long it keeps rows (negative: for ever).
	Inbox func(ctx context.Context) (since time.Time, keep time.Duration, err error)
	// Payloads is where the data of events lies that carry only a reference to it, the store that
	// their senders use; nil: there is none, and such an event holds its partition.
	Payloads blob.Store
	// MaxPayload bounds the bytes that are fetched from it for one event; 0: 64 MiB.
	MaxPayload int

	// Version is told in dead letters; "": the main module's version from the build.
	Version string
	// Logger takes the group's life; nil: [slog.Default].
	Logger *slog.Logger
	// Metrics takes its counters; nil: counts into nothing.
	Metrics *telemetry.Registry
	// Hook, where set, is called at named points around handling and committing: consumer.handled,
	// consumer.deadlettered, consumer.deferred, consumer.committing, consumer.committed; control.seek-committed,
	// control.sought; park.appended, park.readback, park.committed and park.dlq-sent around parking. It
	// is for tests that crash the process there.
	Hook func(point string)
}

// minBytes is the least that a partition may keep in memory, however many partitions there are.
const minBytes = 64 << 10

// withDefaults fills what is zero.
func (c Config) withDefaults() Config {
	c = c.withMembership()
	c.Protocol = cmp.Or(c.Protocol, cluster.Classic)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, mostParallel(c.Handlers))
	c.MaxQueued = cmp.Or(c.MaxQueued, 4000)
	c.MaxQueuedBytes = cmp.Or(c.MaxQueuedBytes, 8<<20)
	c.MaxBytes = cmp.Or(c.MaxBytes, 128<<20)
	c.MaxSpan = cmp.Or(c.MaxSpan, 10_000)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 20*time.Second)
	c.CommitInterval = cmp.Or(c.CommitInterval, time.Second)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 45*time.Second)
	c.RebalanceTimeout = cmp.Or(c.RebalanceTimeout, time.Minute)
	c.Transforms = c.Transforms.withDefaults(c.Group)
	c.HungAfter = cmp.Or(c.HungAfter, 10*time.Second)
	c.LeaveAfter = cmp.Or(c.LeaveAfter, time.Minute)
	c.MaxPayload = cmp.Or(c.MaxPayload, 64<<20)
	c.Version = cmp.Or(c.Version, buildVersion())
	if c.Codec == nil {
		c.Codec = leat.JSON
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Hook == nil {
		c.Hook = func(string) {}
	}
	return c
}

// mostParallel is the bound over all handlers that keeps none of them below its own.
func mostParallel(handlers []leat.Handler) int {
	most := 256
	for i := range handlers {
		most = max(most, handlers[i].Parallel)
	}
	return most
}

// Validate reports all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Group == "" {
		errs = append(errs, errors.New("consumer: Group is empty: name the group, usually after the service"))
	}
	if len(c.Handlers) == 0 {
		errs = append(errs, errors.New("consumer: no Handlers"))
	}
	for name, n := range map[string]int{
		"MaxInFlight": c.MaxInFlight, "MaxQueued": c.MaxQueued, "MaxQueuedBytes": c.MaxQueuedBytes,
		"MaxBytes": c.MaxBytes, "MaxSpan": c.MaxSpan, "MaxPayload": c.MaxPayload,
	} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("consumer: %s is %d, want more than 0, or 0 for the default", name, n))
		}
	}
	for name, d := range map[string]time.Duration{
		"DrainTimeout": c.DrainTimeout, "CommitInterval": c.CommitInterval, "SessionTimeout": c.SessionTimeout,
		"RebalanceTimeout": c.RebalanceTimeout, "HungAfter": c.HungAfter,
	} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("consumer: %s is %v, want more than 0, or 0 for the default", name, d))
		}
	}
	if c.Control != "" {
		if err := leat.ValidTopicName(c.Control); err != nil {
			errs = append(errs, fmt.Errorf("consumer: Control: %w", err))
		}
	}
	errs = append(errs, c.validateMembership(), route.Validate(c.Group, c.Handlers, c.Parking), c.Transforms.Validate(c.Group, c.Handlers), c.Kafka.Validate())
	return errors.Join(errs...)
}

// parkingOf is how the events of a handler's topic are parked, nil where they are not.
func (c Config) parkingOf(h leat.Handler) *leat.Parking { return route.ParkingOf(h, c.Parking) }

func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}
