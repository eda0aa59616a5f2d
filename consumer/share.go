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
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/consumer/internal/share"
	"github.com/leatdev/leat/consumer/letter"
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
	// HungAfter is how long past its Timeout an attempt may ignore its context before Ready tells of it;
	// 0: 10 s. Until it returns the member takes nothing new.
	HungAfter time.Duration
	// LeaveAfter is how long past its Timeout an attempt may ignore its context before Run ends with
	// [ErrHung], for the host to leave the process and another member to get the event; 0: 1 min,
	// negative: never.
	LeaveAfter time.Duration

	// Payloads is where the data of events lies that carry only a reference to it; nil: there is none, and
	// such an event waits.
	Payloads blob.Store
	// MaxPayload bounds the bytes that are fetched from it for one event; 0: 64 MiB.
	MaxPayload int

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
		if h.Batch != nil || h.Transform != nil || h.Parking != nil || h.Later != nil || h.Breaker != nil || h.Limit != nil || h.Fence != nil {
			errs = append(errs, fmt.Errorf("handler of %s on %s: batches, transforms, parking, retry topics, breakers and limits are of consumer groups, not of share groups", h.Kind.Type, h.Topic.Name))
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
		MaxInFlight: c.MaxInHand, DrainTimeout: c.DrainTimeout, HungAfter: c.HungAfter, LeaveAfter: c.LeaveAfter,
		Payloads: c.Payloads, MaxPayload: c.MaxPayload,
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
	session    share.Session
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
	c.returns = nil // their letters stay where they are
	s := &Share{c: c, inHand: cmp.Or(cfg.MaxInHand, 64), deliveries: int32(cmp.Or(cfg.MaxDeliveries, 4)), slots: map[*handler]chan struct{}{}}
	for _, h := range c.handlers {
		s.slots[h] = make(chan struct{}, h.Parallel)
	}
	return s, nil
}

// ShareStats is what a member has done, at one moment.
type ShareStats struct {
	InHand   int64 // events taken and not dealt with
	Handled  int64 // events told done, dead letters included
	Released int64 // events given back
	Hung     int   // attempts that ignore the end of their context
}

// Stats tells what the member has done.
func (s *Share) Stats() ShareStats {
	return ShareStats{InHand: s.session.Held.Load(), Handled: s.session.Handled.Load(), Released: s.session.Released.Load(), Hung: s.c.stats().Hung}
}

// Ready is nil while the member works, or says what keeps it from working.
func (s *Share) Ready() error { return s.c.Ready() }

// Run joins the share group and handles events until ctx ends; then it finishes what is in hand within
// DrainTimeout, gives back the rest, leaves and returns nil. It can be called once. A cluster that has
// no share groups, or whose group would skip events, is refused. A handler that hangs ends it as well
// ([ErrHung]).
func (s *Share) Run(ctx context.Context) error {
	c := s.c
	if err := cluster.PrepareShare(ctx, c.cfg.Kafka, c.cfg.Group, c.log); err != nil {
		return fmt.Errorf("run share group %s: %w", c.cfg.Group, err)
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	ctx, c.end = context.WithCancelCause(ctx)
	defer c.end(nil)
	var wg sync.WaitGroup
	wg.Go(func() { c.watchTopics(ctx) })
	wg.Go(s.keep)
	left := 0
	for ctx.Err() == nil {
		fetches := c.client.PollRecords(ctx, s.inHand)
		fetches.EachError(func(topic string, partition int32, err error) { c.pollError(topic, partition, err) })
		if records := fetches.Records(); len(records) > 0 {
			left = s.session.Deal(ctx, c.ctx, records)
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
	c.letters.Close()
	err := cause(ctx)
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("stop share group %s: %d events were still in hand after %v and go to another member: their handlers ignore their context", c.cfg.Group, left, c.cfg.DrainTimeout))
	}
	if err == nil {
		c.log.Info("stopped")
	}
	return err
}

// keep keeps the attempts' clock going until their context ends, and looks for those that ignore the
// end of theirs. Run waits for it.
func (s *Share) keep() {
	tick := time.NewTicker(attempt.Tick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			now := time.Now()
			s.c.clock.Set(now)
			s.c.watch(now)
		case <-s.c.ctx.Done():
			return
		}
	}
}

// begin makes the clients.
func (s *Share) begin(ctx context.Context) error {
	c := s.c
	topics := make([]string, 0, len(c.routes))
	for name := range c.routes {
		topics = append(topics, name)
	}
	letters, err := mail.NewWriter(c.cfg.Kafka, c.cfg.Group)
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
		letters.Close()
		return fmt.Errorf("run share group %s: %w", c.cfg.Group, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attemptUnder(ctx)
	c.client, c.letters, c.state, c.joined = client, letters, running, true
	s.session.Client, s.session.Log, s.session.Drain = client, c.log, c.cfg.DrainTimeout
	s.session.Grace, s.session.Cause, s.session.Handle = cancelGrace, ErrStopped, s.handle
	c.clock.Set(time.Now())
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

// handle works on one event until it is done, dead-lettered, or to be given back.
func (s *Share) handle(stopping, attempts context.Context, r *kgo.Record) (done bool) {
	c, p := s.c, &partition{at: at{r.Topic, r.Partition}, ctx: attempts}
	var sorted route.Record
	pass := c.routes[r.Topic].Sort(&sorted, r, c.cfg.Strict)
	if pass {
		c.metrics.passed.With(r.Topic).Inc()
		return true
	}
	it := &item{Value: work{part: p}}
	w := &it.Value
	c.assign(w, &sorted)
	if w.handler != nil && r.DeliveryCount() > s.deliveries {
		w.past = &attempt.History{Stage: attempt.Burying, Reason: letter.ReasonExhausted, Attempts: int(s.deliveries), Err: fmt.Errorf("it was given to handlers %d times, and none of the members came back with it", s.deliveries)}
	}
	if w.handler != nil {
		slot := s.slots[w.handler]
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-stopping.Done():
			return false
		}
	}
	for {
		if w.past != nil && w.past.Stage == attempt.Burying {
			return s.bury(stopping, w)
		}
		delay, finished := s.attempt(it)
		if finished {
			return true
		}
		if !wait(stopping, delay) || p.ctx.Err() != nil {
			return false
		}
	}
}

// attempt tries once, and tells when to try again where that did not finish the event.
func (s *Share) attempt(it *item) (delay time.Duration, finished bool) {
	c, w := s.c, &it.Value
	h := w.handler
	var past attempt.History
	if w.past != nil {
		past = *w.past
	}
	start := time.Now()
	err := s.try(it)
	if h.meters.seconds != nil {
		h.meters.seconds.Since(start)
	}
	v := attempt.Judge(err, past, h.Retry, c.random())
	if v.Act == attempt.Done {
		c.cfg.Hook("consumer.handled")
		h.meters.finished(v, past.Stage, c, w.part)
		return 0, true
	}
	if w.part.ctx.Err() != nil {
		return 0, false
	}
	if w.past == nil {
		w.past = new(attempt.History)
	}
	w.past.Note(err, v, time.Now())
	h.meters.failed(v)
	if v.Act == attempt.GiveUp {
		w.past.Advance(v.Reason, h.Exhausted != nil)
		return 0, false
	}
	c.logRetry(w, v, err)
	return v.Delay, false
}

// try makes one attempt under the eyes of the watchdog, who looks after the workers of a crew.
func (s *Share) try(it *item) error {
	c, w := s.c, &worker{item: it, since: s.c.clock.Read()}
	c.mu.Lock()
	c.crew.all[w] = struct{}{}
	c.mu.Unlock()
	defer func() { // also of a handler that ends its goroutine
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cameBack(w)
		delete(c.crew.all, w)
	}()
	return c.try(&it.Value, w.since, new(attempt.Context))
}

// bury writes the dead letter, until it is written or the member stops.
func (s *Share) bury(stopping context.Context, w *work) (done bool) {
	c, past := s.c, w.past
	if past.First.IsZero() {
		past.First = time.Now()
		past.Last = past.First
	}
	for {
		written := make(chan error, 1)
		c.letters.Send(c.ctx, c.letterOf(w), past.Alone, func(err error) { written <- err })
		err := <-written
		switch {
		case err == nil:
			c.cfg.Hook("consumer.deadlettered")
			c.metrics.deadLetters.With(w.rec.Topic, string(past.Reason)).Inc()
			c.log.Warn("event dead-lettered", "topic", w.rec.Topic, "partition", w.rec.Partition, "offset", w.rec.Offset,
				"event_id", w.wire.Attribute("id"), "event_type", w.wire.Attribute("type"), "attempt", past.Attempts, "reason", string(past.Reason), "err", past.Story())
			return true
		case errors.Is(err, kerr.MessageTooLarge) && past.Lighter():
			continue
		}
		c.metrics.letterErrors.With(w.rec.Topic).Inc()
		past.Away++
		if !wait(stopping, attempt.Away.Delay(past.Away, c.random())) {
			return false
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
