package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
)

// ShareConfig says which share group works on what. Group and Handlers are required.
type ShareConfig struct {
	// Group is the share group's name. Its members take single events from all partitions, as many
	// members as there are, and the brokers remember which are done. A name belongs to one kind of
	// group: no consumer group may have it.
	Group string
	// Kafka is the cluster, Apache Kafka 4.2 or newer; its zero value is localhost:9092.
	Kafka kafka.Config
	// Handlers are what the group does, at most one for a type on a topic, each with Unordered: a share
	// group keeps no order. Retries, Timeout, Parallel and OnExhausted mean what they mean elsewhere.
	Handlers []leat.Handler
	// Codec reads the events' data; nil: [leat.JSON].
	Codec leat.Codec
	// Strict sends events of types that no handler takes to the dead letters.
	Strict bool

	// MaxInHand is how many events the member takes at once; 0: 64. It takes the next when all of them
	// are dealt with: the slowest event of a hand holds up this member, and no other.
	MaxInHand int
	// MaxDeliveries is how often an event is given to handlers at most, over all members; 0: 4. One that
	// comes once more is dead-lettered unseen: it takes its members down with it. It must stay below
	// the brokers' own limit (group.share.delivery.count.limit, 5), at which they drop an event.
	MaxDeliveries int
	// DrainTimeout is how long what is in hand may take to finish when the member stops; 0: 20 s. What
	// is not finished goes to another member at once.
	DrainTimeout time.Duration

	// Version is told in dead letters; "": the main module's version from the build.
	Version string
	// Logger takes the group's life; nil: [slog.Default].
	Logger *slog.Logger
	// Metrics takes its counters; nil: counts into nothing.
	Metrics *telemetry.Registry
	// Hook, where set, is called at named points, as [Config]'s: consumer.handled, consumer.deadlettered.
	Hook func(point string)
}

// Validate reports all that is wrong.
func (c ShareConfig) Validate() error {
	errs := []error{c.inner().Validate()}
	for _, h := range c.Handlers {
		if h.Order != leat.Unordered {
			errs = append(errs, fmt.Errorf("handler of %s on %s wants an order, and a share group keeps none: give it consumer.Unordered()", h.Kind.Type, h.Topic.Name))
		}
		if h.Batch != nil || h.Transform != nil || h.Parking != nil || h.Breaker != nil || h.Limit != nil || h.Fence != nil {
			errs = append(errs, fmt.Errorf("handler of %s on %s: batches, transforms, parking, breakers and limits are of consumer groups, not of share groups", h.Kind.Type, h.Topic.Name))
		}
	}
	if c.MaxInHand < 0 || c.MaxDeliveries < 0 || c.MaxDeliveries > 10 {
		errs = append(errs, fmt.Errorf("share group: MaxInHand is %d and MaxDeliveries %d, want 0 or more, and at most 10 deliveries", c.MaxInHand, c.MaxDeliveries))
	}
	return errors.Join(errs...)
}

// inner is the consumer whose routes, letters and counters the member uses.
func (c ShareConfig) inner() Config {
	return Config{
		Group: c.Group, Kafka: c.Kafka, Handlers: c.Handlers, Codec: c.Codec, Strict: c.Strict,
		MaxInFlight: c.MaxInHand, DrainTimeout: c.DrainTimeout,
		Version: c.Version, Logger: c.Logger, Metrics: c.Metrics, Hook: c.Hook,
	}
}

// Share is one member of a share group (KIP-932): work as from a queue. It takes events in hand, handles
// them side by side, and tells the brokers of each that it is done. At least once: an event whose member
// dies, or can't keep its lock, is given to another.
type Share struct {
	c          *Consumer
	inHand     int
	deliveries int32
	slots      map[*handler]chan struct{} // Handler.Parallel
	held       atomic.Int64
	handled    atomic.Int64
	released   atomic.Int64
}

// NewShare makes a member of a share group, and reports all that is wrong with cfg. It starts nothing.
func NewShare(cfg ShareConfig) (*Share, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c, err := New(cfg.inner())
	if err != nil {
		return nil, err
	}
	s := &Share{c: c, inHand: cmp.Or(cfg.MaxInHand, 64), deliveries: int32(cmp.Or(cfg.MaxDeliveries, 4)), slots: map[*handler]chan struct{}{}}
	for _, h := range c.handlers {
		s.slots[h] = make(chan struct{}, h.parallel)
	}
	return s, nil
}

// ShareStats is what a member has done, at one moment.
type ShareStats struct {
	InHand   int64 // events taken and not dealt with
	Handled  int64 // events told done, dead letters included
	Released int64 // events given back
}

// Stats tells what the member has done.
func (s *Share) Stats() ShareStats {
	return ShareStats{InHand: s.held.Load(), Handled: s.handled.Load(), Released: s.released.Load()}
}

// Ready is nil while the member works, or says what keeps it from working.
func (s *Share) Ready() error { return s.c.Ready() }

// Run joins the share group and handles events until ctx ends; then it finishes what is in hand within
// DrainTimeout, gives back the rest, leaves and returns nil. It can be called once. A cluster that has
// no share groups, or whose group would skip events, is refused.
func (s *Share) Run(ctx context.Context) error {
	c := s.c
	if err := s.prepare(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { c.watchTopics(ctx) })
	left := 0
	for ctx.Err() == nil {
		fetches := c.client.PollRecords(ctx, s.inHand)
		fetches.EachError(func(topic string, partition int32, err error) { c.pollError(topic, partition, err) })
		if records := fetches.Records(); len(records) > 0 {
			left = s.deal(ctx, records)
		}
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := c.client.FlushAcks(flush); err != nil {
		c.log.Warn("tell the brokers what is done: it comes again", "err", err)
	}
	c.mu.Lock()
	c.state = ended
	c.mu.Unlock()
	c.client.Close()
	c.cut(ErrStopped)
	wg.Wait()
	c.letters.close()
	if left > 0 {
		return fmt.Errorf("stop share group %s: %d events were still in hand after %v and go to another member: their handlers ignore their context", c.cfg.Group, left, c.cfg.DrainTimeout)
	}
	c.log.Info("stopped")
	return nil
}

// begin makes the clients.
func (s *Share) begin(ctx context.Context) error {
	c := s.c
	topics := make([]string, 0, len(c.routes))
	for name := range c.routes {
		topics = append(topics, name)
	}
	letters, err := newLetters(c.cfg, c.log)
	if err != nil {
		return fmt.Errorf("run share group %s: %w", c.cfg.Group, err)
	}
	client, err := c.cfg.Kafka.NewClient(
		kgo.ShareGroup(c.cfg.Group),
		kgo.ConsumeTopics(topics...),
		kgo.ShareMaxRecords(int32(s.inHand)),
		kgo.ShareMaxRecordsStrict(), // whole batches of a producer would go to one member
		kgo.ShareAckCallback(s.acked),
	)
	if err != nil {
		letters.close()
		return fmt.Errorf("run share group %s: %w", c.cfg.Group, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.cut = context.WithCancelCause(context.WithoutCancel(ctx))
	c.client, c.letters, c.state, c.joined = client, letters, running, true
	c.clock.set(time.Now())
	return nil
}

// acked tells of events whose end the brokers did not accept: their lock had run out, and they come again.
func (s *Share) acked(_ *kgo.Client, results kgo.ShareAckResults) {
	for _, r := range results {
		if r.Err != nil {
			s.c.metrics.ackErrors.With(r.Topic).Inc()
			s.c.log.Warn("the brokers did not take the word that events are done: they come again", "topic", r.Topic, "partition", r.Partition, "err", r.Err)
		}
	}
}

// deal handles a hand of events side by side and tells the end of each. The client takes an event that
// was not spoken of for done at the next poll: so all have ended when it returns.
func (s *Share) deal(ctx context.Context, records []*kgo.Record) (left int) {
	c := s.c
	attempts, cut := context.WithCancelCause(c.ctx)
	defer cut(nil)
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(c.cfg.DrainTimeout)
		defer timer.Stop()
		select {
		case <-timer.C:
			cut(ErrStopped)
		case <-attempts.Done():
		}
	})
	defer stop()
	s.held.Add(int64(len(records)))
	hand := newHand(records)
	locks, unlock := context.WithCancel(attempts)
	var keeper, workers sync.WaitGroup
	keeper.Go(func() { s.keepLocks(locks, hand, records[0].AcquisitionDeadline()) })
	for _, r := range records {
		workers.Go(func() {
			status := kgo.AckRelease // of a handler that ends its goroutine
			defer func() {
				hand.drop(r)
				r.Ack(status)
				s.held.Add(-1)
				if status == kgo.AckAccept {
					s.handled.Add(1)
				} else {
					s.released.Add(1)
				}
			}()
			status = s.handle(ctx, &partition{at: at{r.Topic, r.Partition}, ctx: attempts}, r)
		})
	}
	left = s.waitHand(attempts, &workers, hand)
	unlock()
	keeper.Wait()
	return left
}

// waitHand waits until the hand is dealt with, and gives back what is in the hands of handlers that
// ignore the end of their context. It returns how many those are.
func (s *Share) waitHand(attempts context.Context, workers *sync.WaitGroup, hand *hand) (left int) {
	ended := make(chan struct{})
	go func() { // ends with the last handler
		workers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return 0
	case <-attempts.Done():
	}
	timer := time.NewTimer(cancelGrace)
	defer timer.Stop()
	select {
	case <-ended:
		return 0
	case <-timer.C:
		return hand.giveBack()
	}
}

// hand is the events that are not dealt with.
type hand struct {
	mu   sync.Mutex
	open map[*kgo.Record]struct{}
}

func newHand(records []*kgo.Record) *hand {
	h := &hand{open: make(map[*kgo.Record]struct{}, len(records))}
	for _, r := range records {
		h.open[r] = struct{}{}
	}
	return h
}

func (h *hand) drop(r *kgo.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, r)
}

// renew asks for more time for what is open. It only writes to the client's memory.
func (h *hand) renew() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.open {
		r.Ack(kgo.AckRenew)
	}
	return len(h.open)
}

// giveBack gives up what is open: what its handlers say later counts for nothing.
func (h *hand) giveBack() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.open {
		r.Ack(kgo.AckRelease)
	}
	n = len(h.open)
	clear(h.open)
	return n
}

// keepLocks renews the brokers' locks on what is open until ctx ends, three times in the time of a lock.
func (s *Share) keepLocks(ctx context.Context, hand *hand, deadline time.Time) {
	every := time.NewTicker(max(time.Until(deadline)/3, 100*time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		if hand.renew() == 0 {
			continue
		}
		if err := s.c.client.FlushAcks(ctx); err != nil && ctx.Err() == nil {
			s.c.log.Warn("renew the locks of events in hand", "err", err)
		}
	}
}

// handle works on one event until it is done, dead-lettered, or to be given back.
func (s *Share) handle(stopping context.Context, p *partition, r *kgo.Record) kgo.AckStatus {
	c := s.c
	var sorted work
	pass := c.routes[r.Topic].sort(&sorted, r, c.cfg.Strict)
	if pass {
		c.metrics.passed.With(r.Topic).Inc()
		return kgo.AckAccept
	}
	w := &sorted
	w.part = p
	if w.handler != nil && r.DeliveryCount() > s.deliveries {
		w.past = &history{stage: burying, reason: ReasonExhausted, attempts: int(s.deliveries), err: fmt.Errorf("it was given to handlers %d times, and none of the members came back with it", s.deliveries)}
	}
	if w.handler != nil {
		slot := s.slots[w.handler]
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-stopping.Done():
			return kgo.AckRelease
		}
	}
	for {
		if w.past != nil && w.past.stage == burying {
			return s.bury(stopping, w)
		}
		delay, finished := s.attempt(w)
		if finished {
			return kgo.AckAccept
		}
		if !wait(stopping, delay) || p.ctx.Err() != nil {
			return kgo.AckRelease
		}
	}
}

// attempt tries once, and tells when to try again where that did not finish the event.
func (s *Share) attempt(w *work) (delay time.Duration, finished bool) {
	c, h := s.c, w.handler
	var past history
	if w.past != nil {
		past = *w.past
	}
	start := time.Now()
	err := c.try(w, c.clock.read())
	if h.meters.seconds != nil {
		h.meters.seconds.Since(start)
	}
	v := judge(err, past, h.Retry, c.random())
	if v.act == done {
		c.cfg.Hook("consumer.handled")
		h.meters.finished(v, past.stage, c, w.part)
		return 0, true
	}
	if w.part.ctx.Err() != nil {
		return 0, false
	}
	if w.past == nil {
		w.past = new(history)
	}
	w.past.note(err, v, time.Now())
	h.meters.failed(v)
	if v.act == giveUp {
		w.past.advance(v.reason, h.Exhausted != nil)
		return 0, false
	}
	c.logRetry(w, v, err)
	return v.delay, false
}

// bury writes the dead letter, until it is written or the member stops.
func (s *Share) bury(stopping context.Context, w *work) kgo.AckStatus {
	c, past := s.c, w.past
	if past.first.IsZero() {
		past.first = time.Now()
		past.last = past.first
	}
	for {
		written := make(chan error, 1)
		c.letters.send(c.ctx, c.letters.record(w, c.cfg.Version), past.alone, func(err error) { written <- err })
		err := <-written
		switch {
		case err == nil:
			c.cfg.Hook("consumer.deadlettered")
			c.metrics.deadLetters.With(w.rec.Topic, string(past.reason)).Inc()
			c.log.Warn("event dead-lettered", "topic", w.rec.Topic, "partition", w.rec.Partition, "offset", w.rec.Offset,
				"event_id", w.wire.Attribute("id"), "event_type", w.wire.Attribute("type"), "attempt", past.attempts, "reason", string(past.reason), "err", past.story())
			return kgo.AckAccept
		case errors.Is(err, kerr.MessageTooLarge) && past.omit < len(omissible):
			if past.alone {
				past.omit++
			}
			past.alone = true
			continue
		}
		c.metrics.letterErrors.With(w.rec.Topic).Inc()
		past.away++
		if !wait(stopping, awayRetry.Delay(past.away, c.random())) {
			return kgo.AckRelease
		}
	}
}

// wait waits for d, and says whether it did.
func wait(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
