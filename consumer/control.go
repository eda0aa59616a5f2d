package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
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

// post is the connection to the control topic.
type post struct {
	closing sync.Once
	client  *kafka.Client
	log     *control.Log
}

// close ends the connection. A nil post has none.
func (p *post) close() {
	if p != nil {
		p.closing.Do(p.client.Close)
	}
}

// openControl reads the control topic whole before anything is handled: a partition that is paused, or
// to be read from elsewhere, must not begin with what its old offset says. It tries for as long as the
// cluster might still let it; where it never will (no right, or a topic that forgets), the group works
// without commands, and says so.
func (c *Consumer) openControl(ctx context.Context) (*post, error) {
	if c.cfg.Control == "" {
		return nil, nil
	}
	probe, err := c.cfg.Kafka.NewClient()
	if err != nil {
		return nil, fmt.Errorf("run consumer %s: %w", c.cfg.Group, err)
	}
	probe.Close()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		p, err := c.openPost(ctx)
		if err == nil || ctx.Err() != nil {
			return p, nil
		}
		c.setOrders(nil, err)
		if hopeless(err) && p != nil {
			c.log.Warn("the group takes no commands while it runs (leat group pause, seek, ...): its control topic can't be used", "topic", c.cfg.Control, "err", err)
			return p, nil
		}
		p.close()
		c.log.Info("waiting for the control topic", "topic", c.cfg.Control, "err", err)
		rest(ctx, pause)
		if ctx.Err() != nil {
			return nil, nil
		}
	}
}

// openPost connects and reads the topic once. Where only the topic is the trouble, the connection comes
// with the error.
func (c *Consumer) openPost(ctx context.Context) (*post, error) {
	client, err := kafka.Open(ctx, c.cfg.Kafka)
	if err != nil {
		return nil, err
	}
	p := &post{client: client}
	return p, c.readControl(ctx, p)
}

// readControl reads the topic from its beginning.
func (c *Consumer) readControl(ctx context.Context, p *post) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	p.log = control.NewLog(p.client, c.cfg.Control)
	if err := p.log.Ensure(ctx); err != nil {
		return err
	}
	state, err := p.log.Read(ctx)
	if err != nil {
		return err
	}
	c.setOrders(state, nil)
	return nil
}

// hopeless says whether the control topic will stay out of reach until somebody changes the cluster.
func hopeless(err error) bool {
	return errors.Is(err, kafka.ErrNotAllowed) || errors.Is(err, control.ErrUnfit)
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

// followControl takes each new record, and begins anew with the topic when it can't be read on. Run
// waits for it.
func (c *Consumer) followControl(ctx context.Context, p *post) {
	if p == nil {
		return
	}
	c.mu.Lock()
	err := c.orders.err
	c.mu.Unlock()
	for told := err != nil; ctx.Err() == nil; {
		if err == nil {
			told = false
			err = p.log.Follow(ctx, func(s *control.State) { c.setOrders(s, nil) })
		}
		if ctx.Err() != nil {
			return
		}
		c.setOrders(nil, err)
		if !told {
			c.log.Warn("follow the control topic: its last commands stay in force", "topic", c.cfg.Control, "err", err)
			told = true
		}
		wait := lookEvery
		if hopeless(err) {
			wait = checkEvery
		}
		rest(ctx, wait)
		err = c.readControl(ctx, p)
	}
}

// heed brings partitions and handlers to what the control topic says. mu is held.
func (c *Consumer) heed() {
	if c.orders.state == nil {
		return
	}
	for _, r := range c.routes {
		for typ, h := range r.handlers {
			_, paused := c.orders.state.PausedType(c.cfg.Group, r.topic.Name, typ)
			c.sched.HaltClass(h.class, paused)
			if h.Batch != nil {
				c.sched.HaltClass(h.single, paused)
			}
			rate, _ := c.orders.state.RateOf(c.cfg.Group, r.topic.Name, typ)
			if rate.PerSecond != h.ordered {
				h.ordered = rate.PerSecond
				c.setRate(h, rate.PerSecond)
				c.log.Info("rate set by the control topic", "topic", r.topic.Name, "event_type", typ, "per_second", rate.PerSecond)
			}
		}
	}
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
	_, paused := c.orders.state.Paused(c.cfg.Group, p.at.topic, p.at.partition)
	_, sought := c.orders.state.Pending(c.cfg.Group, p.at.topic, p.at.partition)
	halt := paused || sought
	if halt == p.halted {
		return
	}
	p.halted = halt
	if halt {
		c.sched.Halt(p.lanes)
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
	if r, ok := c.orders.state.Paused(c.cfg.Group, p.at.topic, p.at.partition); ok {
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
