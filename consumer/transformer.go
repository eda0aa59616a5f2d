package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// transformer runs the transforms of a group in a member of their own, one after the other: each lives
// until its first error, and the next one begins with the same transactional id.
type transformer struct {
	cfg     Config // with transforms only
	log     *slog.Logger
	metrics *metrics
	random  string // in the transactional id, where there is no InstanceID

	ground *ground // set by run, before the first member
	told   bool    // of an old transaction.version

	mu    sync.Mutex
	now   *Consumer // nil: between two members
	state runState
	err   error // why there is none
}

// ground is what is known of the cluster.
type ground struct {
	embedded bool
	limits   map[string]int // largest message, by topic
}

// split is the configuration of the plain member and that of the transforms.
func (c Config) split() (plain, transforms Config) {
	plain, transforms = c, c
	plain.Handlers, transforms.Handlers = nil, nil
	for _, h := range c.Handlers {
		if h.Transform != nil {
			transforms.Handlers = append(transforms.Handlers, h)
		} else {
			plain.Handlers = append(plain.Handlers, h)
		}
	}
	transforms.Inbox = nil // the outbox's, and none of theirs
	transforms.Parking = nil
	transforms.CommitInterval = c.Transforms.CommitInterval
	if c.InstanceID != "" { // the plain member has it
		transforms.InstanceID = c.InstanceID + "-transform"
	}
	return plain, transforms
}

// runBoth runs the plain member, where there is one, and the transforms, until both have ended.
func (c *Consumer) runBoth(ctx context.Context) error {
	if len(c.routes) == 0 {
		return c.transformer.run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var transforms error
	var wg sync.WaitGroup
	wg.Go(func() {
		transforms = c.transformer.run(ctx)
		cancel()
	})
	plain := c.run(ctx)
	cancel()
	wg.Wait()
	return errors.Join(plain, transforms)
}

// run runs member after member until ctx ends, or until another process turns out to be at work under
// the same transactional id.
func (t *transformer) run(ctx context.Context) error {
	t.mu.Lock()
	again := t.state != idle
	t.state = running
	t.mu.Unlock()
	if again {
		return errors.New("run consumer: Run was called before; make a new one")
	}
	defer t.set(nil, ended, nil)
	pause := leat.Retry{Base: 50 * time.Millisecond, Max: 5 * time.Second}
	for failures := 0; ; failures++ {
		began := time.Now()
		err := t.once(ctx)
		if ctx.Err() != nil {
			if t.member() == nil {
				return nil
			}
			return err
		}
		if errors.Is(err, ErrHung) {
			return err
		}
		if t.cfg.InstanceID != "" && errors.Is(err, kafka.ErrFenced) && !errors.Is(err, errAsleep) {
			return fmt.Errorf("transforms of group %s: another process has taken over transactional id %s: give each process an InstanceID of its own (group.instance.id), or none: %w", t.cfg.Group, t.id(), err)
		}
		if errors.Is(err, errTooWide) || errors.Is(err, kerr.OffsetMetadataTooLarge) {
			t.cfg.MaxSpan, t.cfg.MaxQueued = max(16, t.cfg.MaxSpan/2), max(16, t.cfg.MaxQueued/2)
		}
		if time.Since(began) > time.Minute {
			failures = 0
		}
		t.set(nil, running, err)
		t.log.Warn("transforms begin anew: what their last transaction came to is read from the group's offsets", "err", err)
		rest(ctx, pause.Delay(failures+1, 0.5))
	}
}

// once runs one member to its end.
func (t *transformer) once(ctx context.Context) error {
	if t.ground == nil {
		if err := t.survey(ctx); err != nil {
			return err
		}
	}
	m := newMember(t.cfg, t.metrics)
	x, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer x.way.close()
	m.txn = x
	t.set(m, running, nil)
	return m.run(ctx)
}

// id is the transactional id: a process that comes back under its InstanceID fences what it had open
// before; others have a random one, and what they leave open ends at the timeout.
func (t *transformer) id() string {
	return TransactionalIDs(t.cfg.Group) + cmp.Or(t.cfg.InstanceID, t.random)
}

// open opens the way out, fencing what an earlier member had open.
func (t *transformer) open(ctx context.Context) (*txn, error) {
	cfg := t.cfg.Transforms
	catalog, err := leat.NewCatalog(cfg.Owns...)
	if err != nil {
		return nil, err
	}
	x := &txn{
		cfg: cfg, outputs: outputs{
			group: t.cfg.Group, limits: t.ground.limits,
			encoder: &leat.Encoder{Catalog: catalog, Codec: t.cfg.Codec, Source: cfg.Source},
		},
		full: make(chan struct{}, 1), over: make(chan struct{}),
	}
	if t.ground.embedded {
		x.way, err = t.openRepeatable(ctx)
		return x, err
	}
	tr, err := kafka.OpenTransactor(ctx, t.cfg.Kafka, kafka.TransactorConfig{
		ID: t.id(), Timeout: cfg.Timeout, Linger: lingering, MaxBatchBytes: t.least(),
	})
	if err != nil {
		return nil, fmt.Errorf("open the transforms' transactions: %w", err)
	}
	if tr.TransactionVersion() < 2 && !t.told {
		t.told = true
		t.log.Warn("the cluster's transaction.version is below 2: a request that was held up on its way can end a later transaction (KIP-890); raise it: kafka-features.sh upgrade --feature transaction.version=2")
	}
	x.way, x.inside = &transactional{t: tr, timeout: cfg.Timeout}, true
	return x, nil
}

// lingering lets a transaction's records travel in few batches; the flush ends it.
const lingering = 5 * time.Millisecond

func (t *transformer) openRepeatable(ctx context.Context) (way, error) {
	client, err := kafka.Open(ctx, t.cfg.Kafka)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	p, err := client.Producer(kafka.ProducerConfig{})
	if err != nil {
		return nil, fmt.Errorf("open the transforms' producer: %w", err)
	}
	return &repeatable{p: p}, nil
}

// least is the least of the topics' limits: a batch of several records must not be refused for its size.
func (t *transformer) least() (n int) {
	for _, limit := range t.ground.limits {
		if n == 0 || limit < n {
			n = limit
		}
	}
	return n
}

// survey learns what the members need to know of the cluster, once all topics are there, and makes the
// topics of dead letters.
func (t *transformer) survey(ctx context.Context) error {
	client, err := kafka.Open(ctx, t.cfg.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	var sources, outputs []string
	for _, h := range t.cfg.Handlers {
		sources = append(sources, h.Topic.Name)
	}
	for _, topic := range t.cfg.Transforms.Owns {
		outputs = append(outputs, topic.Name)
	}
	letters, err := client.DeadLetterTopics(ctx, t.cfg.Group, sources...)
	if err != nil {
		return err
	}
	limits, err := client.MaxMessageBytes(ctx, outputs...)
	if err != nil {
		return err
	}
	if _, err := client.EnsureTopics(ctx, letters); err != nil {
		return fmt.Errorf("make the topics of dead letters: %w", err)
	}
	for _, l := range letters {
		own, err := client.MaxMessageBytes(ctx, l.Name)
		if err != nil {
			return err
		}
		limits[l.Name] = own[l.Name]
	}
	t.ground = &ground{embedded: client.Embedded(), limits: limits}
	return nil
}

func (t *transformer) set(now *Consumer, state runState, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.state, t.err = now, state, err
}

// member is the one at work, nil where there is none.
func (t *transformer) member() *Consumer {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// ready is what the transforms wait for.
func (t *transformer) ready() []error {
	t.mu.Lock()
	m, state, err := t.now, t.state, t.err
	t.mu.Unlock()
	switch {
	case m != nil:
		return m.ready()
	case state == idle:
		return []error{errors.New("transforms are not running yet")}
	case state == ended:
		return []error{errors.New("transforms have ended")}
	case err != nil:
		return []error{fmt.Errorf("transforms begin anew: %w", err)}
	}
	return []error{errors.New("transforms look for their topics")}
}
