package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A handler that ignores the end of its context can't be stopped. It is told of after HungAfter; its
// database transaction ended with its context (sqldb cuts the connection), so that it can't commit
// whatever it does; and after LeaveAfter the consumer ends, for its host to leave the process: what
// else the handler may do to the outside, later, on the ground of long ago, ends with it.

// watch looks for attempts that should have ended long ago.
func (c *Consumer) watch(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.crew.all {
		over, hung := c.hung(w, now)
		if !hung {
			continue
		}
		h, at := w.item.Value.handler, w.item.Value.part.at
		if !w.told {
			w.told = true
			c.log.Error("a handler ignores the end of its context: its lane and its worker are stuck until it returns",
				"topic", at.topic, "partition", at.partition, "event_type", h.Kind.Type, "duration", c.clock.Since(w.since, now))
		}
		if c.cfg.LeaveAfter > 0 && over > c.cfg.LeaveAfter {
			c.end(fmt.Errorf("%w: that of %s on %s since %v", ErrHung, h.Kind.Type, at.topic, over.Round(time.Second)))
		}
	}
}

// cameBack tells of the end of what was told to hang. mu is held.
func (c *Consumer) cameBack(w *worker) {
	if w.told {
		w.told = false
		c.log.Info("a hung handler came back", "duration", c.clock.Since(w.since, time.Now()))
	}
}

// hung says whether a worker's attempt ignores the end of its context, its time's or its partition's,
// and for how long. mu is held.
func (c *Consumer) hung(w *worker, now time.Time) (over time.Duration, hung bool) {
	if w.item == nil || w.item.Value.handler == nil {
		return 0, false
	}
	if h := w.item.Value.handler; h.Timeout > 0 {
		over = c.clock.Since(w.since, now) - h.Timeout
	}
	for _, it := range w.hands() {
		if cut := it.Value.part.cut; cut != 0 {
			over = max(over, c.clock.Since(cut, now))
		}
	}
	return over, over > c.cfg.HungAfter
}

// hands is what the worker works on.
func (w *worker) hands() []*item {
	if len(w.batch) > 0 {
		return w.batch
	}
	return []*item{w.item}
}

// ended waits until the workers are gone, at most for limit, and returns how many are not.
func (c *Consumer) ended(limit time.Duration) int {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.crew.gone:
		c.crew.wg.Wait()
		return 0
	case <-timer.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.crew.all)
}

// abandon ends the consumer as far as possible like a kill does: nothing is drained or committed.
func (c *Consumer) abandon() error {
	c.cut(ErrCut)
	c.mu.Lock()
	c.state = draining
	if c.stopPoll != nil {
		c.stopPoll()
	}
	c.voidAll()
	c.mu.Unlock()
	c.close()
	if n := c.ended(cancelGrace); n > 0 {
		return fmt.Errorf("cut consumer %s off: %d handlers ignore the end of their context", c.cfg.Group, n)
	}
	return nil
}

// cause is why Run ends, where that is an error.
func cause(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, ErrHung) {
		return err
	}
	return nil
}
