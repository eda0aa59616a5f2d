package lane

import "math"

// Tracker follows the records of one partition and tells how far all is finished. Offsets may have
// gaps: compaction, aborted transactions. The zero Tracker has seen nothing and accepts any first
// offset.
type Tracker struct {
	ring  []slot // a power of two; the window's entries lie at seq & (len-1)
	first uint64 // seq of the lowest entry in the window
	end   uint64 // seq of the next entry
	open  int    // entries that are not finished
	spots uint64 // counts what was finished above the low water
	low   Mark
	next  int64
	begun bool
}

type slot struct {
	offset int64
	stamp  int64
	epoch  int32
	done   bool
}

// Mark is a place in a partition's log to commit: the next offset to read, and the leader epoch of
// the record before it, -1 where that is not known.
type Mark struct {
	Offset int64
	Epoch  int32
}

// NewTracker starts at the given place, from which records are to come.
func NewTracker(from Mark) *Tracker { return &Tracker{low: from, next: from.Offset, begun: true} }

// Add takes a record that is to be finished later, by Done with the seq it returns. It is not fresh,
// and is not taken, when a record at or above its offset came before: a repeat.
func (t *Tracker) Add(offset int64, epoch int32) (seq uint64, fresh bool) {
	if t.begun && offset < t.next || offset < 0 || offset == math.MaxInt64 {
		return 0, false
	}
	if !t.begun {
		t.begun, t.low = true, Mark{offset, -1}
	}
	if t.end-t.first == uint64(len(t.ring)) {
		t.grow()
	}
	seq = t.end
	t.ring[seq&uint64(len(t.ring)-1)] = slot{offset: offset, epoch: epoch}
	t.end++
	t.open++
	t.next = offset + 1
	if seq == t.first {
		t.low.Offset = offset // what lies between the last record and this one doesn't exist
	}
	return seq, true
}

// Pass takes a record that needs nothing done: a control record, or one that is passed over.
func (t *Tracker) Pass(offset int64, epoch int32) (fresh bool) {
	seq, fresh := t.Add(offset, epoch)
	if fresh {
		t.Done(seq)
	}
	return fresh
}

// Done finishes a record and reports whether the low water moved.
func (t *Tracker) Done(seq uint64) (moved bool) {
	if seq < t.first || seq >= t.end {
		panic("lane: Done of a record that is not open")
	}
	mask := uint64(len(t.ring) - 1)
	s := &t.ring[seq&mask]
	if s.done {
		panic("lane: Done of a record twice")
	}
	s.done = true
	t.open--
	if seq != t.first {
		t.spots++
		return false
	}
	for t.first < t.end && t.ring[t.first&mask].done {
		s = &t.ring[t.first&mask]
		t.low = Mark{s.offset + 1, s.epoch}
		t.first++
	}
	if t.first < t.end {
		t.low.Offset = t.ring[t.first&mask].offset
	}
	return true
}

// Low is the place to commit: every record below it is finished.
func (t *Tracker) Low() Mark { return t.low }

// Stamp gives a record that was just added its time, in whatever unit the caller counts.
func (t *Tracker) Stamp(seq uint64, at int64) { t.ring[seq&uint64(len(t.ring)-1)].stamp = at }

// Oldest is the time of the lowest unfinished record, if there is one.
func (t *Tracker) Oldest() (at int64, open bool) {
	if t.open == 0 {
		return 0, false
	}
	return t.ring[t.first&uint64(len(t.ring)-1)].stamp, true
}

// Spots changes whenever Map does and Low does not.
func (t *Tracker) Spots() uint64 { return t.spots }

// Begun says whether the place in the log is known.
func (t *Tracker) Begun() bool { return t.begun }

// Next is the lowest offset that Add takes.
func (t *Tracker) Next() int64 { return t.next }

// Open is how many records are not finished.
func (t *Tracker) Open() int { return t.open }

// Span is how many records lie from the lowest unfinished one to the newest: what comes again after
// a crash right now.
func (t *Tracker) Span() int { return int(t.end - t.first) }

func (t *Tracker) grow() {
	ring := make([]slot, max(64, 2*len(t.ring)))
	for seq := t.first; seq < t.end; seq++ {
		ring[seq&uint64(len(ring)-1)] = t.ring[seq&uint64(len(t.ring)-1)]
	}
	t.ring = ring
}
