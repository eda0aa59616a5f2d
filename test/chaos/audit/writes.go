package audit

import "slices"

// library says where each record lies at the end.
type library struct {
	committed map[string][]spot
	whole     map[string]bool
	at        map[spot]string // committed
}

func newLibrary(b *book) *library {
	l := &library{committed: map[string][]spot{}, whole: map[string]bool{}, at: map[spot]string{}}
	for _, records := range b.committed {
		for i := range records {
			r := &records[i]
			l.at[r.spot()] = r.ID
			if r.ID != "" {
				l.committed[r.ID] = append(l.committed[r.ID], r.spot())
			}
		}
	}
	for _, records := range b.whole {
		for i := range records {
			l.whole[records[i].ID] = true
		}
	}
	return l
}

// checkWrites compares what was written, and how that ended, with the final log and with what readers
// saw on the way.
func (b *book) checkWrites(l *library) {
	read := b.readAs()
	last := map[sendKey]sent{}
	for _, d := range b.inOrder {
		if d.op != Write {
			continue
		}
		b.report.Writes += int64(len(d.writes))
		b.checkVisible(d, l)
		b.checkEarly(d, l, read)
		if d.is == OK {
			b.checkSendOrder(d, l, last)
		}
	}
	for _, records := range b.committed {
		b.checkDoubles(records, l)
	}
}

// readAs is when each record was first shown under read_committed.
func (b *book) readAs() map[string]seen {
	first := map[string]seen{}
	for _, r := range b.reads {
		for _, all := range r.polled {
			for _, s := range all {
				if f, ok := first[s.id]; !ok || s.at < f.at {
					first[s.id] = s
				}
			}
		}
	}
	return first
}

// checkVisible: all of an acknowledged write is there, and none or all of any.
func (b *book) checkVisible(d *deed, l *library) {
	visible, hidden := 0, 0
	var shown, missing string
	for i := range d.writes {
		id := d.writes[i].ID
		switch {
		case len(l.committed[id]) > 0:
			visible++
			shown = id
		case l.whole[id]:
			hidden++
			missing = id
		case d.is == OK:
			b.report.find(Lost, "%s of %s was acknowledged and is not in the log of %s", id, d.actor, d.writes[i].Topic)
		default:
			missing = id
		}
	}
	all := visible == len(d.writes)
	switch {
	case d.is == OK && d.txn && visible == 0 && hidden > 0:
		b.report.find(HiddenCommit, "%s of %s was committed and read_committed does not show it", missing, d.actor)
	case d.txn && visible > 0 && !all && (d.is != OK || hidden > 0):
		b.report.find(Torn, "of one transaction of %s %d of %d records are visible: %s is, %s is not", d.actor, visible, len(d.writes), shown, missing)
	}
}

// checkEarly: nobody is shown what was aborted, or not committed yet, and nothing that was shown goes
// away.
func (b *book) checkEarly(d *deed, l *library, read map[string]seen) {
	for i := range d.writes {
		id := d.writes[i].ID
		s, shown := read[id]
		lies := len(l.committed[id]) > 0
		switch {
		case d.is == Fail && (shown || lies):
			b.report.find(AbortedRead, "%s of %s was aborted and is visible", id, d.actor)
		case d.is != OK && d.txn && d.ending == 0 && (shown || lies):
			b.report.find(AbortedRead, "%s of %s never asked to be committed and is visible", id, d.actor)
		case d.txn && shown && s.at < d.ending:
			b.report.find(PrecommittedRead, "%s of %s was read at %v before it asked to be committed", id, d.actor, s.spot)
		case shown && !lies && d.is != OK && !l.whole[id]:
			b.report.find(Lost, "%s of %s was read at %v and is not in the log", id, d.actor, s.spot)
		}
	}
}

type sendKey struct {
	actor string
	place
	key string
}

type sent struct {
	offset int64
	id     string
}

// checkSendOrder: what an actor writes under a key, one after the other, lies so.
func (b *book) checkSendOrder(d *deed, l *library, last map[sendKey]sent) {
	for i := range d.writes {
		r := &d.writes[i]
		if len(l.committed[r.ID]) == 0 {
			continue // a fault of its own
		}
		at := l.committed[r.ID][0]
		k := sendKey{d.actor, at.place, r.Key}
		if before, ok := last[k]; ok && at.offset < before.offset {
			b.report.find(SendOrder, "%s of %s was sent after %s and lies before it, at %v", r.ID, d.actor, before.id, at)
		}
		last[k] = sent{at.offset, r.ID}
	}
}

// checkDoubles: a record stands once in the log, where it was not repeated on purpose.
func (b *book) checkDoubles(records []Record, l *library) {
	for i := range records {
		r := &records[i]
		spots := l.committed[r.ID]
		if r.ID == "" || r.Mark != "" || len(spots) < 2 {
			continue
		}
		if first := slices.IndexFunc(spots, func(s spot) bool { return b.plain(s) }); spots[first] != r.spot() {
			b.report.find(Duplicate, "%s lies at %v and at %v", r.ID, spots[first], r.spot())
		}
	}
}

// plain says that the record was not written there on purpose though it is elsewhere.
func (b *book) plain(s spot) bool {
	records := b.committed[s.place]
	i, ok := slices.BinarySearchFunc(records, s.offset, func(r Record, offset int64) int { return int(r.Offset - offset) })
	return ok && records[i].Mark == ""
}

// checkOffsets: an offset is one record for ever, whoever looked, under whatever isolation.
func (b *book) checkOffsets(l *library) {
	known := map[spot]string{}
	check := func(s spot, id, who string) {
		if was, ok := known[s]; ok && was != id {
			b.report.find(OffsetReuse, "%v was %s, and for %s it was %s", s, was, who, id)
			return
		}
		known[s] = id
	}
	for _, log := range []map[place][]Record{b.whole, b.committed} {
		for _, records := range log {
			for i := range records {
				check(records[i].spot(), records[i].ID, "the final log")
			}
		}
	}
	for _, d := range b.inOrder {
		if d.op == Write && d.placed {
			for i := range d.writes {
				if id := d.writes[i].ID; l.whole[id] || len(l.committed[id]) > 0 { // otherwise it is lost
					check(d.writes[i].spot(), id, d.actor)
				}
			}
		}
	}
	for actor, r := range b.reads {
		for _, all := range r.polled {
			for _, s := range all {
				check(s.spot, s.id, actor)
			}
		}
	}
	for _, s := range b.others {
		check(s.spot, s.id, "a reader under read_uncommitted")
	}
}
