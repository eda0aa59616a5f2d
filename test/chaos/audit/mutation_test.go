package audit_test

import (
	"slices"

	. "github.com/leatdev/leat/test/chaos/audit"
)

// history is a clean one, to be spoiled.
type history struct{ lines []Line }

// each calls fn for every line that is of an operation and a phase.
func (h *history) each(op Op, is Phase, fn func(l *Line)) {
	for i := range h.lines {
		if l := &h.lines[i]; l.Op == op && l.Is == is {
			fn(l)
		}
	}
}

// find returns the first such line that suits.
func (h *history) find(op Op, is Phase, suits func(l *Line) bool) *Line {
	for i := range h.lines {
		if l := &h.lines[i]; l.Op == op && l.Is == is && suits(l) {
			return l
		}
	}
	panic("the history has no such line: " + string(op))
}

func (h *history) say(l Line) {
	l.At = h.lines[len(h.lines)-1].At + 1
	h.lines = append(h.lines, l)
}

// drop takes records away from where they are shown.
func (h *history) drop(ids []string, from func(l *Line) bool) {
	for i := range h.lines {
		if l := &h.lines[i]; from(l) {
			l.Records = slices.DeleteFunc(slices.Clone(l.Records), func(r Record) bool { return slices.Contains(ids, r.ID) })
		}
	}
	h.lines = slices.DeleteFunc(h.lines, func(l Line) bool { return len(l.Records) == 0 && l.Row == nil && (l.Op == Logged || l.Op == Effect) })
}

func anyShown(l *Line) bool  { return l.Op == Logged || l.Op == Poll }
func committed(l *Line) bool { return anyShown(l) && l.Committed }
func polled(l *Line) bool    { return l.Op == Poll && l.Committed }

func ids(records []Record) (ids []string) {
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

// grow appends a record to a partition, where everybody sees it and has read it.
func (h *history) grow(r Record) {
	end := h.find(Mark, Saw, func(l *Line) bool { return l.Final && l.Topic == r.Topic && l.Partition == r.Partition })
	r.Offset = end.Offset
	end.Offset++
	end.Stable++
	h.each(Offset, Saw, func(l *Line) {
		if l.Final && l.Topic == r.Topic && l.Partition == r.Partition {
			l.Offset++
		}
	})
	h.say(Line{Actor: "final", Is: Saw, Op: Logged, Records: []Record{r}})
	h.say(Line{Actor: "final", Is: Saw, Op: Logged, Committed: true, Records: []Record{r}})
	h.say(Line{Actor: "reader", Is: OK, Op: Poll, Committed: true, Records: []Record{r}})
}

// transaction finds one that ended so and wrote to one partition twice or more.
func (h *history) transaction(is Phase) *Line {
	ended := h.find(Write, is, func(l *Line) bool { return l.Txn })
	if is == OK {
		return ended
	}
	return h.find(Write, Begun, func(l *Line) bool { return l.Actor == ended.Actor && l.N == ended.N })
}

// shown finds a record of the final committed log that suits.
func (h *history) shown(suits func(r Record) bool) (found Record) {
	h.find(Logged, Saw, func(l *Line) bool {
		i := slices.IndexFunc(l.Records, suits)
		if i >= 0 {
			found = l.Records[i]
		}
		return i >= 0 && l.Committed
	})
	return found
}

// effects are all effects of a group, to be changed in place.
func (h *history) effects(group string) (effects []*Record) {
	h.each(Effect, Saw, func(l *Line) {
		for i := range l.Records {
			if l.Group == group {
				effects = append(effects, &l.Records[i])
			}
		}
	})
	return effects
}

// extra adds an effect to the payment group.
func (h *history) extra(r Record) {
	r.Seq += 1 << 40
	h.say(Line{Actor: "final", Is: Saw, Op: Effect, Group: "payment", Records: []Record{r}})
}

func (h *history) row(table, state string) *Row {
	return h.find(Stored, Saw, func(l *Line) bool { return l.Row.Table == table && l.Row.State == state }).Row
}

// ends are the last records of the partitions of topic t, as the reader got them.
func (h *history) ends() map[int32]Record {
	last := map[int32]Record{}
	h.each(Poll, OK, func(l *Line) {
		for _, r := range l.Records {
			if l.Committed && r.Topic == "t" && r.Offset >= last[r.Partition].Offset {
				last[r.Partition] = r
			}
		}
	})
	return last
}

// mutations spoil a history, each by one fault of its class.
var mutations = map[Class]func(h *history){
	Lost: func(h *history) {
		h.drop(ids(h.find(Write, OK, func(l *Line) bool { return !l.Txn }).Records), anyShown)
	},
	HiddenCommit: func(h *history) { h.drop(ids(h.transaction(OK).Records), committed) },
	Duplicate:    func(h *history) { h.grow(h.shown(func(r Record) bool { return r.Topic == "t" })) },
	Torn:         func(h *history) { h.drop(ids(h.transaction(OK).Records[:1]), committed) },
	SendOrder: func(h *history) {
		var x, y *Record
		h.each(Write, OK, func(l *Line) {
			switch {
			case l.Txn || y != nil:
			case x == nil:
				x = &l.Records[0]
			case x.Key == l.Records[0].Key:
				y = &l.Records[0]
			}
		})
		a, b := x.ID, y.ID
		x.Offset, y.Offset = y.Offset, x.Offset
		for i := range h.lines {
			if l := &h.lines[i]; anyShown(l) {
				l.Records = slices.Clone(l.Records)
				for j := range l.Records {
					switch r := &l.Records[j]; r.ID {
					case a:
						r.ID = b
					case b:
						r.ID = a
					}
				}
			}
		}
	},
	OffsetReuse: func(h *history) {
		l := h.find(Poll, OK, func(l *Line) bool { return !l.Committed })
		l.Records = slices.Clone(l.Records)
		l.Records[0].ID = "another"
	},
	StuckLSO: func(h *history) {
		h.find(Mark, Saw, func(l *Line) bool { return l.Final && l.Offset > 0 }).Stable--
	},
	Watermark: func(h *history) {
		end := h.find(Mark, Saw, func(l *Line) bool { return l.Final && l.Offset > 0 })
		h.say(Line{Actor: "cluster", Is: Saw, Op: Mark, Topic: end.Topic, Partition: end.Partition, Offset: end.Offset - 1})
	},
	AbortedRead: func(h *history) {
		aborted := h.transaction(Fail).Records[0]
		var lies Record
		h.each(Logged, Saw, func(l *Line) {
			for _, r := range l.Records {
				if r.ID == aborted.ID {
					lies = r
				}
			}
		})
		for i := range h.lines {
			l := &h.lines[i]
			if !polled(l) || l.Records[0].Topic != lies.Topic || l.Records[0].Partition != lies.Partition {
				continue
			}
			if at := slices.IndexFunc(l.Records, func(r Record) bool { return r.Offset > lies.Offset }); at >= 0 {
				l.Records = slices.Insert(slices.Clone(l.Records), at, lies)
				return
			}
		}
		h.say(Line{Actor: "reader", Is: OK, Op: Poll, Committed: true, Records: []Record{lies}})
	},
	PrecommittedRead: func(h *history) {
		t := h.transaction(OK)
		end := h.lines[len(h.lines)-1].At
		h.each(Write, Ending, func(l *Line) {
			if l.Actor == t.Actor {
				l.At = end + 1
			}
		})
		t.At = end + 2
	},
	PollOrder: func(h *history) {
		l := h.find(Poll, OK, func(l *Line) bool { return l.Committed && len(l.Records) > 1 })
		l.Records = slices.Clone(l.Records)
		l.Records[0], l.Records[1] = l.Records[1], l.Records[0]
	},
	PollSkip: func(h *history) {
		ends := h.ends()
		first := h.find(Poll, OK, func(l *Line) bool {
			return l.Committed && l.Records[0].Topic == "t" && l.Records[0].ID != ends[l.Records[0].Partition].ID
		})
		h.drop(ids(first.Records[:1]), polled)
	},
	Unseen:        func(h *history) { h.drop([]string{h.ends()[0].ID}, polled) },
	DoubledEffect: func(h *history) { h.extra(*h.effects("payment")[0]) },
	EffectOrder: func(h *history) {
		effects := h.effects("payment")
		for _, x := range effects {
			for _, y := range effects {
				if x.Key == y.Key && x.Offset < y.Offset {
					x.Seq, y.Seq = y.Seq, x.Seq
					return
				}
			}
		}
	},
	OffsetAhead: func(h *history) {
		gone := h.effects("payment")[0].ID
		h.drop([]string{gone}, func(l *Line) bool { return l.Op == Effect && l.Group == "payment" })
	},
	PhantomEffect: func(h *history) {
		r := *h.effects("payment")[0]
		r.ID, r.Key, r.Offset = "nobody's", "nobody's", 1<<40
		h.extra(r)
	},
	OffsetBack: func(h *history) {
		l := *h.find(Offset, Saw, func(l *Line) bool { return l.Final && l.Offset > 0 })
		l.Offset, l.Final = l.Offset-1, false
		h.say(l)
	},
	Lagging: func(h *history) {
		end := h.find(Offset, Saw, func(l *Line) bool { return l.Final && l.Offset > 1 })
		end.Offset--
	},
	LetterClass: func(h *history) {
		h.say(Line{Actor: "final", Is: Saw, Op: Letter, Group: "payment", Reason: "exhausted", Records: []Record{*h.effects("payment")[0]}})
	},
	LetterMissing: func(h *history) {
		gone := *h.find(Letter, Saw, func(*Line) bool { return true })
		h.lines = slices.DeleteFunc(h.lines, func(l Line) bool {
			return l.Op == Letter && l.Group == gone.Group && l.Records[0] == gone.Records[0]
		})
	},
	OrderLost: func(h *history) {
		h.say(Line{Actor: "load", N: 1 << 40, Is: OK, Op: Order, Key: "k", Order: "nobody's"})
	},
	OrderOpen: func(h *history) {
		h.say(Line{Actor: "final", Is: Saw, Op: Stored, Row: &Row{Table: "notice", ID: "order-1 refunded", State: "pending"}})
	},
	OutboxStuck: func(h *history) {
		h.say(Line{Actor: "final", Is: Saw, Op: Waiting, Group: "order", Offset: 3, Reason: "waiting"})
	},
	OutboxLost: func(h *history) {
		lost := h.shown(func(r Record) bool { return r.Type == "shop.order.created.v1" })
		h.drop([]string{lost.ID}, func(l *Line) bool { return anyShown(l) || l.Op == Effect })
	},
	OutboxPhantom: func(h *history) {
		o := h.row("orders", "completed")
		h.grow(Record{Topic: "shop.inventory", Key: o.ID, ID: "phantom", Type: "shop.inventory.released.v1"})
	},
	Money: func(h *history) {
		h.find(Stored, Saw, func(l *Line) bool { return l.Row.Table == "sandbox" && l.Row.In == 1 && l.Row.Out == 0 }).Row.Out = 1
	},
	Stock:  func(h *history) { a := h.row("stock", ""); a.In, a.Out = a.In+1, a.Out-1 },
	Growth: func(h *history) { h.find(Sample, Saw, func(l *Line) bool { return l.Final }).Goroutines = 1000 },
}
