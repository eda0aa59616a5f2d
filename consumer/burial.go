package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/letter"
)

// letterOf is the dead letter of a record, or what moves it to a retry topic.
func (c *Consumer) letterOf(w *work) *kgo.Record {
	past := w.past
	n := mail.Note{Event: w.rec, Story: c.story(w), Omit: past.Omit, Cause: past.Cause, Spring: w.part.route != nil && w.part.route.Spring}
	if past.Later != nil {
		n.Later = &mail.Deferral{Topic: past.Later.Topic, Tier: past.Tier + 1, Due: past.Due}
	}
	return c.letters.Record(&n)
}

// story is what happened to a record.
func (c *Consumer) story(w *work) letter.DeadLetter {
	past := w.past
	d := letter.DeadLetter{
		Source:       w.wire.Position(),
		Timestamp:    w.rec.Timestamp,
		Group:        c.cfg.Group,
		Reason:       past.Reason,
		Error:        past.Story(),
		Attempts:     past.Attempts,
		FirstFailure: past.First,
		LastFailure:  past.Last,
		Version:      c.cfg.Version,
	}
	if w.handler != nil {
		d.Handler = w.handler.Kind.Type
	}
	if p, ok := errors.AsType[*leat.PanicError](past.Cause); ok {
		d.Stack = string(p.Stack)
	}
	return d
}

// bury writes the dead letter of a waiting item. No worker waits for it; its lane stays shut.
func (c *Consumer) bury(it *item) {
	if past := it.Value.past; past.First.IsZero() {
		past.First = time.Now()
		past.Last = past.First
	}
	if c.txn != nil && c.txn.inside {
		c.buryInside(it)
		return
	}
	r := c.letterOf(&it.Value)
	c.letters.Send(c.ctx, r, it.Value.past.Alone, func(err error) { c.buried(it, err) })
}

// buried goes on after a dead letter was written, or was not.
func (c *Consumer) buried(it *item, err error) {
	w := &it.Value
	p := w.part
	if err == nil {
		c.mourn(w)
		c.mu.Lock()
		defer c.mu.Unlock()
		if w.past.Later == nil {
			p.buried++
		}
		p.unburied = nil
		c.finish(it)
		c.crew.call(c)
		return
	}
	if errors.Is(err, kerr.MessageTooLarge) && w.past.Lighter() {
		c.bury(it)
		return
	}
	c.metrics.letterErrors.With(p.at.topic).Inc()
	c.postponeBurial(it, err)
}

// mourn tells of a dead letter that was written, or of an event that has moved to a retry topic.
func (c *Consumer) mourn(w *work) {
	if w.past.Later != nil {
		c.cfg.Hook("consumer.deferred")
		c.tellDeferred(w)
		return
	}
	c.cfg.Hook("consumer.deadlettered")
	c.tellBuried(w)
}

// tellBuried tells of a dead letter that was written.
func (c *Consumer) tellBuried(w *work) {
	c.metrics.deadLetters.With(w.rec.Topic, string(w.past.Reason)).Inc()
	c.log.Warn("event dead-lettered", "topic", w.rec.Topic, "partition", w.rec.Partition, "offset", w.rec.Offset,
		"event_id", w.wire.Attribute("id"), "event_type", w.wire.Attribute("type"), "attempt", w.past.Attempts,
		"reason", string(w.past.Reason), "err", w.past.Story())
}

// postponeBurial tries again later, without limit: nothing is committed past a record that has
// neither been handled nor buried.
func (c *Consumer) postponeBurial(it *item, err error) {
	past, p := it.Value.past, it.Value.part
	past.Away++
	delay := attempt.Away.Delay(past.Away, c.random())
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.lanes.Closed() {
		c.release(it)
		return
	}
	if p.unburied == nil {
		c.log.Error("write "+past.What()+": tried again until it succeeds, nothing is committed past it",
			"topic", p.at.topic, "partition", p.at.partition, "offset", it.Value.rec.Offset, "err", err)
	}
	to := leat.DeadLetters(it.Value.rec.Topic, c.cfg.Group)
	if past.Later != nil {
		to = past.Later.Topic
	}
	p.unburied = fmt.Errorf("write a %s to %s: %w", past.What(), to, err)
	c.sched.Delay(it, time.Now().Add(delay).UnixNano(), true)
	signal(c.wake)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		signal(c.lookup)
	}
}
