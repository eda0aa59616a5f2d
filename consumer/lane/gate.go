package lane

// Gate holds items back that could start, in the order in which they came to it. The zero Gate is
// ready to use.
type Gate[T any] struct{ held fifo[T] }

// Hold puts an item that is out back to the head of its lane, behind the gate. The lane stays shut.
func (s *Scheduler[T]) Hold(g *Gate[T], it *Item[T]) {
	s.bringBack(it, queued)
	it.part.inHand--
	if !it.part.closed {
		g.held.push(it)
	}
}

// Open lets up to n items through and returns how many. Those of closed parts are dropped.
func (s *Scheduler[T]) Open(g *Gate[T], n int) (let int) {
	for let < n {
		it := g.held.pop()
		if it == nil {
			break
		}
		if it.part.closed {
			continue
		}
		it.let = true
		s.classes[it.class].ready.push(it)
		let++
	}
	return let
}

// Holds is how many items the gate holds, those of closed parts among them.
func (g *Gate[T]) Holds() int { return g.held.n }

// Let reports whether an item that is out came through a gate since it was last out.
func (it *Item[T]) Let() bool { return it.let }
