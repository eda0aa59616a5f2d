package park

import "slices"

// Full says whether the partition holds as much as it may: the source is to be paused until it does
// not. What is in hand can go on all the same, and may exceed the bound: it has to, or the events that
// wait for a commit would wait for ever.
func (c *Core) Full() bool {
	atBound := c.fold.active >= c.cfg.MaxKeys || c.full > 0
	return atBound && !c.cfg.BlockKey || c.scan() >= int64(4*c.cfg.MaxScan)
}

// scan is how many records a restart would read, but for the source's part in it.
func (c *Core) scan() int64 {
	if c.fold.oldest == nil {
		return 0
	}
	return c.fold.next - c.fold.oldest.start
}

// movesAtOnce is how many keys move after one commit.
const movesAtOnce = 16

// move writes the queues of the oldest keys anew at the tail, where a restart would have to read too
// much because of them. A key with something due or under way has to wait: its records would be torn
// apart.
func (c *Core) move() {
	moved := 0
	for k := c.fold.oldest; k != nil && moved < movesAtOnce; k = k.next {
		if c.fold.next-k.start <= int64(c.cfg.MaxScan) {
			return
		}
		if len(k.queue) > c.cfg.MaxMove || k.own.unread > 0 || !c.fold.without.has(withoutMoveRules) && (k.dead > 0 || k.hold != nil || k.torn) {
			continue
		}
		c.moveKey(k)
		moved++
	}
}

func (c *Core) moveKey(k *key) {
	r := Record{Offset: k.name.lone - 1} // of use to a key that is one event only
	if k.name.lone == 0 {
		r.Offset = 0
	}
	r.Kind = MoveBegin
	c.append(k, r, -1)
	for _, e := range k.queue {
		c.append(k, Record{Kind: Park, Offset: e.offset, Round: e.round, Behind: e.behind, Past: e.past}, e.at)
	}
	r.Kind = MoveEnd
	c.append(k, r, -1)
}

// KeyState is what the fold knows about an active key.
type KeyState struct {
	Key    Key
	Start  int64   // park offset from which on it is kept
	Parked []Event // in the order in which they run
	Dead   []Event // whose dead letter is due
	Hold   Hold    // the zero Hold: the key is not held
}

// Hold is a key's wait for its release.
type Hold struct {
	ID     int64 // park offset of the Dead record that began it
	Count  int   // dead letters
	First  int64 // least source offset of them
	Staged int   // events that will run
}

// Keys are the active keys, in the order in which they became active.
func (f *Fold) Keys() []KeyState {
	var states []KeyState
	for _, k := range f.sorted() {
		s := KeyState{Key: k.name, Start: k.start}
		for _, e := range k.queue {
			s.Parked = append(s.Parked, e.event())
		}
		for _, e := range k.letters {
			s.Dead = append(s.Dead, e.event())
		}
		if h := k.hold; h != nil {
			s.Hold = Hold{ID: h.id, Count: h.count, First: h.first, Staged: len(h.staged)}
		}
		states = append(states, s)
	}
	return states
}

// Active is how many keys are parked, due or held.
func (f *Fold) Active() int { return f.active }

// Epoch is the one in force.
func (f *Fold) Epoch() int64 { return f.epoch }

// Keys are the active keys, in the order in which they became active.
func (c *Core) Keys() []KeyState { return c.fold.Keys() }

// Active is how many keys are parked, due or held.
func (c *Core) Active() int { return c.fold.active }

// withLetters is a key with its dead entries, by source offset.
type withLetters struct {
	*key
	letters []*entry
}

// sorted are the active keys from the oldest on.
func (f *Fold) sorted() []withLetters {
	all := make([]withLetters, 0, f.active)
	place := make(map[Key]int, f.active)
	for k := f.oldest; k != nil; k = k.next {
		place[k.name] = len(all)
		all = append(all, withLetters{key: k})
	}
	for _, e := range f.entries {
		if e.state == dead {
			k := &all[place[e.key]]
			k.letters = append(k.letters, e)
		}
	}
	for i := range all {
		slices.SortFunc(all[i].letters, func(a, b *entry) int { return int(a.offset - b.offset) })
	}
	return all
}

// Knows says whether a source event has to be offered to Source. One that is not known runs as if
// nothing were parked: Source is called only when it fails, and Result right behind it.
func (c *Core) Knows(key []byte, offset int64) bool {
	f := c.fold
	if offset <= f.top {
		if _, known := f.entries[offset]; known {
			return true
		}
	}
	if key == nil || !f.sieve.has(key) {
		return false
	}
	_, known := f.keys[Key{name: string(key)}]
	return known
}

// Unread is how many records of ours are under way: appended, and not read back.
func (c *Core) Unread() int { return len(c.unread) }

// Queued is how many events wait in the park partition, to be run.
func (c *Core) Queued() int { return c.fold.queued }

// Held is how many keys wait for their release.
func (c *Core) Held() int { return c.fold.held }

// FailingSince is when the event failed first, in Unix milliseconds, that has failed for the longest of
// those that their keys wait for; 0: none has failed.
func (c *Core) FailingSince() int64 {
	var since int64
	for k := c.fold.oldest; k != nil; k = k.next {
		if len(k.queue) == 0 {
			continue
		}
		if first := k.queue[0].past.First; first > 0 && (since == 0 || first < since) {
			since = first
		}
	}
	return since
}
