package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/internal/telemetry"
)

// step makes the next attempt on an item that is out, begun at the given time of the clock, and
// settles what becomes of it. It returns with mu held.
func (c *Consumer) step(it *item, began int64) {
	w := &it.Value
	if w.past != nil && w.past.Stage == attempt.Burying {
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
		err := c.try(w, began, new(attempt.Context))
		c.breakerResult(w.handler, turn, err)
		c.settle(it, err)
		return
	}
	start := time.Now()
	err := c.try(w, began, new(attempt.Context))
	seconds.Since(start)
	c.breakerResult(w.handler, turn, err)
	c.settle(it, err)
}

// try calls the handler, or OnExhausted, once; a is the room for its context.
func (c *Consumer) try(w *work, began int64, a *attempt.Context) (err error) {
	h := w.handler
	number, fn := 1, h.Handle
	if past := w.past; past != nil {
		number += past.Attempts
		if past.Stage == attempt.Exhausting {
			number, fn = past.Attempts, func(ctx context.Context, e *leat.Envelope) error { return h.Exhausted(ctx, e, past.Cause) }
		}
	}
	if h.Transform != nil {
		fn = func(ctx context.Context, e *leat.Envelope) error { return c.transform(ctx, w, e) }
	}
	a.Context, a.Envelope = w.part.ctx, *leat.NewEnvelope(w.wire, &h.Kind, c.cfg.Codec, number)
	a.Timeout, a.Clock, a.Began = h.Timeout, &c.clock, began
	defer a.End()
	var ctx context.Context = a
	var span telemetry.Span
	if c.traced {
		ctx, span = telemetry.StartProcess(a, c.cfg.Group, &a.Envelope)
	}
	if err = attempt.Guarded(ctx, &a.Envelope, fn); err != nil && errors.Is(context.Cause(a), attempt.ErrTimeout) {
		err = fmt.Errorf("%w of %v: %w", attempt.ErrTimeout, h.Timeout, err)
	}
	span.End(err)
	return err
}

// settle does what the outcome of an attempt asks for. It returns with mu held.
func (c *Consumer) settle(it *item, err error) {
	if w := &it.Value; err != nil || w.past != nil || w.cleared || w.event != nil {
		c.settleBy(it, err, c.random())
		return
	}
	c.cfg.Hook("consumer.handled") // what follows is all that there is to most events
	it.Value.handler.meters.done.Inc()
	c.mu.Lock()
	c.finish(it)
}

// settleBy is settle with the random number that its delay is made of.
func (c *Consumer) settleBy(it *item, err error, random float64) {
	w := &it.Value
	h, p := w.handler, w.part
	var past attempt.History
	if w.past != nil {
		past = *w.past
	}
	var v attempt.Verdict // done
	if err != nil {
		v = c.spare(h, attempt.Judge(err, past, w.retryOf(), random))
	}
	if v.Act == attempt.Done {
		c.cfg.Hook("consumer.handled")
		h.meters.finished(v, past.Stage, c, p)
		c.mu.Lock()
		c.thaw(p, past.Away)
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
		w.past = new(attempt.History)
	}
	now := time.Now()
	w.past.Note(err, v, now)
	h.meters.failed(v)
	if v.Act == attempt.GiveUp && c.parks(w, &v, err, now) {
		c.mu.Lock()
		c.thaw(p, past.Away)
		c.resolve(it, park.Retry)
		return
	}
	if v.Act == attempt.GiveUp {
		if !w.goesOn(v, err, now) {
			w.past.Advance(v.Reason, h.Exhausted != nil)
		}
		c.giveUp(it, past.Away, now)
		return
	}
	c.logRetry(w, v, err)
	c.postpone(it, now.Add(v.Delay), v.Act == attempt.Pause, past.Away)
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
		c.freeze(p, it.Value.past.Err)
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
		c.sched.Move(it, h.Single) // what comes now is for this event alone
	}
	if it.Value.past.Stage == attempt.Burying {
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
	c.shortenRuns()
}

// thaw lets p's lanes run again after an attempt that had found the infrastructure away wasAway
// times found it back. mu is held.
func (c *Consumer) thaw(p *partition, wasAway int) {
	if wasAway == 0 || p.away == nil {
		return
	}
	c.log.Info("partition goes on: the infrastructure is back", "topic", p.at.topic, "partition", p.at.partition, "duration", time.Since(p.awaySince))
	c.unfreeze(p, wasAway)
}

// unfreeze lets p's lanes run again, where one that had found the infrastructure away wasAway times is
// not to find out any more: without any that does, p would stand still for ever. mu is held.
func (c *Consumer) unfreeze(p *partition, wasAway int) {
	if wasAway == 0 || p.away == nil {
		return
	}
	p.away = nil
	c.sched.Thaw(p.lanes)
	c.crew.call(c)
}

func (c *Consumer) logRetry(w *work, v attempt.Verdict, err error) {
	if v.Act != attempt.Again {
		return
	}
	c.log.Info("attempt failed", "topic", w.rec.Topic, "partition", w.rec.Partition, "offset", w.rec.Offset,
		"event_id", w.wire.Attribute("id"), "event_type", w.handler.Kind.Type, "attempt", w.past.Failed, "delay", v.Delay, "err", err)
}
