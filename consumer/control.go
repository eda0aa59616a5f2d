package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/consumer/internal/cluster"
)

// orders is what the control topic says, as far as it has been read. Guarded by Consumer.mu.
type orders struct {
	state *control.State // of its own: replaced, never changed
	err   error          // why the topic is not followed, nil where it is
}

// ControlStats is how the control topic is doing.
type ControlStats struct {
	Topic   string // "": the group takes no commands
	Err     error  // why it is not followed, nil where it is
	Unknown int    // records of kinds that this program does not know, passed over
	Broken  int    // records that can't be read, passed over
}

// stats tells of the control topic. mu is held.
func (o *orders) stats(topic string) ControlStats {
	s := ControlStats{Topic: topic, Err: o.err}
	if o.state != nil {
		s.Unknown, s.Broken = o.state.Passed()
	}
	return s
}

// openControl reads the control topic before anything is handled; nil: the group takes no commands.
func (c *Consumer) openControl(ctx context.Context) (*cluster.Line, error) {
	if c.cfg.Control == "" {
		return nil, nil
	}
	line := &cluster.Line{Topic: c.cfg.Control, Log: c.log, Take: c.setOrders}
	if err := line.Open(ctx, c.cfg.Kafka); err != nil {
		return nil, fmt.Errorf("run consumer %s: %w", c.cfg.Group, err)
	}
	return line, nil
}

// setOrders takes over what the topic says, or why it is not followed: then what it said last stays in
// force.
func (c *Consumer) setOrders(state *control.State, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders.err = err
	if state != nil {
		c.orders.state = state.Clone()
	}
	c.heed()
}

// followControl takes each new record of the control topic. Run waits for it.
func (c *Consumer) followControl(ctx context.Context) {
	if c.line == nil {
		return
	}
	c.mu.Lock()
	err := c.orders.err
	c.mu.Unlock()
	c.line.Follow(ctx, err)
}

// heed brings partitions and handlers to what the control topic says. mu is held.
func (c *Consumer) heed() {
	if c.orders.state == nil {
		return
	}
	for _, r := range c.routes {
		for typ, of := range r.Handlers {
			h := c.classes[of.Class]
			_, paused := c.orders.state.PausedType(c.cfg.Group, r.Topic.Name, typ)
			c.sched.HaltClass(h.Class, paused)
			if h.Batch != nil {
				c.sched.HaltClass(h.Single, paused)
			}
			rate, _ := c.orders.state.RateOf(c.cfg.Group, r.Topic.Name, typ)
			if rate.PerSecond != h.ordered {
				h.ordered = rate.PerSecond
				c.setRate(h, rate.PerSecond)
				c.log.Info("rate set by the control topic", "topic", r.Topic.Name, "event_type", typ, "per_second", rate.PerSecond)
			}
		}
	}
	c.shortenRuns() // what has not begun heeds what is said now
	for _, p := range c.parts {
		c.heedOn(p)
	}
	c.crew.call(c)
	signal(c.ordered)
	signal(c.wake)
}

// heedOn halts a partition that is paused or about to be read from elsewhere, or lets it go on. mu is
// held.
func (c *Consumer) heedOn(p *partition) {
	if c.orders.state == nil || p.lanes.Closed() {
		return
	}
	_, paused := c.orders.state.Paused(c.cfg.Group, p.route.Topic.Name, p.at.partition)
	_, sought := c.orders.state.Pending(c.cfg.Group, p.at.topic, p.at.partition)
	halt := paused || sought
	if halt == p.halted {
		return
	}
	p.halted = halt
	if halt {
		c.sched.Halt(p.lanes)
		c.shortenRuns()
		c.setPaused(p, true)
	} else {
		c.sched.Resume(p.lanes)
		if p.stuck == nil && c.hasRoom(p) {
			c.setPaused(p, false)
		}
	}
	c.log.Info("partition "+map[bool]string{true: "halted", false: "goes on"}[halt]+" by the control topic", "topic", p.at.topic, "partition", p.at.partition)
}

// whyHalted is the command that halts p. mu is held.
func (c *Consumer) whyHalted(p *partition) string {
	if r, ok := c.orders.state.Pending(c.cfg.Group, p.at.topic, p.at.partition); ok {
		return fmt.Sprintf("about to go on from offset %d%s", r.Offset, signed(r))
	}
	if r, ok := c.orders.state.Paused(c.cfg.Group, p.route.Topic.Name, p.at.partition); ok {
		return "paused" + signed(r)
	}
	return ""
}

// signed is by whom, when and why.
func signed(r control.Record) string {
	s := ""
	if r.By != "" {
		s += " by " + r.By
	}
	if !r.At.IsZero() {
		s += " at " + r.At.Format(time.RFC3339)
	}
	if r.Why != "" {
		s += ": " + r.Why
	}
	return s
}
