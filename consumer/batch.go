package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/payload"
	"github.com/leatdev/leat/internal/telemetry"
)

// Defaults of BatchOf.
const (
	DefaultBatchMax  = 500
	DefaultBatchWait = 10 * time.Millisecond
)

// defaultBatches is how many batches of a handler are in flight at once.
const defaultBatches = 4

// Batch handles the events of type T on the topic several at a time, at least once, in the order of
// their keys: a batch has at most one event of a key, and the key's next one waits for its end.
//
//	consumer.Batch(Orders, func(ctx context.Context, events []*leat.Event[OrderCreated]) error { ... })
//
// fn answers nil, or tells which events failed by [leat.FaultAt], joined with [errors.Join], each with
// an outcome of its own; the others count as handled. After an error without an index, or a panic, the
// events of the batch are tried one by one, each with all its attempts; only [leat.Unavailable] and
// [leat.Skip] hold for a whole batch. A batch is one attempt: Timeout bounds it, and Parallel is how
// many are in flight at once, without it 4. Its events may be of several partitions. What fn publishes
// has a cause only under [leat.NewContext] of one of them.
func Batch[T any](topic leat.Topic, fn func(context.Context, []*leat.Event[T]) error, options ...leat.HandlerOption) leat.Handler {
	h := leat.NewHandler[T](topic, options)
	if fn == nil {
		h.Err = fmt.Errorf("handler of %s on %s has no function", h.Kind.Type, topic.Name)
		return h
	}
	h.Batch = func(ctx context.Context, envelopes []*leat.Envelope) error {
		events, places, faults := payload.DecodeBatch[T](envelopes)
		if len(events) == 0 {
			return errors.Join(faults...)
		}
		return errors.Join(append(faults, payload.Replace(fn(ctx, events), places))...)
	}
	h.Handle = func(ctx context.Context, e *leat.Envelope) error {
		return payload.One(h.Batch(ctx, []*leat.Envelope{e}))
	}
	return h
}

// BatchOf bounds the batches of [Batch] to max events, and lets one wait up to wait to become full; a
// wait of 0 takes what is there. Without it 500 and 10 ms.
func BatchOf(max int, wait time.Duration) leat.HandlerOption {
	return func(h *leat.Handler) {
		if (max < 1 || wait < 0) && h.Err == nil {
			h.Err = fmt.Errorf("handler of %s on %s: BatchOf(%d, %v), want at least 1 and no negative wait", h.Kind.Type, h.Topic.Name, max, wait)
		}
		h.BatchMax, h.BatchWait = max, wait
		if wait == 0 {
			h.BatchWait = -1
		}
	}
}

// gather takes along what may start together with first, up to a batch. mu is held, and given up
// where the handler's rate limit asks for classes.
func (c *Consumer) gather(first *item, batch []*item) []*item {
	h := first.Value.handler
	batch = append(batch, first)
	for len(batch) < h.BatchMax {
		it := c.sched.Join(first)
		if it == nil {
			break
		}
		if c.offered(it) && c.mayBegin(it) {
			batch = append(batch, it)
		}
	}
	return batch
}

// stepBatch is step for several items of one handler that are out together.
func (c *Consumer) stepBatch(batch []*item, began int64) {
	h := batch[0].Value.handler
	turn := c.breakerTurn(h)
	start := time.Now()
	err := c.tryBatch(batch, began)
	if seconds := h.meters.seconds; seconds != nil {
		seconds.Since(start)
	}
	c.settleBatch(batch, err, turn)
}

// tryBatch calls the handler once for all of the batch. Its context ends with that of any of its
// partitions: what the others lose by that is not counted.
func (c *Consumer) tryBatch(batch []*item, began int64) (err error) {
	h := batch[0].Value.handler
	ctx, release := c.batchContext(batch)
	defer release()
	room := make([]leat.Envelope, len(batch))
	envelopes := make([]*leat.Envelope, len(batch))
	for i, it := range batch {
		number := 1
		if past := it.Value.past; past != nil {
			number += past.Attempts
		}
		room[i] = *leat.NewEnvelope(it.Value.wire, &h.Kind, c.cfg.Codec, number)
		envelopes[i] = &room[i]
	}
	a := &attempt.Context{Context: ctx, Timeout: h.Timeout, Clock: &c.clock, Began: began, Several: true}
	defer a.End()
	traced, span := telemetry.StartBatch(a, c.cfg.Group, h.Topic.Name, envelopes)
	err = attempt.Guarded(traced, nil, func(ctx context.Context, _ *leat.Envelope) error { return h.Batch(ctx, envelopes) })
	if err != nil && errors.Is(context.Cause(a), attempt.ErrTimeout) {
		err = fmt.Errorf("%w of %v: %w", attempt.ErrTimeout, h.Timeout, err)
	}
	span.End(err)
	return err
}

// batchContext ends when that of any partition of the batch does. It carries the claims to all of
// them, where their topic is parked.
func (c *Consumer) batchContext(batch []*item) (context.Context, func()) {
	first := batch[0].Value.part
	var others []*partition
	seen := map[*partition]bool{first: true}
	for _, it := range batch[1:] {
		if p := it.Value.part; !seen[p] {
			seen[p] = true
			others = append(others, p)
		}
	}
	if len(others) == 0 {
		return first.ctx, func() {}
	}
	var claims []leat.Fence
	for p := range seen {
		if f, parked := leat.FenceOf(p.ctx); parked {
			claims = append(claims, f)
		}
	}
	ctx, cancel := context.WithCancelCause(first.ctx)
	if claims != nil {
		ctx = leat.WithFences(ctx, claims)
	}
	stops := make([]func() bool, len(others))
	for i, p := range others {
		stops[i] = context.AfterFunc(p.ctx, func() { cancel(context.Cause(p.ctx)) })
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}

// settleBatch does for each item of a batch what the outcome asks for. It returns with mu held.
func (c *Consumer) settleBatch(batch []*item, err error, turn uint32) {
	h := batch[0].Value.handler
	faults, told := leat.Faults(err)
	for i := range faults {
		if i < 0 || i >= len(batch) {
			err, told = payload.Outside(i, len(batch), err), false
		}
	}
	_, skipped := leat.SkipReason(err)
	cut := err != nil && cutOff(batch)
	random := c.random() // one for all, so that those that wait come back together
	h.meters.batch(len(batch), err, told)
	each := func(act func(i int, it *item)) { // act returns with mu held
		for i, it := range batch {
			act(i, it)
			c.mu.Unlock()
		}
		c.mu.Lock()
	}
	switch {
	case err == nil || told:
		for i := range batch {
			c.breakerResult(h, turn, faults[i])
		}
		each(func(i int, it *item) {
			if cut && faults[i] != nil && it.Value.part.ctx.Err() == nil {
				c.comeAgain(it, h.Class, 0)
				return
			}
			c.settleBy(it, faults[i], random)
		})
	case skipped || leat.IsUnavailable(err):
		each(func(_ int, it *item) { c.settleBy(it, err, random) })
	case cut:
		each(func(_ int, it *item) { c.comeAgain(it, h.Class, 0) })
	default:
		c.breakerResult(h, turn, err)
		c.log.Info("batch failed: its events are tried one by one", "topic", h.Topic.Name, "event_type", h.Kind.Type, "events", len(batch), "err", err)
		delay, _ := leat.RetryDelay(err)
		each(func(_ int, it *item) { c.comeAgain(it, h.Single, delay) })
	}
}

// cutOff says whether a partition of the batch was taken away meanwhile.
func cutOff(batch []*item) bool {
	for _, it := range batch {
		if it.Value.part.ctx.Err() != nil {
			return true
		}
	}
	return false
}

// comeAgain puts an item back into its lane, uncounted, as one of the class. It returns with mu held.
func (c *Consumer) comeAgain(it *item, class int, delay time.Duration) {
	p, past := it.Value.part, it.Value.past
	c.mu.Lock()
	if p.lanes.Closed() {
		c.release(it)
		return
	}
	probe := past != nil && past.Away > 0
	c.sched.Move(it, class)
	c.sched.Delay(it, time.Now().Add(delay).UnixNano(), probe)
	signal(c.wake)
}
