package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

// parkedLetter is a dead letter on its way, of an event whose Dead record was read back.
type parkedLetter struct {
	part  *partition
	event park.Event
	omit  int
	alone bool
	fails int
}

// writeLetter writes a dead letter. Its story may be older than this process: then it stands in the
// Dead record. It runs in a loader.
func (c *Consumer) writeLetter(l parkedLetter) {
	r, err := c.composeLetter(&l)
	if err != nil {
		c.letterFailed(l, err)
		return
	}
	c.letters.send(c.ctx, r, l.alone, func(err error) { c.letterSent(l, r, err) })
}

func (c *Consumer) composeLetter(l *parkedLetter) (*kgo.Record, error) {
	p, ev := l.part, l.event
	c.mu.Lock()
	var event *kgo.Record
	if it := p.park.hand[ev.Offset]; it != nil {
		event = it.Value.rec
	}
	d := p.park.stories[ev.Offset].of(ev.Round)
	live := p.park.live()
	c.mu.Unlock()
	if !live {
		return nil, context.Canceled
	}
	var err error
	if event == nil {
		if event, err = c.eventOf(p, ev); err != nil {
			return nil, err
		}
	}
	if d == nil {
		if d, err = c.toldStory(p, ev, event); err != nil {
			return nil, err
		}
	}
	return c.letters.compose(event, *d, l.omit), nil
}

// eventOf reads the event of a dead letter from the park partition, or from its source.
func (c *Consumer) eventOf(p *partition, ev park.Event) (*kgo.Record, error) {
	if ev.At >= 0 {
		event, err := p.park.fetcher.event(p.ctx, p.at, ev.At)
		return event.Record, err
	}
	records, err := kafka.NewFetcher(c.yard.single, p.at.topic, p.at.partition).Fetch(p.ctx, ev.Offset, chunkBytes)
	if errors.Is(err, kafka.ErrNoRecord) { // nobody knows it any more; that it was given up still holds
		return &kgo.Record{Topic: p.at.topic, Partition: p.at.partition, Offset: ev.Offset, Key: ev.Key.Bytes()}, nil
	}
	if err != nil {
		return nil, err
	}
	return records[0], nil
}

// toldStory is the story that the Dead record of an event tells; one of an event that never failed
// itself tells none.
func (c *Consumer) toldStory(p *partition, ev park.Event, event *kgo.Record) (*DeadLetter, error) {
	reason := ReasonBlocked
	if !ev.Blocked {
		r, err := p.park.fetcher.at(p.ctx, ev.Decided)
		if err != nil {
			return nil, err
		}
		headers := headersOf(r)
		says, err := park.Parse(r.Key, headers)
		if err != nil {
			return nil, err
		}
		if d, err := ParseDeadLetter(headers[:len(headers)-1]); err == nil {
			return &d, nil
		}
		reason = Reason(cmp.Or(says.Reason, string(ReasonBlocked)))
	}
	now := time.Now()
	d := &DeadLetter{
		Source:    leat.Position{Topic: p.at.topic, Partition: p.at.partition, Offset: ev.Offset},
		Timestamp: event.Timestamp, Group: c.cfg.Group, Reason: reason, Attempts: int(ev.Past.Attempts),
		Error: "its key has as many parked events as it may", FirstFailure: now, LastFailure: now, Version: c.cfg.Version,
	}
	if ev.Blocked {
		d.Error = fmt.Sprintf("an earlier event of its key stands in the dead letters and holds the key (hold %d)", ev.Hold)
	}
	var w work
	if pass := p.route.sort(&w, event, true); !pass && w.handler != nil {
		d.Handler = w.handler.Kind.Type
	}
	return d, nil
}

// letterSent goes on after a dead letter was written, or was not.
func (c *Consumer) letterSent(l parkedLetter, r *kgo.Record, err error) {
	if err != nil {
		c.letterFailed(l, err)
		return
	}
	c.cfg.Hook("consumer.deadlettered")
	c.cfg.Hook("park.dlq-sent")
	p, ev := l.part, l.event
	if d, err := ParseDeadLetter(headersOf(r)); err == nil {
		c.metrics.deadLetters.With(p.at.topic, string(d.Reason)).Inc()
		c.log.Warn("event dead-lettered", "topic", p.at.topic, "partition", p.at.partition, "offset", ev.Offset,
			"event_type", d.Handler, "attempt", d.Attempts, "reason", string(d.Reason), "err", d.Error)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.yard.landed()
	if p.void || !p.park.live() {
		return
	}
	delete(p.park.stories, ev.Offset)
	p.buried++
	p.unburied = nil
	c.do(p, p.park.core.LetterWritten(ev.Offset, ev.Round))
}

// letterFailed tries again: smaller where it is too large, else later.
func (c *Consumer) letterFailed(l parkedLetter, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := l.part
	if p.void || !p.park.live() {
		c.yard.landed()
		return
	}
	if errors.Is(err, kerr.MessageTooLarge) && l.omit < len(omissible) {
		if l.alone {
			l.omit++
		}
		l.alone = true
		c.yard.post(func() { c.writeLetter(l) })
		return
	}
	c.metrics.letterErrors.With(p.at.topic).Inc()
	if p.unburied == nil {
		c.log.Error("write dead letter: tried again until it succeeds", "topic", p.at.topic, "partition", p.at.partition, "offset", l.event.Offset, "err", err)
	}
	p.unburied = fmt.Errorf("write a dead letter to %s: %w", leat.DeadLetters(p.at.topic, c.cfg.Group), err)
	l.fails++
	c.yard.landed()
	c.yard.at(p, time.Now().Add(awayRetry.Delay(l.fails, c.random())), func() { c.yard.postLetter(func() { c.writeLetter(l) }) })
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		signal(c.lookup)
	}
}
