package consumer

import (
	"runtime/debug"
	"sync"
	"time"
)

// crew is the workers. They are woken one at a time: the woken one wakes the next, if there is more
// to start. So a batch of quick events wakes few, for these are through with it before more get a
// processor; and slow events wake as many as may be in flight, for each that waits in its handler
// frees its processor for the next. All fields are guarded by Consumer.mu.
type crew struct {
	cond   *sync.Cond
	all    map[*worker]struct{}
	idle   int
	waking bool // one has been called and has not come yet
	closed bool
	wg     sync.WaitGroup
}

// worker runs attempts, one after the other.
type worker struct {
	item  *item // in its hands; guarded by Consumer.mu
	since int64 // when it took it, by the clock
	told  bool  // that it hangs
}

func (w *crew) init(mu *sync.Mutex) {
	w.cond, w.all = sync.NewCond(mu), map[*worker]struct{}{}
}

// call gets one more worker to work, if there is work and none is on the way. mu is held.
func (w *crew) call(c *Consumer) {
	if w.waking || w.closed || !c.sched.More() {
		return
	}
	switch {
	case w.idle > 0:
		w.waking = true
		w.cond.Signal()
	case len(w.all) < c.cfg.MaxInFlight:
		w.waking = true
		w.hire(c)
	}
}

// hire adds a worker. mu is held.
func (w *crew) hire(c *Consumer) {
	worker := new(worker)
	w.all[worker] = struct{}{}
	w.wg.Go(func() { c.work(worker) })
}

// dismiss ends the workers as soon as they have nothing in hand. mu is held.
func (w *crew) dismiss() {
	w.closed = true
	w.cond.Broadcast()
}

// work is a worker's life. The consumer waits for it, unless its handler does not come back.
func (c *Consumer) work(w *worker) {
	regular := false
	defer func() {
		if !regular {
			c.escaped(w)
		}
	}()
	c.mu.Lock()
	c.crew.waking = false
	for {
		it := c.sched.Next()
		if it == nil {
			if c.crew.closed {
				break
			}
			c.crew.idle++
			c.crew.cond.Wait()
			c.crew.idle--
			c.crew.waking = false
			continue
		}
		c.crew.call(c)
		w.item, w.since = it, c.clock.read()
		c.mu.Unlock()
		c.step(it, w.since)
		if w.told {
			w.told = false
			c.log.Info("a hung handler came back", "duration", c.clock.since(w.since, time.Now()))
		}
		w.item = nil
	}
	delete(c.crew.all, w)
	regular = true
	c.mu.Unlock()
}

// escaped replaces a worker whose handler ended its goroutine, and counts that as a panic.
func (c *Consumer) escaped(w *worker) {
	err := goexit(debug.Stack())
	c.mu.Lock()
	it := w.item
	w.item = nil
	delete(c.crew.all, w)
	c.mu.Unlock()
	c.settle(it, err)
	defer c.mu.Unlock()
	c.crew.call(c)
}
