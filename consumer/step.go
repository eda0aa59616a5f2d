package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
)

// step makes the next attempt on an item that is out, and settles what becomes of it. It returns the
// time at which the attempt ended.
func (c *Consumer) step(it *item, began time.Time) time.Time {
	w := &it.Value
	if w.past != nil && w.past.stage == burying {
		c.mu.Lock()
		c.sched.Wait(it)
		c.mu.Unlock()
		c.bury(it)
		return time.Now()
	}
	err := c.attempt(w, began)
	ended := time.Now()
	w.handler.meters.seconds.Observe(ended.Sub(began).Seconds())
	c.settle(it, err, ended)
	return ended
}

// attempt calls the handler, or OnExhausted, once.
func (c *Consumer) attempt(w *work, began time.Time) (err error) {
	h, p := w.handler, w.part
	number, fn := 1, h.Handle
	if past := w.past; past != nil {
		number += past.attempts
		if past.stage == exhausting {
			number, fn = past.attempts, func(ctx context.Context, e *leat.Envelope) error { return h.Exhausted(ctx, e, past.cause) }
		}
	}
	e := leat.NewEnvelope(w.wire, &h.Kind, c.cfg.Codec, number)
	ctx, span := telemetry.StartProcess(leat.NewContext(p.ctx, e), c.cfg.Group, e)
	if h.timeout > 0 {
		timed := &attemptContext{Context: ctx, deadline: began.Add(h.timeout)}
		defer timed.end()
		ctx = timed
	}
	err = guarded(ctx, e, fn)
	if err != nil && errors.Is(context.Cause(ctx), ErrTimeout) {
		err = fmt.Errorf("%w of %v: %w", ErrTimeout, h.timeout, err)
	}
	span.End(err)
	return err
}

// settle does what the outcome of an attempt asks for.
func (c *Consumer) settle(it *item, err error, now time.Time) {
	w := &it.Value
	h, p := w.handler, w.part
	var past history
	if w.past != nil {
		past = *w.past
	}
	v := judge(err, past, h.Retry, c.random())
	if v.act == done {
		c.cfg.Hook("consumer.handled")
		h.meters.finished(v, past.stage, c, p)
		c.mu.Lock()
		c.thaw(p, past.away)
		c.finish(it)
		c.mu.Unlock()
		return
	}
	if p.ctx.Err() != nil { // cut off: whatever the handler made of that is not the event's fault
		c.mu.Lock()
		c.release(it)
		c.mu.Unlock()
		return
	}
	if w.past == nil {
		w.past = new(history)
	}
	w.past.note(err, v, now)
	h.meters.failed(v)
	switch v.act {
	case again, pause:
		c.logRetry(w, v, err)
		c.postpone(it, now.Add(v.delay), v.act == pause, past.away)
	case giveUp:
		w.past.advance(v.reason, h.Exhausted != nil)
		c.giveUp(it, past.away, now)
	}
}

// postpone puts an item back into its lane for a later attempt. An unavailable infrastructure freezes
// the partition until an attempt on such an event finds it back.
func (c *Consumer) postpone(it *item, due time.Time, away bool, wasAway int) {
	p := it.Value.part
	c.mu.Lock()
	defer c.mu.Unlock()
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

// giveUp goes on with OnExhausted at once, or with the dead letter.
func (c *Consumer) giveUp(it *item, wasAway int, now time.Time) {
	p := it.Value.part
	c.mu.Lock()
	c.thaw(p, wasAway)
	if it.Value.past.stage == burying {
		c.sched.Wait(it)
		c.mu.Unlock()
		c.bury(it)
		return
	}
	defer c.mu.Unlock()
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
