package lane

// tails finds the last item of a lane by its hash. It is a hash table chained through the items
// themselves: lanes come and go with almost every event, and a Go map would take a tenth of what the
// whole consumer does for one.
type tails[T any] struct {
	buckets []*Item[T] // a power of two
	lanes   int
}

// put makes it the last of its lane, and returns the one that was.
func (t *tails[T]) put(it *Item[T]) (was *Item[T]) {
	if t.lanes >= len(t.buckets) {
		t.grow()
	}
	at := t.find(it.hash)
	if was = *at; was != nil {
		it.chain, was.chain = was.chain, nil
	} else {
		t.lanes++
	}
	*at = it
	return was
}

// remove takes out the last item of a lane, which is empty then.
func (t *tails[T]) remove(it *Item[T]) {
	at := t.find(it.hash)
	*at, it.chain = it.chain, nil
	t.lanes--
}

// find is the place that points to the last item of the lane, or where it would go.
func (t *tails[T]) find(hash uint64) **Item[T] {
	at := &t.buckets[hash&uint64(len(t.buckets)-1)]
	for *at != nil && (*at).hash != hash {
		at = &(*at).chain
	}
	return at
}

func (t *tails[T]) grow() {
	old := t.buckets
	t.buckets = make([]*Item[T], max(64, 2*len(old)))
	for _, it := range old {
		for it != nil {
			next := it.chain
			it.chain = nil
			*t.find(it.hash) = it
			it = next
		}
	}
}
