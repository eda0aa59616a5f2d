package park

// low is how far the park partition may be committed together with the source offset src: to the
// first record that an active key needs, and not past a record of an event that the source offset
// does not cover: a restart would read that event from the source and not know the record.
func (f *Fold) low(src int64) int64 {
	w := f.next
	if f.oldest != nil {
		w = min(w, f.oldest.start)
	}
	if f.without.has(withoutCover) {
		return w
	}
	for f.covered < len(f.trail) && f.trail[f.covered].offset < src {
		f.covered++
	}
	if f.covered < len(f.trail) {
		w = min(w, f.trail[f.covered].at)
	}
	return w
}

// epochAt is the epoch in force at an offset that is not below the low water.
func (f *Fold) epochAt(offset int64) int64 {
	epoch := f.marks[0].epoch
	for _, m := range f.marks[1:] {
		if m.at >= offset {
			break
		}
		epoch = m.epoch
	}
	return epoch
}

// forget drops what a fold from w on would not know.
func (f *Fold) forget(w int64) {
	for len(f.marks) > 1 && f.marks[1].at < w {
		f.marks = f.marks[1:]
	}
	n := 0
	for ; n < f.covered && f.trail[n].at < w; n++ {
		if e := f.entries[f.trail[n].offset]; e != nil && e.last == f.trail[n].at && e.state == finished && e.going == 0 {
			delete(f.entries, e.offset)
		}
	}
	f.trail = f.trail[n:]
	f.covered -= n
}
