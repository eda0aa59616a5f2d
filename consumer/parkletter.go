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
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/internal/route"
	"github.com/leatdev/leat/consumer/letter"
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
	event, d, err := c.tellLetter(&l)
	if err != nil {
		c.letterFailed(l, err)
		return
	}
	if c.txn != nil {
		c.letterInside(l, c.letter(event, *d))
		return
	}
	r := c.letters.Compose(event, *d, l.omit)
	c.letters.Send(c.ctx, r, l.alone, func(err error) { c.letterSent(l, *d, err) })
}

// tellLetter finds the event of a dead letter, and its story.
func (c *Consumer) tellLetter(l *parkedLetter) (*kgo.Record, *letter.DeadLetter, error) {
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
		return nil, nil, context.Canceled
	}
	var err error
	if event == nil {
		if event, err = c.eventOf(p, ev); err != nil {
			return nil, nil, err
		}
	}
	if d == nil {
		d, err = c.toldStory(p, ev, event)
	}
	return event, d, err
}

// eventOf reads the event of a dead letter from the park partition, or from its source.
func (c *Consumer) eventOf(p *partition, ev park.Event) (*kgo.Record, error) {
	if ev.At >= 0 {
		event, err := p.park.fetcher.Event(p.ctx, ev.At)
		return event.Record, err
	}
	event, err := c.yard.Read(p.ctx, p.at.topic, p.at.partition, ev.Offset)
	if errors.Is(err, kafka.ErrNoRecord) { // nobody knows it any more; that it was given up still holds
		return &kgo.Record{Topic: p.at.topic, Partition: p.at.partition, Offset: ev.Offset, Key: ev.Key.Bytes()}, nil
	}
	return event, err
}

// toldStory is the story that the Dead record of an event tells; one of an event that never failed
// itself tells none.
func (c *Consumer) toldStory(p *partition, ev park.Event, event *kgo.Record) (*letter.DeadLetter, error) {
	reason := letter.ReasonBlocked
	if !ev.Blocked {
		r, err := p.park.fetcher.At(p.ctx, ev.Decided)
		if err != nil {
			return nil, err
		}
		headers := mail.Headers(r)
		says, err := park.Parse(r.Key, headers)
		if err != nil {
			return nil, err
		}
		if d, err := letter.ParseDeadLetter(headers[:len(headers)-1]); err == nil {
			return &d, nil
		}
		reason = letter.Reason(cmp.Or(says.Reason, string(letter.ReasonBlocked)))
	}
	now := time.Now()
	d := &letter.DeadLetter{
		Source:    leat.Position{Topic: p.at.topic, Partition: p.at.partition, Offset: ev.Offset},
		Timestamp: event.Timestamp, Group: c.cfg.Group, Reason: reason, Attempts: int(ev.Past.Attempts),
		Error: "its key has as many parked events as it may", FirstFailure: now, LastFailure: now, Version: c.cfg.Version,
	}
	if ev.Blocked {
		d.Error = fmt.Sprintf("an earlier event of its key stands in the dead letters and holds the key (hold %d)", ev.Hold)
	}
	var r route.Record
	if pass := p.route.Sort(&r, event, true); !pass && r.Handler != nil {
		d.Handler = r.Handler.Kind.Type
	}
	return d, nil
}

// letterSent goes on after a dead letter was written, or was not.
func (c *Consumer) letterSent(l parkedLetter, d letter.DeadLetter, err error) {
	if err != nil {
		c.letterFailed(l, err)
		return
	}
	c.cfg.Hook("consumer.deadlettered")
	c.cfg.Hook("park.dlq-sent")
	p, ev := l.part, l.event
	c.tellOf(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.yard.Landed()
	if p.void || !p.park.live() {
		return
	}
	delete(p.park.stories, ev.Offset)
	p.buried++
	p.unburied = nil
	c.do(p, p.park.core.LetterWritten(ev.Offset, ev.Round))
}

// tellOf tells of the dead letter of a parked event.
func (c *Consumer) tellOf(d letter.DeadLetter) {
	c.metrics.deadLetters.With(d.Source.Topic, string(d.Reason)).Inc()
	c.log.Warn("event dead-lettered", "topic", d.Source.Topic, "partition", d.Source.Partition, "offset", d.Source.Offset,
		"event_type", d.Handler, "attempt", d.Attempts, "reason", string(d.Reason), "err", d.Error)
}

// letterFailed tries again: smaller where it is too large, else later.
func (c *Consumer) letterFailed(l parkedLetter, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := l.part
	if p.void || !p.park.live() {
		c.yard.Landed()
		return
	}
	if errors.Is(err, kerr.MessageTooLarge) && l.omit < len(mail.Omissible) {
		if l.alone {
			l.omit++
		}
		l.alone = true
		c.yard.Post(func() { c.writeLetter(l) })
		return
	}
	c.metrics.letterErrors.With(p.at.topic).Inc()
	if p.unburied == nil {
		c.log.Error("write dead letter: tried again until it succeeds", "topic", p.at.topic, "partition", p.at.partition, "offset", l.event.Offset, "err", err)
	}
	p.unburied = fmt.Errorf("write a dead letter to %s: %w", leat.DeadLetters(p.at.topic, c.cfg.Group), err)
	l.fails++
	c.yard.Landed()
	c.yard.at(p, time.Now().Add(attempt.Away.Delay(l.fails, c.random())), func() { c.yard.PostLetter(func() { c.writeLetter(l) }) })
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		signal(c.lookup)
	}
}

// story is what the dead letter of an event is to tell, in its round.
type story struct {
	round  int32
	letter letter.DeadLetter
}

// of is the story where it is of the round.
func (s story) of(round int32) *letter.DeadLetter {
	if s.round != round || s.letter.Reason == "" {
		return nil
	}
	return &s.letter
}
