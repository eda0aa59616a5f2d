package park

// key finds a key, or makes one; settleKey drops it where nothing came of it.
func (f *Fold) key(name Key) *key {
	k := f.keys[name]
	if k == nil {
		k = &key{name: name, start: -1, move: mark{at: -1}}
		f.keys[name] = k
		f.sieve.count(name, 1)
	}
	return k
}

// holds says whether the key has anything in the park partition.
func (k *key) active() bool { return len(k.queue) > 0 || k.dead > 0 || k.hold != nil }

// settleKey notes where a key's activity begins, or that it is over, after the record at offset.
func (f *Fold) settleKey(k *key, offset int64) {
	switch {
	case k.active() && k.start < 0:
		f.link(k, offset)
	case !k.active() && k.start >= 0:
		f.unlink(k)
	}
	if !k.active() {
		k.move.at, k.torn = -1, false
		k.queue = nil
		f.drop(k)
	}
}

// drop forgets a key that has nothing, neither in the park partition nor in the owner's hands.
func (f *Fold) drop(k *key) {
	if !k.active() && k.own.idle() && f.keys[k.name] == k {
		delete(f.keys, k.name)
		f.sieve.count(k.name, -1)
	}
}

// sieve tells most keys that are not known from those that are: every healthy event is asked about.
type sieve [1 << 10]int32

// place goes by the end of a key, where keys differ.
func (*sieve) place(key []byte) uint32 {
	h := uint32(2166136261) // FNV-1a
	for _, b := range key[max(0, len(key)-16):] {
		h = (h ^ uint32(b)) * 16777619
	}
	return h % (1 << 10)
}

func (s *sieve) has(key []byte) bool { return s[s.place(key)] > 0 }

// count notes a key that came, or went. Those of one event alone are found by its offset.
func (s *sieve) count(name Key, n int32) {
	if name.lone == 0 {
		s[s.place([]byte(name.name))] += n
	}
}

// link puts a key where its start belongs: at the end, or near it after a move.
func (f *Fold) link(k *key, start int64) {
	k.start = start
	f.active++
	before := f.newest
	for before != nil && before.start > start {
		before = before.prev
	}
	k.prev = before
	if before == nil {
		k.next, f.oldest = f.oldest, k
	} else {
		k.next, before.next = before.next, k
	}
	if k.next == nil {
		f.newest = k
	} else {
		k.next.prev = k
	}
}

func (f *Fold) unlink(k *key) {
	if k.prev == nil {
		f.oldest = k.next
	} else {
		k.prev.next = k.next
	}
	if k.next == nil {
		f.newest = k.prev
	} else {
		k.next.prev = k.prev
	}
	k.prev, k.next, k.start = nil, nil, -1
	f.active--
}
