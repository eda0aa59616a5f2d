package park

import (
	"cmp"
	"slices"
)

// Fold is the state of a park partition: what its records come to, read in order from an offset on.
// It is made by [NewFold], and knows nothing of who reads it.
type Fold struct {
	next    int64 // offset of the next record
	epoch   int64 // in force
	marks   []mark
	entries map[int64]*entry
	keys    map[Key]*key
	top     int64 // greatest offset that entries has had
	sieve   sieve // of keys
	oldest  *key  // active keys in the order of their starts
	newest  *key
	active  int
	queued  int    // events
	held    int    // keys
	trail   []step // records of events that may lie above the low water
	covered int    // those before it are below the source's low water
	without rules
}

// mark is where an epoch came into force.
type mark struct{ at, epoch int64 }

// step is a record's place and the event that it was about.
type step struct{ at, offset int64 }

type state uint8

const (
	queued state = iota + 1
	dead         // given up, its dead letter is due
	finished
)

// entry is what the fold knows about an event.
type entry struct {
	key     Key
	offset  int64
	at      int64 // of the record that carries it, -1: it is at the source only
	decided int64 // of its Dead
	last    int64 // of its last record
	hold    int64 // that its dead letter belongs to
	past    Past
	round   int32
	state   state
	behind  bool // redriven behind all others
	blocked bool
	failed  bool // given up in this round

	going int32 // owner's: round+1 of the Fin or blocked Dead that was not read back yet, 0: none
	told  bool  // owner's: its dead letter was asked for
}

// hold is a key that waits for its release.
type hold struct {
	id     int64
	count  int   // dead letters
	first  int64 // least source offset of them: only later events are blocked
	staged []staged
}

type staged struct {
	offset int64
	round  int32
	at     int64
	past   Past
}

// key is what the fold knows about a key that is active, or that the owner works on.
type key struct {
	name       Key
	queue      []*entry // in the order in which they run
	dead       int      // entries that are dead
	hold       *hold
	start      int64 // of the record from which on all of it can be folded; -1: not active
	prev, next *key
	move       mark // MoveBegin without its MoveEnd; at -1: none
	torn       bool // a Fin of it was early: whoever folds it has to see what makes that void, so it does not move
	own        own
}

// NewFold starts at a park offset with the epoch in force there; at the first offset of the log the
// epoch is 0.
func NewFold(next, epoch int64) *Fold {
	return &Fold{
		next: next, epoch: epoch, marks: []mark{{at: -1, epoch: epoch}}, top: -1,
		entries: map[int64]*entry{}, keys: map[Key]*key{},
	}
}

// Next is the offset of the next record to be applied.
func (f *Fold) Next() int64 { return f.next }

// Pass goes over a place that holds no record of ours: a control record, a foreign one.
func (f *Fold) Pass(offset int64) { f.next = max(f.next, offset+1) }

// Apply takes the record at an offset. Void records, and offsets below Next, change nothing.
func (f *Fold) Apply(r Record, offset int64) { f.apply(r, offset) }

// apply returns the key and the entry that the record was about, where it was not void.
func (f *Fold) apply(r Record, offset int64) (*key, *entry, bool) {
	if offset < f.next {
		return nil, nil, false
	}
	f.next = offset + 1
	if r.Kind == Mark {
		if r.Epoch > f.epoch && !f.without.has(withoutMarker) {
			f.epoch = r.Epoch
			f.marks = append(f.marks, mark{offset, r.Epoch})
		}
		return nil, nil, true
	}
	if r.Kind.Owned() && r.Epoch < f.epoch {
		return nil, nil, false
	}
	k := f.key(r.Key)
	var e *entry
	valid := false
	if r.Kind.event() {
		e, valid = f.event(k, r, offset)
	} else {
		valid = f.about(k, r, offset)
	}
	f.settleKey(k, offset)
	return k, e, valid
}

// event folds a record about one event.
func (f *Fold) event(k *key, r Record, offset int64) (*entry, bool) {
	f.trail = append(f.trail, step{offset, r.Offset})
	e := f.entries[r.Offset]
	if e != nil && e.key != r.Key {
		return nil, false // no two keys have an event at one offset
	}
	if r.Kind == Stage {
		return e, f.stage(k, r, offset)
	}
	if e == nil {
		e = &entry{key: r.Key, offset: r.Offset, at: -1, decided: -1, round: -1}
	}
	if !f.turn(k, e, r, offset) {
		return f.entries[r.Offset], false
	}
	e.last = offset
	f.note(e)
	return e, true
}

// note keeps what is known about an event.
func (f *Fold) note(e *entry) {
	f.entries[e.offset] = e
	f.top = max(f.top, e.offset)
}

// turn moves an event to the state that a record says, if it may.
func (f *Fold) turn(k *key, e *entry, r Record, offset int64) bool {
	repeats := r.Round < e.round || r.Round == e.round && (e.state == dead || e.state == finished)
	if f.without.has(withoutDedupe) {
		repeats = false
	}
	switch r.Kind {
	case Park:
		if e.at < k.move.at && e.state == queued && e.round == r.Round {
			e.at = offset // a copy, on its way to the tail
			return true
		}
		// A copy of a redriven event may be all that a fold from the middle sees of its round.
		if e.state != 0 && r.Round <= e.round && !f.without.has(withoutDedupe) {
			return false
		}
		f.leave(k, e)
		e.round, e.at, e.behind, e.past = r.Round, offset, r.Behind, r.Past
		f.enter(k, e)
	case Dead:
		over := r.Hold != 0 && (k.hold == nil || k.hold.id != r.Hold) && !f.without.has(withoutHoldID)
		if over || repeats {
			return false
		}
		f.leave(k, e)
		e.round, e.state, e.decided, e.past = r.Round, dead, offset, r.Past
		e.blocked, e.hold, e.told, e.failed = r.Hold != 0 || r.Reason == Blocked, 0, false, true
		k.dead++
		f.count(k, e, r, offset)
	case Fin:
		if r.Round < e.round && !f.without.has(withoutRound) {
			return false
		}
		if f.early(k, e) {
			k.torn = true
			return false
		}
		f.leave(k, e)
		e.round, e.state = max(r.Round, e.round), finished
	case Redrive:
		if r.Round <= e.round {
			return false
		}
		f.leave(k, e)
		e.round, e.at, e.behind, e.past = r.Round, offset, true, r.Past
		f.enter(k, e)
	}
	return true
}

// early says whether an event waits that was to be finished before this one: the cluster has refused its
// Fin, and taken this one's before the owner heard of it. Both run again; if the earlier one alone did,
// the last effect would be its.
func (f *Fold) early(k *key, e *entry) bool {
	return e.state == queued && !e.behind && k.queue[0] != e && !f.without.has(withoutTurn)
}

// count adds a dead event to the hold of its key, which it may begin.
func (f *Fold) count(k *key, e *entry, r Record, offset int64) {
	if k.hold == nil && r.Holds {
		k.hold = &hold{id: offset, first: e.offset}
		f.held++
	}
	if h := k.hold; h != nil {
		h.count++
		h.first = min(h.first, e.offset)
		e.hold = h.id
	}
}

// enter puts an event into the queue of its key. Mostly it is the last.
func (f *Fold) enter(k *key, e *entry) {
	e.state, e.failed = queued, false
	f.queued++
	i, _ := slices.BinarySearchFunc(k.queue, e, f.order)
	k.queue = slices.Insert(k.queue, i, e)
}

// order is that of the source; what was redriven comes behind.
func (f *Fold) order(a, b *entry) int {
	if a.behind != b.behind {
		if b.behind {
			return -1
		}
		return 1
	}
	if f.without.has(withoutCoordinates) {
		return cmp.Compare(a.at, b.at)
	}
	return cmp.Compare(a.offset, b.offset)
}

// leave takes an event out of what its key has.
func (f *Fold) leave(k *key, e *entry) {
	switch e.state {
	case queued:
		f.queued--
		i, found := slices.BinarySearchFunc(k.queue, e, f.order)
		if !found || k.queue[i] != e {
			i = slices.Index(k.queue, e)
		}
		if i == 0 {
			k.queue[0] = nil
			k.queue = k.queue[1:]
		} else {
			k.queue = slices.Delete(k.queue, i, i+1)
		}
	case dead:
		k.dead--
	}
	e.state = 0
}

// stage notes that a dead event of a held key is to run after the release.
func (f *Fold) stage(k *key, r Record, offset int64) bool {
	if k.hold == nil || k.hold.id != r.Hold {
		return false
	}
	s := staged{r.Offset, r.Round, offset, r.Past}
	i, found := slices.BinarySearchFunc(k.hold.staged, s.offset, func(s staged, o int64) int { return cmp.Compare(s.offset, o) })
	switch {
	case !found:
		k.hold.staged = slices.Insert(k.hold.staged, i, s)
	case r.Round > k.hold.staged[i].round:
		k.hold.staged[i] = s
	default:
		return false
	}
	return true
}

// about folds a record about a whole key.
func (f *Fold) about(k *key, r Record, offset int64) bool {
	switch r.Kind {
	case Release:
		return f.release(k, r, offset)
	case MoveBegin:
		if k.move.at < 0 || k.move.epoch != r.Epoch {
			k.move = mark{offset, r.Epoch}
		}
	case MoveEnd:
		return f.moved(k, r)
	}
	return true
}

// release ends a hold if it has the dead letters that the tool has seen, and no other.
func (f *Fold) release(k *key, r Record, offset int64) bool {
	h := k.hold
	if h == nil || h.id != r.Hold || h.count != r.Count && !f.without.has(withoutCount) {
		return false
	}
	k.hold = nil
	f.held--
	for _, s := range h.staged {
		e := f.entries[s.offset]
		if e == nil {
			e = &entry{key: k.name, offset: s.offset, decided: -1, round: -1}
			f.note(e)
		}
		if e.key != k.name || s.round <= e.round {
			continue
		}
		f.leave(k, e)
		e.round, e.at, e.last, e.behind, e.past = s.round, s.at, offset, false, s.past
		f.enter(k, e)
		f.trail = append(f.trail, step{offset, s.offset})
	}
	return true
}

// moved lets the key start at its MoveBegin, if all that it has stands behind that. It may not: the
// tool's records come at any place, also right before the MoveBegin of an owner that has not read
// them.
func (f *Fold) moved(k *key, r Record) bool {
	from := k.move
	k.move.at = -1
	if from.at < 0 || from.epoch != r.Epoch || k.start < 0 || k.start >= from.at {
		return false
	}
	if !f.without.has(withoutMoveRules) {
		if k.dead > 0 || k.hold != nil || k.torn {
			return false
		}
		for _, e := range k.queue {
			if e.at < from.at {
				return false
			}
		}
	}
	f.unlink(k)
	f.link(k, from.at)
	return true
}
