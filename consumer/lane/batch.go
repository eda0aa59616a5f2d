package lane

// batching is how a class gives out batches: an item by Next, and by Join those that go with it.
type batching struct {
	max   int   // of a batch; 0: the class gives out single items
	wait  int64 // how long the first item waits for the batch to become full
	due   int64 // when the wait is over; 0: not known yet
	ended bool  // the wait is over
}

// Batch makes the class give out batches: Next gives an item only when max are ready, or when one has
// waited for wait, as far as Wake is told the time. It is called before the first Add.
func (s *Scheduler[T]) Batch(class, max int, wait int64) {
	s.classes[class].batch = batching{max: max, wait: wait}
	s.batched = append(s.batched, class)
}

// Join gives out one more item that may start now, to go with an item of its class that Next gave out,
// or nil. It counts as in hand, not as out: a batch is one piece of work. It ends by Done, Delay or
// Release, as an item does that waits.
func (s *Scheduler[T]) Join(with *Item[T]) *Item[T] {
	c := &s.classes[with.class]
	if c.halted {
		return nil
	}
	it := c.startable()
	if it != nil {
		it.state = waiting
		it.part.inHand++
	}
	return it
}

// Return gives back an item that Join gave out: it is the first that starts again.
func (s *Scheduler[T]) Return(it *Item[T]) {
	s.bringBack(it, queued)
	it.part.inHand--
	if !it.part.closed {
		s.classes[it.class].ready.unshift(it)
	}
}

// Start counts an item that Join gave out as Next's own: it goes on when what it was joined with has ended.
func (s *Scheduler[T]) Start(it *Item[T]) {
	if it.state != waiting {
		panic("lane: Start of an item that does not wait")
	}
	it.state = running
	s.out++
	s.classes[it.class].out++
}

// Ready is how many items of the class lie ready, those of closed parts among them.
func (s *Scheduler[T]) Ready(class int) int { return s.classes[class].ready.n }

// Unstamped reports whether a batch has begun to wait that Wake does not know of yet.
func (s *Scheduler[T]) Unstamped() bool {
	for _, i := range s.batched {
		if c := &s.classes[i]; c.ready.n > 0 && !c.halted && c.batch.due == 0 && !c.ripe() {
			return true
		}
	}
	return false
}

// ripe says whether the class may give out what is ready.
func (c *class[T]) ripe() bool {
	b := &c.batch
	return b.wait <= 0 || b.ended || c.ready.n >= b.max
}

// stamp notes when the wait of a batch ends, or that it has.
func (c *class[T]) stamp(now int64) (due int64, waits bool) {
	b := &c.batch
	if c.ready.n == 0 || c.halted || c.ripe() {
		return 0, false
	}
	if b.due == 0 {
		b.due = now + b.wait
	}
	b.ended = b.due <= now
	return b.due, !b.ended
}
