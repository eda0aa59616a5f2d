package lane

// Scheduler gives out items in the order of their lanes. Its parts come and go (partitions); its
// classes are fixed (handlers).
type Scheduler[T any] struct {
	classes []class[T]
	limit   int // items out over all classes
	out     int
	turn    int // class that Next looks at first
	delayed delays[T]
	batched []int // classes that give out batches
}

type class[T any] struct {
	limit  int
	out    int
	halted bool
	ready  fifo[T]
	batch  batching
}

// Item is one event in a scheduler. It is made by the caller, so that many can be made at once, and
// must not be moved or used again.
type Item[T any] struct {
	Value T

	part  *Part[T]
	next  *Item[T] // behind it in its lane
	link  *Item[T] // behind it in a fifo
	chain *Item[T] // behind it in its bucket, while it is the last of its lane
	hash  uint64
	due   int64 // while delayed
	size  int
	class int32
	keyed bool
	probe bool // may start while its part is frozen
	let   bool // through a gate, since it was last out
	state state
}

type state uint8

const (
	queued  state = iota // behind another item of its lane, or ready, or delayed
	running              // given out by Next
	waiting              // parked by Wait
	ended
)

// Part is the items of one partition: its lanes, and whether they may start.
type Part[T any] struct {
	tails  tails[T] // last item of each lane that has any
	held   fifo[T]  // ready, but the part is frozen or halted
	frozen bool
	halted bool
	closed bool
	items  int
	bytes  int
	inHand int
}

// Key is the lane of an item: items of a part with the same key wait for each other. Loose items
// wait for nobody.
type Key struct {
	hash  uint64
	keyed bool
}

// Loose is the key of items without order.
var Loose Key

// KeyOf is the lane of a key with the given hash. Keys whose hashes are equal share a lane, which
// costs speed and nothing else.
func KeyOf(hash uint64) Key { return Key{hash: hash, keyed: true} }

// NewScheduler gives out at most limit items at once, and of class i at most limits[i].
func NewScheduler[T any](limit int, limits ...int) *Scheduler[T] {
	s := &Scheduler[T]{limit: limit, classes: make([]class[T], len(limits))}
	for i, n := range limits {
		s.classes[i].limit = n
	}
	return s
}

// NewPart is a part without items.
func (s *Scheduler[T]) NewPart() *Part[T] { return new(Part[T]) }

// Add puts an item behind the others of its key. size is what it counts for in Bytes.
func (s *Scheduler[T]) Add(p *Part[T], it *Item[T], class int, key Key, size int) {
	if p.closed {
		panic("lane: Add to a closed part")
	}
	it.part, it.class, it.hash, it.keyed, it.size = p, int32(class), key.hash, key.keyed, size
	p.items++
	p.bytes += size
	if it.keyed {
		if tail := p.tails.put(it); tail != nil {
			tail.next = it
			return
		}
	}
	s.classes[it.class].ready.push(it)
}

// AddAt adds an item without order that starts at due at the earliest (see Wake).
func (s *Scheduler[T]) AddAt(p *Part[T], it *Item[T], class, size int, due int64) {
	if p.closed {
		panic("lane: AddAt to a closed part")
	}
	it.part, it.class, it.size, it.due = p, int32(class), size, due
	p.items++
	p.bytes += size
	s.delayed.push(it)
}

// Next gives out an item that may start now, or nil. Classes take turns.
func (s *Scheduler[T]) Next() *Item[T] {
	if s.out >= s.limit {
		return nil
	}
	for range s.classes {
		c := &s.classes[s.turn]
		if s.turn++; s.turn == len(s.classes) {
			s.turn = 0
		}
		if c.halted || c.out >= c.limit || !c.ripe() {
			continue
		}
		it := c.startable()
		if it != nil {
			c.batch.due, c.batch.ended = 0, false
			c.out++
			s.out++
			it.state = running
			it.part.inHand++
			return it
		}
	}
	return nil
}

// startable takes the first item that may start off the ready ones, dropping those of closed parts
// and holding those of frozen ones.
func (c *class[T]) startable() *Item[T] {
	for {
		it := c.ready.pop()
		switch {
		case it == nil:
			return nil
		case it.part.closed:
		case it.part.halted, it.part.frozen && !it.probe:
			it.part.held.push(it)
		default:
			return it
		}
	}
}

// More reports whether Next may have an item to give.
func (s *Scheduler[T]) More() bool {
	if s.out >= s.limit {
		return false
	}
	for i := range s.classes {
		if c := &s.classes[i]; c.ready.head != nil && !c.halted && c.out < c.limit && c.ripe() {
			return true
		}
	}
	return false
}

// Starves reports whether the class may start an item and has none, or too few for a batch.
func (s *Scheduler[T]) Starves(class int) bool {
	c := &s.classes[class]
	return s.out < s.limit && !c.halted && c.out < c.limit && (c.ready.head == nil || !c.ripe())
}

// Out is how many items are out.
func (s *Scheduler[T]) Out() int { return s.out }

// Done ends an item that is out or waiting; the next of its lane may start.
func (s *Scheduler[T]) Done(it *Item[T]) {
	s.bringBack(it, ended)
	p := it.part
	p.inHand--
	p.items--
	p.bytes -= it.size
	if !p.closed {
		s.leave(it)
	}
}

// Wait takes an item that is out off its worker. Its lane stays shut, and the item in hand, until
// Done, Delay or Release.
func (s *Scheduler[T]) Wait(it *Item[T]) { s.bringBack(it, waiting) }

// Pass lets the next item of the lane of a waiting item start. The item itself stays in hand until Done
// or Release.
func (s *Scheduler[T]) Pass(it *Item[T]) {
	if it.state != waiting {
		panic("lane: Pass of an item that does not wait")
	}
	if !it.part.closed {
		s.leave(it)
	}
	it.keyed = false
}

// leave takes an item out of its lane.
func (s *Scheduler[T]) leave(it *Item[T]) {
	if !it.keyed {
		return
	}
	if n := it.next; n != nil {
		it.next = nil
		s.classes[n.class].ready.push(n)
		return
	}
	it.part.tails.remove(it)
}

// Delay puts an item that is out or waiting back at the head of its lane, to start at due at the
// earliest (see Wake). A probe may start while its part is frozen.
func (s *Scheduler[T]) Delay(it *Item[T], due int64, probe bool) {
	s.bringBack(it, queued)
	it.part.inHand--
	it.probe = probe
	if it.part.closed {
		return
	}
	it.due = due
	s.delayed.push(it)
}

// Release lets go of an item that is out or waiting and will not be finished: its part is closed.
func (s *Scheduler[T]) Release(it *Item[T]) {
	s.bringBack(it, ended)
	it.part.inHand--
}

// bringBack moves an item that is out or waiting to another state.
func (s *Scheduler[T]) bringBack(it *Item[T], to state) {
	switch it.state {
	case running:
		s.out--
		s.classes[it.class].out--
	case waiting:
	default:
		panic("lane: an item that is not out is given back")
	}
	it.state, it.let = to, false
}

// Wake makes the delayed items that are due ready and the batches that have waited long enough, and
// returns when the next of either is, if any.
func (s *Scheduler[T]) Wake(now int64) (next int64, any bool) {
	for len(s.delayed) > 0 && s.delayed[0].due <= now {
		it := s.delayed.pop()
		if !it.part.closed {
			s.classes[it.class].ready.push(it)
		}
	}
	if len(s.delayed) > 0 {
		next, any = s.delayed[0].due, true
	}
	for _, i := range s.batched {
		if due, waits := s.classes[i].stamp(now); waits && (!any || due < next) {
			next, any = due, true
		}
	}
	return next, any
}

// SetLimit changes how many items of a class may be out at once; what is out stays out.
func (s *Scheduler[T]) SetLimit(class, limit int) { s.classes[class].limit = limit }

// Move makes an item that is out or waiting one of another class.
func (s *Scheduler[T]) Move(it *Item[T], class int) {
	if it.state == running {
		s.classes[it.class].out--
		s.classes[class].out++
	}
	it.class = int32(class)
}

// Freeze lets no item of the part start but probes.
func (s *Scheduler[T]) Freeze(p *Part[T]) { p.frozen = true }

// Thaw ends Freeze.
func (s *Scheduler[T]) Thaw(p *Part[T]) {
	p.frozen = false
	s.giveHeld(p)
}

// Halt lets no item of the part start, probes neither.
func (s *Scheduler[T]) Halt(p *Part[T]) { p.halted = true }

// Resume ends Halt; a frozen part stays frozen.
func (s *Scheduler[T]) Resume(p *Part[T]) {
	p.halted = false
	s.giveHeld(p)
}

// HaltClass lets no item of the class start, or ends that. Lanes whose first item is of the class
// wait with it.
func (s *Scheduler[T]) HaltClass(class int, halted bool) { s.classes[class].halted = halted }

// giveHeld makes ready what was held back; what must still wait Next holds again.
func (s *Scheduler[T]) giveHeld(p *Part[T]) {
	for it := p.held.pop(); it != nil; it = p.held.pop() {
		s.classes[it.class].ready.push(it)
	}
}

// Close ends a part: nothing of it starts any more, and what has not started is dropped. What is in
// hand ends as before.
func (s *Scheduler[T]) Close(p *Part[T]) {
	p.closed = true
	p.tails = tails[T]{}
	p.held = fifo[T]{}
	s.delayed.drop(p)
}

// Waiting says whether the item waits, by Wait.
func (it *Item[T]) Waiting() bool { return it.state == waiting }

// Part is the part that the item belongs to.
func (it *Item[T]) Part() *Part[T] { return it.part }

// Class is the class that the item belongs to.
func (it *Item[T]) Class() int { return int(it.class) }

// Frozen says whether only probes may start.
func (p *Part[T]) Frozen() bool { return p.frozen }

// Closed says whether the part has ended.
func (p *Part[T]) Closed() bool { return p.closed }

// Items is how many items of the part have not ended; of a closed part it means nothing.
func (p *Part[T]) Items() int { return p.items }

// Bytes is the size of the same.
func (p *Part[T]) Bytes() int { return p.bytes }

// InHand is how many items of the part are out or waiting.
func (p *Part[T]) InHand() int { return p.inHand }
