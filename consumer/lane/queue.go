package lane

import "slices"

// fifo is a queue through the items' own links.
type fifo[T any] struct {
	head, tail *Item[T]
	n          int
}

func (q *fifo[T]) push(it *Item[T]) {
	q.n++
	if q.tail == nil {
		q.head = it
	} else {
		q.tail.link = it
	}
	q.tail = it
}

// unshift puts an item in front of all.
func (q *fifo[T]) unshift(it *Item[T]) {
	q.n++
	if it.link = q.head; q.tail == nil {
		q.tail = it
	}
	q.head = it
}

func (q *fifo[T]) pop() *Item[T] {
	it := q.head
	if it == nil {
		return nil
	}
	if q.head = it.link; q.head == nil {
		q.tail = nil
	}
	q.n--
	it.link = nil
	return it
}

// delays is a heap by due time.
type delays[T any] []*Item[T]

func (d *delays[T]) push(it *Item[T]) {
	*d = append(*d, it)
	d.up(len(*d) - 1)
}

func (d *delays[T]) pop() *Item[T] {
	h := *d
	it, last := h[0], len(h)-1
	h[0], h[last] = h[last], nil
	*d = h[:last]
	d.down(0)
	return it
}

// drop takes out all items of a part.
func (d *delays[T]) drop(p *Part[T]) {
	*d = slices.DeleteFunc(*d, func(it *Item[T]) bool { return it.part == p })
	for i := len(*d)/2 - 1; i >= 0; i-- {
		d.down(i)
	}
}

func (d delays[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if d[parent].due <= d[i].due {
			return
		}
		d[i], d[parent] = d[parent], d[i]
		i = parent
	}
}

func (d delays[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(d) {
			return
		}
		if child+1 < len(d) && d[child+1].due < d[child].due {
			child++
		}
		if d[i].due <= d[child].due {
			return
		}
		d[i], d[child] = d[child], d[i]
		i = child
	}
}
