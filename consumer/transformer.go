package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/internal/transact"
	"github.com/leatdev/leat/kafka"
)

// transformer runs the transforms of a group in a member of their own, one after the other: each lives
// until its first error, and the next one begins with the same transactional id.
type transformer struct {
	cfg     Config // with transforms only
	log     *slog.Logger
	metrics *metrics
	random  string // in the transactional id, where there is no InstanceID

	ground *transact.Ground // set by run, before the first member
	told   bool             // of an old transaction.version

	mu    sync.Mutex
	now   *Consumer // nil: between two members
	state runState
	err   error // why there is none
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
	transforms.CommitInterval = c.Transforms.CommitInterval
	if c.InstanceID != "" { // the plain member has it
		transforms.InstanceID = c.InstanceID + "-transform"
	}
	return plain, transforms
}

// runAll runs the plain member, where there is one, those beside it and the transforms, until all have
// ended.
func (c *Consumer) runAll(ctx context.Context) error {
	var runs []func(context.Context) error
	if len(c.routes) > 0 {
		runs = append(runs, c.run)
	}
	for _, m := range c.besides {
		runs = append(runs, m.run)
	}
	if c.transformer != nil {
		runs = append(runs, c.transformer.run)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	for i, run := range runs {
		wg.Go(func() {
			errs[i] = run(ctx)
			cancel()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
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
		if t.cfg.InstanceID != "" && errors.Is(err, kafka.ErrFenced) && !errors.Is(err, transact.ErrAsleep) {
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
		cluster.Rest(ctx, pause.Delay(failures+1, 0.5))
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
	defer x.way.Close()
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
		cfg: cfg, outputs: transact.Outputs{
			Group: t.cfg.Group, Limits: t.ground.Limits,
			Encoder: &leat.Encoder{Catalog: catalog, Codec: t.cfg.Codec, Source: cfg.Source},
		},
		full: make(chan struct{}, 1), over: make(chan struct{}),
	}
	if t.ground.Embedded {
		x.way, err = transact.OpenRepeatable(ctx, t.cfg.Kafka)
		return x, err
	}
	way, version, err := transact.OpenTransactions(ctx, t.cfg.Kafka, t.id(), cfg.Timeout, t.ground.Limits, t.batches())
	if err != nil {
		return nil, err
	}
	if version < 2 && !t.told {
		t.told = true
		t.log.Warn("the cluster's transaction.version is below 2: a request that was held up on its way can end a later transaction (KIP-890); raise it: kafka-features.sh upgrade --feature transaction.version=2")
	}
	x.way, x.inside = way, true
	return x, nil
}

// batches is how large a batch may be, by topic.
func (t *transformer) batches() map[string]int {
	all := maps.Clone(t.ground.Limits)
	for _, h := range t.cfg.Handlers {
		if t.cfg.parkingOf(h) != nil {
			all[leat.ParkTopic(h.Topic.Name, t.cfg.Group)] = mail.Largest // portions are within the limit
		}
	}
	return all
}

// survey learns what the members need to know of the cluster.
func (t *transformer) survey(ctx context.Context) (err error) {
	topics := transact.Topics{Group: t.cfg.Group}
	for _, h := range t.cfg.Handlers {
		topics.Sources = append(topics.Sources, h.Topic.Name)
		if t.cfg.parkingOf(h) != nil {
			topics.Parked = append(topics.Parked, h.Topic.Name)
		}
	}
	for _, topic := range t.cfg.Transforms.Owns {
		topics.Outputs = append(topics.Outputs, topic.Name)
	}
	t.ground, err = transact.Survey(ctx, t.cfg.Kafka, topics)
	return err
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
