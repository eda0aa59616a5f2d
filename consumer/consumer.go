package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/internal/telemetry"
)

// Consumer is one member of a consumer group.
//
// One mutex guards what the poll loop, the workers and the group's callbacks share; it is held for
// well under a microsecond per event and never across I/O. Who holds the right to commit (the
// committing channel) may take mu; never the other way around.
type Consumer struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	routes   route.Table // by topic
	returns  route.Table // by redrive topic
	retries  route.Table // by retry topic
	joins    string      // the group that the member joins: cfg.Group, or one of Spring's beside it
	handlers []*handler  // of all routes
	classes  []*handler  // the same by class; nil: of rejects

	transformer *transformer // nil: no transforms
	besides     []*Consumer  // members of Spring's groups, which read retry topics
	txn         *txn         // of a member that runs transforms, nil for others

	committing chan struct{} // holds one value: the right to commit
	clock      attempt.Clock
	wake       chan struct{} // the keeper looks at the delays again
	room       chan struct{} // a partition has room again
	lookup     chan struct{} // the watcher looks for topics again
	assess     chan struct{} // the ends of new partitions are asked for
	ordered    chan struct{} // the overseer looks at the orders again

	// These are set by Run before it starts a goroutine.
	ctx      context.Context // of the attempts: ends when draining is over
	traced   bool            // somebody records spans
	cut      context.CancelCauseFunc
	end      context.CancelCauseFunc // ends Run with an error
	client   *kgo.Client
	gone     context.CancelFunc // ends all that the client does
	line     *cluster.Line      // to the control topic; nil: none
	letters  *mail.Writer
	yard     *parkYard // nil: no topic's events are parked
	random   func() float64
	wg       sync.WaitGroup // poll loop, keeper, committer, watcher
	pollDone chan struct{}
	sorted   []sorting // the poll loop's

	mu       sync.Mutex
	state    runState
	sched    *lane.Scheduler[work]
	parts    map[at]*partition
	paused   int // partitions whose fetching is paused
	epoch    int64
	crew     crew
	between  []func()                  // for the poll loop, between two polls
	stopPoll context.CancelFunc        // ends the poll under way
	joined   bool                      // the group has given us our partitions once
	missing  map[string]string         // topics that can't be read, and why
	group    error                     // what keeps us out of the group
	orders   orders                    // what the control topic says
	passed   int64                     // events of types without a handler
	sending  map[*partition]lane.Place // in the commit under way
	recall   context.CancelCauseFunc   // of that commit
	spared   int64                     // records that the offset map kept from coming again
	mapLimit int                       // bytes of an offset map; 0: none
	stale    int64                     // records and completions of partitions that were taken away
}

// runState is what Run is at.
type runState uint8

const (
	idle runState = iota
	running
	draining
	ended
)

// at is a partition's name.
type at struct {
	topic     string
	partition int32
}

// New makes a consumer, and reports all that is wrong with cfg. It starts nothing.
func New(cfg Config) (*Consumer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	plain, transforms := cfg.split()
	c := newMember(plain, nil)
	c.besides = c.aside(plain)
	if len(transforms.Handlers) > 0 {
		c.transformer = &transformer{cfg: transforms, log: c.log, metrics: c.metrics, random: leat.NewID()[24:]}
	}
	return c, nil
}

// newMember makes one member of the group, with its defaults filled; nil metrics: its own.
func newMember(cfg Config, m *metrics) *Consumer {
	c := &Consumer{
		cfg:        cfg,
		log:        cfg.Logger.With("group", cfg.Group),
		routes:     route.Table{},
		joins:      cfg.Group,
		committing: make(chan struct{}, 1),
		wake:       make(chan struct{}, 1),
		room:       make(chan struct{}, 1),
		lookup:     make(chan struct{}, 1),
		assess:     make(chan struct{}, 1),
		ordered:    make(chan struct{}, 1),
		random:     rand.Float64,
		pollDone:   make(chan struct{}),
		parts:      map[at]*partition{},
		mapLimit:   lane.MapLimit,
		missing:    map[string]string{},
	}
	if c.metrics = m; m == nil {
		c.metrics = newMetrics(cfg.Metrics, c)
	}
	c.classes = []*handler{rejects: nil}
	for _, h := range cfg.Handlers {
		c.addHandler(h)
	}
	limits := []int{rejects: rejectsInFlight}
	for _, h := range c.classes[1:] {
		limits = append(limits, h.Parallel)
	}
	c.returns, c.retries = c.routes.Returns(cfg.Group), c.routes.Retries(cfg.Group, c.joins)
	c.sched = lane.NewScheduler[work](cfg.MaxInFlight, limits...)
	for _, h := range c.handlers {
		if h.Batch != nil {
			wait := cmp.Or(h.BatchWait, DefaultBatchWait)
			c.sched.Batch(h.Class, h.BatchMax, int64(max(0, wait)))
		}
	}
	c.crew.init(&c.mu)
	return c
}

// Run joins the group and handles events until ctx ends; then it takes no new work, finishes what is
// in hand within DrainTimeout, commits, leaves the group and returns nil. It can be called once. An
// error says that the consumer could not begin, that handlers were still at work when the time was
// over (their events come again), or that one hangs ([ErrHung]). A ctx that ends with [ErrCut] as its
// cause ends the consumer at once.
func (c *Consumer) Run(ctx context.Context) error {
	if c.transformer != nil || len(c.besides) > 0 {
		return c.runAll(ctx)
	}
	return c.run(ctx)
}

// run is the life of one member.
func (c *Consumer) run(ctx context.Context) error {
	if err := c.membership().Find(ctx, c.cfg.Kafka, c.log); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("run consumer %s: %w", c.cfg.Group, err)
	}
	line, err := c.openControl(ctx)
	if err != nil {
		return err
	}
	defer line.Close()
	if c.line = line; ctx.Err() != nil {
		return nil
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	ctx, c.end = context.WithCancelCause(ctx)
	defer c.end(nil)
	if c.yard != nil {
		c.yard.run(&c.wg)
	}
	c.wg.Go(c.pollLoop)
	c.wg.Go(func() { c.keep(ctx) })
	commits := ctx
	if c.txn != nil && c.yard != nil {
		commits = c.ctx // what is parked drains through transactions
	}
	c.wg.Go(func() { c.commitLoop(commits) })
	c.wg.Go(func() { c.watchTopics(ctx) })
	c.wg.Go(func() { c.watchEnds(ctx) })
	c.wg.Go(func() { c.followControl(ctx) })
	c.wg.Go(func() { c.oversee(ctx) })
	select {
	case <-ctx.Done():
	case <-c.txn.ended():
		c.end(ErrCut)
		return errors.Join(c.txn.cause, c.abandon())
	}
	if errors.Is(context.Cause(ctx), ErrCut) {
		line.Close() // what is being written to the control topic would be waited for
		return c.abandon()
	}
	return errors.Join(cause(ctx), c.drain())
}

func (c *Consumer) begin(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != idle {
		return errors.New("run consumer: Run was called before; make a new one")
	}
	letters, err := mail.NewWriter(c.cfg.Kafka, c.cfg.Group)
	if err != nil {
		return fmt.Errorf("run consumer %s: %w", c.cfg.Group, err)
	}
	if err := c.openYard(); err != nil {
		letters.Close()
		return fmt.Errorf("run consumer %s: %w", c.cfg.Group, err)
	}
	life, gone := context.WithCancel(context.Background())
	client, err := c.cfg.Kafka.NewClient(append(c.clientOptions(), kgo.WithContext(life))...)
	if err != nil {
		gone()
		letters.Close()
		if c.yard != nil {
			c.yard.Close()
		}
		return fmt.Errorf("run consumer %s: %w", c.cfg.Group, err)
	}
	c.attemptUnder(ctx)
	c.client, c.gone, c.letters, c.state = client, gone, letters, running
	c.clock.Set(time.Now())
	return nil
}

// attemptUnder sets what attempts inherit from Run's context: all but its end.
func (c *Consumer) attemptUnder(ctx context.Context) {
	c.ctx, c.cut = context.WithCancelCause(context.WithoutCancel(ctx))
	c.traced = telemetry.Recording(ctx)
}

func (c *Consumer) clientOptions() []kgo.Opt {
	return append(c.membership().Options(),
		kgo.ConsumeTopics(c.topics()...),
		kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // or the lag of a transactional topic never is 0
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // or a broker's wrong word replays a whole partition
		kgo.OnOffsetsFetched(c.remember),
		kgo.MaxVersions(cluster.NamedOffsets()),
		kgo.AdjustFetchOffsetsFn(c.startAt),
		kgo.OnPartitionsAssigned(c.assigned),
		kgo.OnPartitionsRevoked(c.revoked),
		kgo.OnPartitionsLost(c.lost),
	)
}

// drain ends the consumer: what is in hand is finished, or cut off when the time is over; the last
// offsets are committed; the group is left, so that others need not wait for our session to expire.
func (c *Consumer) drain() error {
	c.log.Info("stopping: no new events are taken")
	c.mu.Lock()
	c.state = draining
	parts := make([]*partition, 0, len(c.parts))
	for _, p := range c.parts {
		parts = append(parts, p)
		c.closePart(p)
	}
	if c.stopPoll != nil {
		c.stopPoll()
	}
	c.mu.Unlock()

	left := c.waitDrained(parts, c.cfg.DrainTimeout, ErrStopped)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), commitTimeout)
	c.commitFinally(ctx, parts)
	cancel()

	c.mu.Lock()
	c.voidAll()
	c.mu.Unlock()
	c.close()
	left = max(left, c.ended(cancelGrace))
	if left > 0 {
		return fmt.Errorf("stop consumer %s: %d events were still in hand after %v and come again: their handlers ignore their context, or their dead letters can't be written", c.cfg.Group, left, c.cfg.DrainTimeout)
	}
	c.log.Info("stopped")
	return nil
}

// close leaves the group and ends all that runs but handlers that do not come back.
func (c *Consumer) close() {
	if err := c.membership().Leave(c.client, c.gone, c.letters); err != nil { // the callbacks find nothing left to do
		c.log.Warn("leave the group: its other members, or this instance when it is back, wait until the session has ended", "err", err)
	}
	c.mu.Lock()
	c.state = ended
	c.voidAll()
	c.crew.dismiss()
	c.mu.Unlock()
	c.cut(ErrStopped)
	c.letters.Close()
	if c.yard != nil {
		c.yard.Close()
	}
	c.line.Close() // a write to the control topic under way would be waited for as long as no broker answers
	c.wg.Wait()
}
