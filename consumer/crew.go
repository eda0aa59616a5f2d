package consumer

import (
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/leatdev/leat/consumer/internal/attempt"
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
	gone   chan struct{} // closed when it is closed and nobody is left
	wg     sync.WaitGroup

	runs    map[*worker]struct{} // whose runs hold more than what is in their hands
	ran     bool                 // one has begun since the keeper looked
	watched bool                 // the keeper is about to look at them
	procs   int
}

// worker runs attempts, one after the other.
type worker struct {
	item  *item   // in its hands; guarded by Consumer.mu
	batch []*item // the same and those that go with it, where its handler takes batches
	run   run     // the same and those that come after it, where its handler is quick
	since int64   // when it took it, by the clock
	told  bool    // that it hangs
}

func (w *crew) init(mu *sync.Mutex) {
	w.cond, w.all, w.gone = sync.NewCond(mu), map[*worker]struct{}{}, make(chan struct{})
	w.runs, w.procs = map[*worker]struct{}{}, runtime.GOMAXPROCS(0) // to ask takes a lock of the scheduler's
}

// call gets one more worker to work, if there is work and none is on the way. mu is held.
func (w *crew) call(c *Consumer) {
	if c.sched.Unstamped() {
		signal(c.wake)
	}
	if w.waking || w.closed || c.txn.crowded() || !c.sched.More() {
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
	if w.closed {
		return
	}
	w.closed = true
	w.cond.Broadcast()
	w.noteGone()
}

// left notes that a worker's life is over. mu is held.
func (w *crew) left(who *worker) {
	delete(w.all, who)
	w.noteGone()
}

func (w *crew) noteGone() {
	if w.closed && len(w.all) == 0 {
		close(w.gone)
	}
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
		it := c.next()
		if it == nil {
			if c.crew.closed {
				break
			}
			if c.sched.Unstamped() {
				signal(c.wake)
			}
			c.crew.idle++
			c.crew.cond.Wait()
			c.crew.idle--
			c.crew.waking = false
			continue
		}
		c.crew.call(c)
		if !c.offered(it) {
			continue
		}
		w.item, w.since = it, c.clock.Read()
		if c.mayBegin(it) {
			c.attend(w)
		}
		c.cameBack(w)
		w.item = nil
	}
	c.crew.left(w)
	regular = true
	c.mu.Unlock()
}

// attend makes the next attempt on what the worker has in its hands, alone or with what goes along. mu
// is held when it begins and when it ends.
func (c *Consumer) attend(w *worker) {
	if h := w.item.Value.handler; h != nil && h.Batch != nil && w.item.Class() == h.Class {
		w.batch = c.gather(w.item, w.batch)
	}
	runs := c.takeAlong(w)
	c.mu.Unlock()
	switch {
	case runs:
		c.stepRun(w)
		clear(w.run.items)
		w.run.items = w.run.items[:0]
		return
	case len(w.batch) > 1:
		c.stepBatch(w.batch, w.since)
	default:
		c.step(w.item, w.since)
	}
	clear(w.batch)
	w.batch = w.batch[:0]
}

// next is the next item to start. mu is held.
func (c *Consumer) next() *item {
	if c.txn.crowded() {
		return nil
	}
	return c.sched.Next()
}

// escaped replaces a worker whose handler ended its goroutine, and counts that as a panic.
func (c *Consumer) escaped(w *worker) {
	err := attempt.Goexit(debug.Stack())
	c.mu.Lock()
	c.shorten(w)
	it := w.item
	w.item = nil
	c.crew.left(w)
	c.mu.Unlock()
	if len(w.batch) > 1 {
		c.settleBatch(w.batch, err, 0)
	} else {
		c.settle(it, err)
	}
	defer c.mu.Unlock()
	c.crew.call(c)
}
