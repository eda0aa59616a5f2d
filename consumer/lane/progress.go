package lane

import (
	"time"
)

// Progress is how far one assignment of a partition has come, and how far there is to go.
type Progress struct {
	Tracker   *Tracker
	Committed Mark      // Offset -1: not known
	spots     uint64    // of the tracker, when that was committed
	Metadata  string    // beside the group's offset, until the place to read from is known
	Finished  Finished  // what an earlier owner has finished above the place where we began
	High      int64     // high watermark, -1: not known
	End       int64     // of what can be read (last stable offset), -1: not known
	Start     int64     // of the log, -1: not known
	behind    time.Time // since when there is something to read that has not been read, as far as we know
	pinned    time.Time // since when End has stood at pinnedAt, below High
	pinnedAt  int64
}

// NewProgress knows nothing yet.
func NewProgress() Progress {
	return Progress{Tracker: new(Tracker), Committed: Mark{Offset: -1, Epoch: -1}, High: -1, End: -1, Start: -1}
}

// Place is what a commit says of one partition.
type Place struct {
	Mark
	spots    uint64
	Finished Finished
}

// Begin sets the place in the log from which records are to come, which the group has committed. Metadata
// that belongs to another place says nothing.
func (p *Progress) Begin(m Mark) {
	finished, _ := ParseFinished(p.Metadata, m.Offset)
	p.Resume(m, finished)
}

// Resume is begin where it is known what is finished above the place.
func (p *Progress) Resume(m Mark, finished Finished) {
	p.Committed, p.spots, p.Metadata = m, 0, ""
	p.Tracker, p.Finished = NewTracker(m), finished
}

// Spares says whether an earlier owner has finished the record.
func (p *Progress) Spares(offset int64, epoch int32) bool {
	if offset >= p.Finished.End() || epoch > p.Finished.Epoch() {
		p.Finished = Finished{} // it says nothing of what comes from here on
		return false
	}
	return p.Finished.Has(offset, epoch)
}

// Moved says whether something has finished since the last commit.
func (p *Progress) Moved(low Mark) bool {
	return low.Offset > p.Committed.Offset || low.Offset == p.Committed.Offset && p.Tracker.Spots() != p.spots
}

// PlaceAt is the low water, and what is finished above it.
func (p *Progress) PlaceAt(low Mark) Place {
	return Place{low, p.Tracker.Spots(), p.Tracker.Snapshot().Join(p.Finished, p.Tracker.Next())}
}

// Commit notes that a place was committed.
func (p *Progress) Commit(at Place) { p.Committed, p.spots = at.Mark, at.spots }

// Extend learns from a fetch how far the partition goes.
func (p *Progress) Extend(high, stable int64) {
	p.High = high
	p.End = max(p.End, stable)
}

// Notice notes since when there is something to read, and since when what is there can't be.
func (p *Progress) Notice(now time.Time) {
	switch {
	case p.End < 0 || p.End >= p.High:
		p.pinned = time.Time{}
	case p.pinned.IsZero() || p.pinnedAt != p.End:
		p.pinned, p.pinnedAt = now, p.End
	}
	switch {
	case p.unread() == 0:
		p.behind = time.Time{}
	case p.behind.IsZero():
		p.behind = now
	}
}

// Undecided is how long the last stable offset has stood still below the end of the log: a transaction
// that is open, or hangs, keeps what lies behind its first record from being read.
func (p *Progress) Undecided(now time.Time) time.Duration {
	if p.pinned.IsZero() || p.End != p.pinnedAt {
		return 0
	}
	return now.Sub(p.pinned)
}

// unread is how many offsets there are to read.
func (p *Progress) unread() int64 {
	next := p.Start
	if p.Tracker.Begun() {
		next = p.Tracker.Next()
	}
	if p.End < 0 || next < 0 {
		return 0
	}
	return max(0, p.End-next-p.Finished.Len(next))
}

// Lag is how many events are not finished, -1 where that is not known. What has not been read may turn
// out to be markers, aborted or gone.
func (p *Progress) Lag() int64 {
	if p.End < 0 || !p.Tracker.Begun() && p.Start < 0 {
		return -1
	}
	return int64(p.Tracker.Open()) + p.unread()
}

// TimeLag is the age of the oldest unfinished event, -1 where that is not known. Where none was read, it
// is at least as old as we know of it.
func (p *Progress) TimeLag(now time.Time) time.Duration {
	if oldest, open := p.Tracker.Oldest(); open {
		return max(0, now.Sub(time.UnixMilli(oldest)))
	}
	switch {
	case p.Lag() < 0:
		return -1
	case p.unread() == 0 || p.behind.IsZero():
		return 0
	}
	return now.Sub(p.behind)
}
