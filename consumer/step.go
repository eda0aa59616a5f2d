package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/internal/telemetry"
)

// step makes the next attempt on an item that is out, begun at the given time of the clock, and
// settles what becomes of it. It returns with mu held.
func (c *Consumer) step(it *item, began int64) {
	w := &it.Value
	if w.past != nil && w.past.stage == burying {
		c.mu.Lock()
		if w.part.park != nil {
			c.resolve(it, park.GiveUp)
			return
		}
		c.sched.Wait(it)
		c.mu.Unlock()
		c.bury(it)
		c.mu.Lock()
		return
	}
	turn := c.breakerTurn(w.handler)
	seconds := w.handler.meters.seconds
	if seconds == nil {
		err := c.try(w, began)
		c.breakerResult(w.handler, turn, err)
		c.settle(it, err)
		return
	}
	start := time.Now()
	err := c.try(w, began)
	seconds.Since(start)
	c.breakerResult(w.handler, turn, err)
	c.settle(it, err)
}

// try calls the handler, or OnExhausted, once.
func (c *Consumer) try(w *work, began int64) (err error) {
	h := w.handler
	number, fn := 1, h.Handle
	if past := w.past; past != nil {
		number += past.attempts
		if past.stage == exhausting {
			number, fn = past.attempts, func(ctx context.Context, e *leat.Envelope) error { return h.Exhausted(ctx, e, past.cause) }
		}
	}
	if h.Transform != nil {
		fn = func(ctx context.Context, e *leat.Envelope) error { return c.transform(ctx, w, e) }
	}
	a := &attempt{
		Context: w.part.ctx, envelope: *leat.NewEnvelope(w.wire, &h.Kind, c.cfg.Codec, number),
		timeout: h.timeout, clock: &c.clock, began: began,
	}
	defer a.end()
	ctx, span := telemetry.StartProcess(a, c.cfg.Group, &a.envelope)
	if err = guarded(ctx, &a.envelope, fn); err != nil && errors.Is(context.Cause(a), ErrTimeout) {
		err = fmt.Errorf("%w of %v: %w", ErrTimeout, h.timeout, err)
	}
	span.End(err)
	return err
}

// settle does what the outcome of an attempt asks for. It returns with mu held.
func (c *Consumer) settle(it *item, err error) { c.settleBy(it, err, c.random()) }

// settleBy is settle with the random number that its delay is made of.
func (c *Consumer) settleBy(it *item, err error, random float64) {
	w := &it.Value
	h, p := w.handler, w.part
	var past history
	if w.past != nil {
		past = *w.past
	}
	var v verdict // done
	if err != nil {
		v = c.spare(h, judge(err, past, w.retryOf(), random))
	}
	if v.act == done {
		c.cfg.Hook("consumer.handled")
		h.meters.finished(v, past.stage, c, p)
		c.mu.Lock()
		c.thaw(p, past.away)
		if w.cleared || w.event != nil {
			c.resolve(it, park.Done)
			return
		}
		c.finish(it)
		return
	}
	if p.ctx.Err() != nil { // cut off: whatever the handler made of that is not the event's fault
		c.mu.Lock()
		c.release(it)
		return
	}
	if w.past == nil {
		w.past = new(history)
	}
	now := time.Now()
	w.past.note(err, v, now)
	h.meters.failed(v)
	if v.act == giveUp && c.parks(w, &v, err, now) {
		c.mu.Lock()
		c.thaw(p, past.away)
		c.resolve(it, park.Retry)
		return
	}
	if v.act == giveUp {
		w.past.advance(v.reason, h.Exhausted != nil)
		c.giveUp(it, past.away, now)
		return
	}
	c.logRetry(w, v, err)
	c.postpone(it, now.Add(v.delay), v.act == pause, past.away)
}

// postpone puts an item back into its lane for a later attempt. An unavailable infrastructure freezes
// the partition until an attempt on such an event finds it back. It returns with mu held.
func (c *Consumer) postpone(it *item, due time.Time, away bool, wasAway int) {
	p := it.Value.part
	c.mu.Lock()
	if p.lanes.Closed() {
		c.release(it)
		return
	}
	if away {
		c.freeze(p, it.Value.past.err)
	} else {
		c.thaw(p, wasAway)
	}
	c.sched.Delay(it, due.UnixNano(), away)
	signal(c.wake)
}

// giveUp goes on with OnExhausted at once, or with the dead letter. It returns with mu held.
func (c *Consumer) giveUp(it *item, wasAway int, now time.Time) {
	p := it.Value.part
	c.mu.Lock()
	c.thaw(p, wasAway)
	if h := it.Value.handler; h.Batch != nil {
		c.sched.Move(it, h.single) // what comes now is for this event alone
	}
	if it.Value.past.stage == burying {
		if p.park != nil {
			c.resolve(it, park.GiveUp)
			return
		}
		c.sched.Wait(it)
		c.mu.Unlock()
		c.bury(it)
		c.mu.Lock()
		return
	}
	if p.lanes.Closed() {
		c.release(it)
		return
	}
	c.sched.Delay(it, now.UnixNano(), false)
	signal(c.wake)
}

// freeze stops p's lanes but those that find out whether the infrastructure is back. mu is held.
func (c *Consumer) freeze(p *partition, err error) {
	if p.away == nil {
		p.awaySince = time.Now()
		c.log.Warn("partition waits: the infrastructure is unavailable", "topic", p.at.topic, "partition", p.at.partition, "err", err)
	}
	p.away = err
	c.sched.Freeze(p.lanes)
}

// thaw lets p's lanes run again after an attempt that had found the infrastructure away wasAway
// times found it back. mu is held.
func (c *Consumer) thaw(p *partition, wasAway int) {
	if wasAway == 0 || p.away == nil {
		return
	}
	c.log.Info("partition goes on: the infrastructure is back", "topic", p.at.topic, "partition", p.at.partition, "duration", time.Since(p.awaySince))
	p.away = nil
	c.sched.Thaw(p.lanes)
	c.crew.call(c)
}

func (c *Consumer) logRetry(w *work, v verdict, err error) {
	if v.act != again {
		return
	}
	c.log.Info("attempt failed", "topic", w.rec.Topic, "partition", w.rec.Partition, "offset", w.rec.Offset,
		"event_id", w.wire.Attribute("id"), "event_type", w.handler.Kind.Type, "attempt", w.past.failed, "delay", v.delay, "err", err)
}

// goexit is the error of a handler that ended its goroutine.
func goexit(stack []byte) error { return &leat.PanicError{Value: errGoexit, Stack: stack} }
