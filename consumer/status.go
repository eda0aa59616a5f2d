package consumer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Stats is what a consumer has in hand, at one moment.
type Stats struct {
	Partitions []PartitionStats // those assigned to this member, by topic and number
	InFlight   int              // attempts under way
	Passed     int64            // records of types that no handler takes, since Run began
	Spared     int64            // records that did not come again after a restart or hand-over: the offset map said they are finished
	Stale      int64            // records dropped as repeats, and events that finished after their partition had gone
	Hung       int              // attempts that ignore the end of their context
	Control    ControlStats
}

// PartitionStats is one partition's share of it. Offsets are -1 where they are not known yet.
type PartitionStats struct {
	Topic         string
	Partition     int32
	Epoch         int64         // counts this member's assignments
	Committed     int64         // the group's offset
	LowWater      int64         // below it all is finished; what the next commit says
	HighWatermark int64         // the end of the log, as of a few seconds ago
	Lag           int64         // events that are not finished: those in hand, and what can be read and was not yet
	TimeLag       time.Duration // age of the oldest of them by its record's time, 0 where there is none
	Undecided     time.Duration // how long an open transaction has kept the same records from being read, 0 where none does
	Queued        int           // records in memory that are not finished
	Bytes         int           // about what they take
	InHand        int           // attempts and dead letters under way
	Handled       int64         // records finished in this assignment
	DeadLetters   int64         // of these, written to the dead letters
	ParkedKeys    int           // keys with events in the park partition, or held
	ParkedEvents  int           // events that wait there
	ParkedFor     time.Duration // since the first failure of the event that has failed for the longest of those that parked keys wait for, 0 where there is none
	HeldKeys      int           // keys whose events go to the dead letters until they are released
	Claiming      bool          // its park partition is being taken over: nothing runs yet
	Paused        bool          // its fetching is paused: it waits for room, or is halted
	Halted        string        // why the control topic lets nothing of it start, "" where it does
	Waits         error         // why nothing goes on, nil where it does
}

// Stats tells what the consumer has in hand.
func (c *Consumer) Stats() Stats {
	s := c.stats()
	for _, m := range append(c.members()[1:], c.besides...) {
		of := m.stats()
		if len(c.routes) == 0 {
			s.Control = of.Control
		}
		s.Partitions = append(s.Partitions, of.Partitions...)
		s.InFlight += of.InFlight
		s.Passed += of.Passed
		s.Stale += of.Stale
		s.Hung += of.Hung
	}
	slices.SortFunc(s.Partitions, func(a, b PartitionStats) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return s
}

// members are those of the group at work for this process: itself, and the one of its transforms.
func (c *Consumer) members() []*Consumer {
	if m := c.transformer.member(); m != nil {
		return []*Consumer{c, m}
	}
	return []*Consumer{c}
}

// stats is one member's share.
func (c *Consumer) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{InFlight: c.sched.Out(), Passed: c.passed, Spared: c.spared, Stale: c.stale, Control: c.orders.stats(c.cfg.Control)}
	now := time.Now()
	for w := range c.crew.all {
		if _, hung := c.hung(w, now); hung {
			s.Hung++
		}
	}
	for _, p := range c.parts {
		s.Partitions = append(s.Partitions, c.partitionStats(p))
	}
	return s
}

// partitionStats is one partition's share. mu is held.
func (c *Consumer) partitionStats(p *partition) PartitionStats {
	now := time.Now()
	s := PartitionStats{
		Topic: p.at.topic, Partition: p.at.partition, Epoch: p.epoch,
		Committed: p.Committed.Offset, LowWater: -1, HighWatermark: p.High, Lag: p.Lag(), TimeLag: p.TimeLag(now), Undecided: p.Undecided(now),
		Queued: p.lanes.Items(), Bytes: p.lanes.Bytes(), InHand: p.lanes.InHand(),
		Handled: p.handled, DeadLetters: p.buried, Paused: p.paused,
	}
	s.Claiming = p.park != nil && !p.park.live()
	if p.park.live() {
		s.ParkedKeys, s.ParkedEvents, s.HeldKeys = p.park.core.Active(), p.park.core.Queued(), p.park.core.Held()
		if since := p.park.core.FailingSince(); since > 0 {
			s.ParkedFor = max(now.Sub(time.UnixMilli(since)), time.Millisecond)
		}
	}
	if p.Tracker.Begun() {
		s.LowWater = p.Tracker.Low().Offset
	}
	if p.halted {
		s.Halted = c.whyHalted(p)
	}
	switch {
	case p.stuck != nil:
		s.Waits = p.stuck
	case p.park != nil && p.park.away != nil:
		s.Waits = p.park.away
	case p.unburied != nil:
		s.Waits = p.unburied
	case p.away != nil:
		s.Waits = fmt.Errorf("unavailable for %v: %w", time.Since(p.awaySince).Round(time.Second), p.away)
	case p.park.full():
		s.Waits = fmt.Errorf("%s holds as much as it may: %d keys, %d events: mend what fails, or raise Parking's bounds", p.park.topic, s.ParkedKeys, s.ParkedEvents)
	}
	return s
}

// Ready is nil while the group works, or says what waits for what: the group itself, a topic that does
// not exist yet, a partition whose infrastructure is away, whose parking is full or can't begin, whose
// dead letters can't be written or whose records are gone, a handler that hangs or whose breaker is open.
func (c *Consumer) Ready() error {
	var errs []error
	if len(c.routes) > 0 || c.transformer == nil {
		errs = append(errs, c.ready()...)
	}
	for _, m := range c.besides {
		errs = append(errs, m.ready()...)
	}
	if c.transformer != nil {
		errs = append(errs, c.transformer.ready()...)
	}
	if len(errs) == 0 {
		return nil
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return fmt.Errorf("consumer group %s: %w", c.cfg.Group, errors.Join(errs...))
}

// ready is what one member waits for.
func (c *Consumer) ready() (errs []error) {
	for _, p := range c.stats().Partitions {
		if p.Waits != nil {
			errs = append(errs, fmt.Errorf("%s/%d waits: %w", p.Topic, p.Partition, p.Waits))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state == idle && c.orders.err != nil:
		errs = append(errs, fmt.Errorf("not running yet: %w", c.orders.err))
	case c.state == idle:
		errs = append(errs, errors.New("not running yet"))
	case c.state != running:
		errs = append(errs, errors.New("stopping"))
	case c.group != nil:
		errs = append(errs, fmt.Errorf("out of the group: %w", c.group))
	case !c.joined:
		errs = append(errs, errors.New("joining the group"))
	}
	for topic, why := range c.missing {
		errs = append(errs, fmt.Errorf("topic %s: %s", topic, why))
	}
	now := time.Now()
	for w := range c.crew.all {
		if over, hung := c.hung(w, now); hung {
			h := w.item.Value.handler
			errs = append(errs, fmt.Errorf("handler of %s on %s ignores the end of its context since %v: restart the process if it does not come back", h.Kind.Type, h.Topic.Name, over.Round(time.Second)))
		}
	}
	for _, h := range c.handlers {
		if err := c.breakerTrouble(h, now); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// setMissing records that a topic can't be read, and says so once.
func (c *Consumer) setMissing(topic, why string) {
	c.mu.Lock()
	known := c.missing[topic] != ""
	c.missing[topic] = why
	c.mu.Unlock()
	if !known {
		c.log.Warn("topic can't be read yet", "topic", topic, "err", why)
		signal(c.lookup)
	}
}

// setFound ends setMissing.
func (c *Consumer) setFound(topic string) (wasMissing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wasMissing = c.missing[topic] != ""
	delete(c.missing, topic)
	return wasMissing
}

// setGroupError records what keeps us out of the group; the client goes on trying.
func (c *Consumer) setGroupError(err error) {
	err = c.membership().Explain(err)
	c.mu.Lock()
	known := c.group != nil
	c.group = err
	c.mu.Unlock()
	if !known {
		c.log.Warn("out of the group, joining again", "err", err)
	}
}
