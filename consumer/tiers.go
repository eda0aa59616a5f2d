package consumer

import (
	"slices"
	"strconv"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/letter"
)

// goesOn says whether an event whose attempts are used up is to move to the next retry topic, and notes
// which one and when it is due there. Only the partition's own events do: a redriven one has been there.
func (w *work) goesOn(v attempt.Verdict, err error, now time.Time) bool {
	past, tiers := w.past, w.part.route.Later
	if w.handler.Later == nil || past.Stage != attempt.Handling || v.Reason != letter.ReasonExhausted || past.Tier >= len(tiers) {
		return false
	}
	past.Later = &tiers[past.Tier]
	delay, asked := leat.RetryDelay(err)
	if !asked {
		delay = past.Later.Delay
	}
	past.Stage, past.Cause, past.Reason = attempt.Burying, err, v.Reason
	past.Due = now.Add(delay + time.Millisecond - 1).Truncate(time.Millisecond) // the header's unit, and not before
	past.Failed, past.Panics, past.Away = 0, 0, 0
	return true
}

// tellDeferred tells of an event that has moved to a retry topic.
func (c *Consumer) tellDeferred(w *work) {
	c.metrics.deferred.With(w.rec.Topic, strconv.Itoa(w.past.Tier+1)).Inc()
	c.log.Info("event moved to a retry topic", "topic", w.rec.Topic, "partition", w.rec.Partition, "offset", w.rec.Offset,
		"event_id", w.wire.Attribute("id"), "event_type", w.wire.Attribute("type"), "attempt", w.past.Attempts,
		"to", w.past.Later.Topic, "due", w.past.Due.UTC(), "err", w.past.Story())
}

// aside makes the members that read the retry topics of other groups than the consumer's own, as
// Spring has them.
func (c *Consumer) aside(cfg Config) (members []*Consumer) {
	cfg.Inbox = nil // the group's own member tells
	var groups []string
	for _, r := range c.routes {
		for _, tier := range r.Later {
			if tier.Group != cfg.Group && !slices.Contains(groups, tier.Group) {
				groups = append(groups, tier.Group)
			}
		}
	}
	slices.Sort(groups)
	for _, group := range groups {
		m := newMember(cfg, c.metrics)
		m.joins, m.log, m.returns = group, cfg.Logger.With("group", group), nil
		m.retries = m.routes.Retries(cfg.Group, group)
		members = append(members, m)
	}
	return members
}

// topics are what the member reads from the start.
func (c *Consumer) topics() (names []string) {
	if c.joins == c.cfg.Group {
		for name := range c.routes {
			names = append(names, name)
		}
	}
	for name := range c.retries {
		names = append(names, name)
	}
	return names
}
