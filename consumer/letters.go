package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// largestLetter is the largest dead letter that the client itself allows: the topic's own limit
// decides.
const largestLetter = 64 << 20

// letters writes dead letters with clients of its own, which connect when there is a first one.
// Letters travel in batches, and a topic's limit holds for a whole batch: when one is too large, its
// letters are sent again one by one, by the second client, so that each answers for itself.
type letters struct {
	group  string
	client *kgo.Client
	single *kgo.Client
	turn   chan struct{} // holds one value: the right to send by single
	wg     sync.WaitGroup
}

func newLetters(cfg Config, log *slog.Logger) (*letters, error) {
	opts := []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
			return func(r *kgo.Record, n int) int { return int(r.Partition) % n } // the source's number
		})),
	}
	client, err := cfg.Kafka.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the dead-letter producer: %w", err)
	}
	single, err := cfg.Kafka.NewClient(append(opts, kgo.ProducerBatchMaxBytes(largestLetter))...)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("make the dead-letter producer: %w", err)
	}
	return &letters{group: cfg.Group, client: client, single: single, turn: make(chan struct{}, 1)}, nil
}

// close ends what is still under way with an error.
func (l *letters) close() {
	l.client.Close()
	l.single.Close()
	l.wg.Wait()
}

// send writes r and calls then with the outcome, at once or later. alone sends it in a batch of its
// own.
func (l *letters) send(ctx context.Context, r *kgo.Record, alone bool, then func(error)) {
	if !alone {
		l.client.TryProduce(ctx, r, func(_ *kgo.Record, err error) { then(err) })
		return
	}
	l.wg.Go(func() {
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			then(context.Cause(ctx))
			return
		}
		err := l.single.ProduceSync(ctx, r).FirstErr()
		<-l.turn
		then(err)
	})
}

// omissible is what a dead letter leaves out when it is too large for its topic, in this order. The
// record itself stays at its source as long as the topic keeps it.
var omissible = []string{"stack", "error", "value"}

// record is the dead letter of a record.
func (l *letters) record(w *work, version string) *kgo.Record {
	return l.compose(w.rec, l.story(w, version), w.past.omit)
}

// story is what happened to a record.
func (l *letters) story(w *work, version string) DeadLetter {
	past := w.past
	d := DeadLetter{
		Source:       w.wire.Position(),
		Timestamp:    w.rec.Timestamp,
		Group:        l.group,
		Reason:       past.reason,
		Error:        past.story(),
		Attempts:     past.attempts,
		FirstFailure: past.first,
		LastFailure:  past.last,
		Version:      version,
	}
	if w.handler != nil {
		d.Handler = w.handler.Kind.Type
	}
	if p, ok := errors.AsType[*leat.PanicError](past.cause); ok {
		d.Stack = string(p.Stack)
	}
	return d
}

// compose is a dead letter: the record's key, value and headers as they were, and the story behind.
func (l *letters) compose(rec *kgo.Record, d DeadLetter, omit int) *kgo.Record {
	d.Omitted = omissible[:omit]
	r := &kgo.Record{
		Topic:     leat.DeadLetters(rec.Topic, l.group),
		Partition: rec.Partition,
		Key:       rec.Key,
		Value:     rec.Value,
		Headers:   slices.Clip(rec.Headers),
	}
	for _, what := range d.Omitted {
		switch what {
		case "stack":
			d.Stack = ""
		case "error":
			d.Error = clip(d.Error, 100)
		case "value":
			r.Value = nil
		}
	}
	for _, h := range d.Headers() {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}

// story is the error that a dead letter tells.
func (h *history) story() string {
	switch {
	case h.cause == nil && h.err == nil:
		return ""
	case h.cause == nil:
		return h.err.Error()
	case h.err == nil || errors.Is(h.err, h.cause):
		return h.cause.Error()
	}
	return fmt.Sprintf("%v; then OnExhausted: %v", h.cause, h.err)
}

// bury writes the dead letter of a waiting item. No worker waits for it; its lane stays shut.
func (c *Consumer) bury(it *item) {
	if past := it.Value.past; past.first.IsZero() {
		past.first = time.Now()
		past.last = past.first
	}
	if c.txn != nil && c.txn.inside {
		c.buryInside(it)
		return
	}
	r := c.letters.record(&it.Value, c.cfg.Version)
	c.letters.send(c.ctx, r, it.Value.past.alone, func(err error) { c.buried(it, err) })
}

// buried goes on after a dead letter was written, or was not.
func (c *Consumer) buried(it *item, err error) {
	w := &it.Value
	p := w.part
	if err == nil {
		c.cfg.Hook("consumer.deadlettered")
		c.tellBuried(w)
		c.mu.Lock()
		defer c.mu.Unlock()
		p.buried++
		p.unburied = nil
		c.finish(it)
		c.crew.call(c)
		return
	}
	if errors.Is(err, kerr.MessageTooLarge) && w.past.omit < len(omissible) {
		if w.past.alone {
			w.past.omit++
		}
		w.past.alone = true
		c.bury(it)
		return
	}
	c.metrics.letterErrors.With(p.at.topic).Inc()
	c.postponeBurial(it, err)
}

// tellBuried tells of a dead letter that was written.
func (c *Consumer) tellBuried(w *work) {
	at := w.part.at
	c.metrics.deadLetters.With(at.topic, string(w.past.reason)).Inc()
	c.log.Warn("event dead-lettered", "topic", at.topic, "partition", at.partition, "offset", w.rec.Offset,
		"event_id", w.wire.Attribute("id"), "event_type", w.wire.Attribute("type"), "attempt", w.past.attempts,
		"reason", string(w.past.reason), "err", w.past.story())
}

// postponeBurial tries again later, without limit: nothing is committed past a record that has
// neither been handled nor buried.
func (c *Consumer) postponeBurial(it *item, err error) {
	past, p := it.Value.past, it.Value.part
	past.away++
	delay := awayRetry.Delay(past.away, c.random())
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.lanes.Closed() {
		c.release(it)
		return
	}
	if p.unburied == nil {
		c.log.Error("write dead letter: tried again until it succeeds, nothing is committed past it",
			"topic", p.at.topic, "partition", p.at.partition, "offset", it.Value.rec.Offset, "err", err)
	}
	p.unburied = fmt.Errorf("write a dead letter to %s: %w", leat.DeadLetters(p.at.topic, c.cfg.Group), err)
	c.sched.Delay(it, time.Now().Add(delay).UnixNano(), true)
	signal(c.wake)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		signal(c.lookup)
	}
}
