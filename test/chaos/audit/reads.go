package audit

import (
	"maps"
	"slices"
)

// checkReaders: a reader under read_committed is given each partition in order, each record once, none
// left out, to the end.
func (b *book) checkReaders() {
	for _, actor := range slices.Sorted(maps.Keys(b.reads)) {
		r := b.reads[actor]
		for _, at := range b.placesOf(r.topics) {
			b.checkReader(actor, at, r.polled[at])
		}
	}
}

// placesOf are the partitions of the topics that have records, or marks.
func (b *book) placesOf(topics []string) []place {
	var places []place
	for at := range b.committed {
		if slices.Contains(topics, at.topic) {
			places = append(places, at)
		}
	}
	return places
}

func (b *book) checkReader(actor string, at place, polled []seen) {
	given := make(map[int64]bool, len(polled))
	last := int64(-1)
	for _, s := range polled {
		if s.offset <= last {
			b.report.find(PollOrder, "%s was given %v after offset %d", actor, s.spot, last)
		}
		given[s.offset] = true
		last = max(last, s.offset)
	}
	for _, rec := range b.committed[at] {
		switch {
		case given[rec.Offset]:
		case rec.Offset < last:
			b.report.find(PollSkip, "%s was given records up to %d and not %v (%s)", actor, last, rec.spot(), rec.ID)
		default:
			b.report.find(Unseen, "%s was given records up to %d and never %v (%s)", actor, last, rec.spot(), rec.ID)
		}
	}
}

// checkWatermarks: a high watermark only rises, and at the end nothing is open below it.
func (b *book) checkWatermarks() {
	for at, marks := range b.marks {
		if before, after, ok := fell(marks); ok {
			b.report.find(Watermark, "the high watermark of %s/%d was %d, later %d", at.topic, at.partition, before, after)
		}
	}
	for at, end := range b.ends {
		if end.Stable < end.Offset {
			b.report.find(StuckLSO, "%s/%d ends at %d and is stable up to %d only: a transaction is open", at.topic, at.partition, end.Offset, end.Stable)
		}
	}
}

// fell finds the first sample that is lower than an earlier one.
func fell(samples []level) (before, after int64, ok bool) {
	samples = slices.Clone(samples)
	slices.SortStableFunc(samples, func(x, y level) int {
		switch {
		case x.at < y.at:
			return -1
		case x.at > y.at:
			return 1
		}
		return 0
	})
	most := int64(-1)
	for _, s := range samples {
		if s.value < most {
			return most, s.value, true
		}
		most = s.value
	}
	return 0, 0, false
}

// Bounds of growth: between a process before the load and the same, or one that took its place, when
// all is quiet again. What leaks under load is far above them.
const (
	growthFactor     = 2
	growthGoroutines = 256 + 100 // a consumer keeps the workers that it once needed, MaxInFlight at most
	growthFiles      = 60
	growthBytes      = 192 << 20
)

// checkProcesses: what a process holds at the end is about what it held before.
func (b *book) checkProcesses() {
	for _, actor := range slices.Sorted(maps.Keys(b.final)) {
		was, is := b.idle[actor], b.final[actor]
		for _, c := range []struct {
			what              string
			was, is, headroom int64
		}{
			{"goroutines", was.Goroutines, is.Goroutines, growthGoroutines},
			{"open files", was.Files, is.Files, growthFiles},
			{"bytes", was.Bytes, is.Bytes, growthBytes},
		} {
			if c.is > growthFactor*c.was && c.is > c.was+c.headroom {
				b.report.find(Growth, "%s had %d %s before the load and has %d after it", actor, c.was, c.what, c.is)
			}
		}
	}
}
