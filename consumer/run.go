package consumer

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/consumer/internal/attempt"
)

const (
	// runMost is how many events a run has at most.
	runMost = 32
	// runSpan is how long a run may take, as far as its handler's pace tells.
	runSpan = 200 * time.Microsecond
	// runPatience is how long a run may last before it is shortened.
	runPatience = time.Millisecond
)

// run is what a worker takes along to attempt one after the other: where a handler takes a microsecond,
// a turn of Consumer.mu for each event would cost as much. None waits for long behind a slow one: the
// keeper takes back what has not begun. What else lets nothing more start shortens it, too.
type run struct {
	items   []*item      // whoever runs them writes it, under mu, before the run is out
	began   time.Time    // the same
	begun   atomic.Int32 // of items; more than there are: no further one begins
	settled int          // of items; guarded by mu
}

// noMore is more than any run has.
const noMore = 1 << 20

// pace is about how long a handler takes for an event.
type pace time.Duration

// note learns from n events that took so long.
func (p *pace) note(n int, took time.Duration) { *p += (pace(took)/pace(n) - *p) / 8 }

// most is how many events a run may have, of so many that could start: some are for workers on the other
// processors.
func (p pace) most(ready, procs int) int {
	n := min(runMost, 1+ready/(2*procs))
	if p > 0 {
		n = min(n, max(1, int(pace(runSpan)/p)))
	}
	return n
}

// plain says whether there is nothing about an item but its attempt.
func plain(it *item) bool {
	w := &it.Value
	return w.past == nil && w.event == nil && w.part.park == nil
}

// takeAlong makes a run of the worker's item, and of others like it where their handler is quick. It
// says no where the item has to go alone. mu is held.
func (c *Consumer) takeAlong(w *worker) bool {
	h := w.item.Value.handler
	if h == nil || !h.runs || h.limiter != nil || !plain(w.item) {
		return false
	}
	r := &w.run
	r.items = append(r.items[:0], w.item)
	for n := h.pace.most(c.sched.Ready(h.Class), c.crew.procs); len(r.items) < n; {
		it := c.sched.Join(w.item)
		if it == nil {
			break
		}
		if !plain(it) {
			c.sched.Return(it)
			break
		}
		r.items = append(r.items, it)
	}
	r.settled, r.began = 0, time.Now()
	r.begun.Store(1)
	if len(r.items) > 1 {
		c.crew.runs[w] = struct{}{}
		c.crew.ran = true
		if !c.crew.watched {
			c.crew.watched = true
			signal(c.wake)
		}
	}
	return true
}

// stepRun is step for a run. It returns with mu held.
func (c *Consumer) stepRun(w *worker) {
	r, h := &w.run, w.run.items[0].Value.handler
	room := make([]attempt.Context, len(r.items))
	var took time.Duration // for the histogram; nobody asks the clock in vain
	n := 0
	for ; n == 0 || int(r.begun.Add(1)) <= len(r.items); n++ {
		err := c.try(&r.items[n].Value, w.since, &room[n])
		if h.meters.seconds != nil {
			before := took
			took = time.Since(r.began)
			h.meters.seconds.Observe((took - before).Seconds())
		}
		if err != nil {
			c.mu.Lock()
			c.shorten(w)
			h.pace.note(n+1, time.Since(r.began))
			c.mu.Unlock()
			c.settle(r.items[n], err)
			return
		}
		c.cfg.Hook("consumer.handled")
	}
	c.mu.Lock()
	delete(c.crew.runs, w)
	h.pace.note(n, time.Since(r.began))
	c.settleRun(w, n)
}

// settleRun ends the first n items of a run. mu is held.
func (c *Consumer) settleRun(w *worker, n int) {
	r := &w.run
	if n == r.settled {
		return
	}
	r.items[r.settled].Value.handler.meters.done.Add(float64(n - r.settled)) // what follows is all that there is to most events
	for _, it := range r.items[r.settled:n] {
		c.finish(it)
	}
	r.settled = n
}

// shorten ends a worker's run but for the event in its hands: what is finished is settled, and what has
// not begun goes back to where it was. mu is held.
func (c *Consumer) shorten(w *worker) {
	r := &w.run
	delete(c.crew.runs, w)
	n := int(r.begun.Swap(noMore))
	if n == 0 || n > len(r.items) {
		return // none, or it was shortened before, or is over and about to be settled
	}
	w.item = r.items[n-1]
	if n > 1 { // the run was one piece of work by its first item, which ends here
		c.sched.Start(w.item)
	}
	c.settleRun(w, n-1)
	for _, it := range slices.Backward(r.items[n:]) {
		c.sched.Return(it)
		c.noteDrained(it.Value.part)
	}
}

// shortenRuns shortens all runs. mu is held.
func (c *Consumer) shortenRuns() {
	if len(c.crew.runs) == 0 {
		return
	}
	for w := range c.crew.runs {
		c.shorten(w)
	}
	c.crew.call(c)
}

// watchRuns shortens the runs that last too long, and says when to look again. mu is held.
func (c *Consumer) watchRuns(now time.Time) (due int64, some bool) {
	if !c.crew.watched {
		return 0, false
	}
	for w := range c.crew.runs {
		if now.Sub(w.run.began) >= runPatience {
			c.shorten(w)
		}
	}
	c.crew.watched = c.crew.ran || len(c.crew.runs) > 0
	c.crew.ran = false
	return now.Add(runPatience).UnixNano(), c.crew.watched
}
