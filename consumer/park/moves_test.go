package park

import (
	"fmt"
	"slices"
)

// choice is one thing that may happen in a world. needed is what happens by itself sooner or later; the
// rest (crashes, failures, late records) may never.
type choice struct {
	format string
	args   []any
	needed bool
	do     func(w *world)
}

// what names the choice. It is put into words only when somebody asks.
func (c *choice) what() string { return fmt.Sprintf(c.format, c.args...) }

// choices are all that may happen next.
func (w *world) choices() []choice {
	var cs []choice
	add := func(needed bool, do func(w *world), format string, args ...any) {
		cs = append(cs, choice{format, args, needed, do})
	}
	cur := w.current()
	if (cur == nil || !cur.alive) && len(w.owners) < w.setup.owners {
		add(true, (*world).join, "owner %d begins", len(w.owners))
	}
	for i, o := range w.owners {
		if len(o.flight) > 0 {
			add(o.alive, func(w *world) {
				o := w.owners[i]
				w.log = append(w.log, o.flight[0])
				o.flight = o.flight[1:]
			}, "%d: %s lands at %d", i, show(o.flight[0]), len(w.log))
		}
		if o.alive {
			w.ownerChoices(i, o, add)
		}
	}
	for i, r := range w.late {
		add(false, func(w *world) {
			w.late = slices.Delete(w.late, i, i+1)
			w.log = append(w.log, r)
		}, "late: %s lands at %d", show(r), len(w.log))
	}
	for i, e := range w.post {
		add(false, func(w *world) {
			w.post = slices.Delete(w.post, i, i+1)
			w.letter(e)
		}, "late: dead letter %s", id(e.Offset, e.Round))
	}
	if w.redrive || w.hold {
		w.toolChoices(add)
	}
	return cs
}

type adder func(needed bool, do func(w *world), format string, args ...any)

func (w *world) ownerChoices(i int, o *owner, add adder) {
	rightful := i == len(w.owners)-1
	if o.read < int64(len(w.log)) {
		add(true, func(w *world) {
			o := w.owners[i]
			o.read++
			w.do(o, o.core.Apply(w.log[o.read-1], o.read-1))
		}, "%d: reads %s at %d", i, show(w.log[o.read]), o.read)
	}
	if rightful || w.zombies == running {
		w.workChoices(i, o, add)
	}
	if w.txn {
		w.txnChoices(i, o, add)
	}
	for j, e := range o.posts {
		add(true, func(w *world) {
			o := w.owners[i]
			o.posts = slices.Delete(o.posts, j, j+1)
			if w.txn {
				w.doWith(o, o.core.LetterWritten(e.Offset, e.Round), outcome{letter: e, letters: true})
				return
			}
			w.letter(e)
			w.do(o, o.core.LetterWritten(e.Offset, e.Round))
		}, "%d: dead letter %s", i, id(e.Offset, e.Round))
	}
	if rightful {
		w.fateChoices(i, o, add)
	}
}

// workChoices are sources and handlers.
func (w *world) workChoices(i int, o *owner, add adder) {
	for k := byte('K'); k <= 'L'; k++ {
		if c, may := w.offers(o, k); may {
			add(true, func(w *world) {
				o := w.owners[i]
				o.taken[k]++
				o.shut[k] = true
				o.offered |= 1 << c
				w.do(o, o.core.Source(w.name(c), c))
			}, "%d: source %d", i, c)
		}
	}
	for j, e := range o.dues {
		add(true, func(w *world) {
			o := w.owners[i]
			o.dues = slices.Delete(o.dues, j, j+1)
			w.do(o, o.core.Attempt(e.Key, e.Offset, e.Round))
		}, "%d: %s is due", i, id(e.Offset, e.Round))
	}
	for j, e := range o.runs {
		end := func(how Outcome, effect bool) func(w *world) {
			return func(w *world) {
				o := w.owners[i]
				o.runs = slices.Delete(o.runs, j, j+1)
				if effect && w.txn {
					w.doWith(o, o.core.Result(e, how, Past{}, ""), outcome{effect: e, acts: true})
					return
				}
				if effect {
					w.effect(e)
					w.inboxed |= 1 << e.Offset
				} else {
					w.failed++
				}
				w.do(o, o.core.Result(e, how, Past{}, "permanent"))
			}
		}
		add(true, end(Done, true), "%d: effect of %s", i, id(e.Offset, e.Round))
		if w.failed < w.failures && (!w.inbox || w.inboxed&(1<<e.Offset) == 0) {
			add(false, end(GiveUp, false), "%d: %s fails for good", i, id(e.Offset, e.Round))
			if !e.Parked {
				add(false, end(Retry, false), "%d: %s fails", i, id(e.Offset, e.Round))
			}
		}
	}
}

// fateChoices are commits and what ends an owner.
func (w *world) fateChoices(i int, o *owner, add adder) {
	if m, more := o.core.Commit(o.low(len(w.keys))); more && m != w.com {
		add(true, func(w *world) { w.commit(w.owners[i]) }, "%d: commits source %d, park %d, epoch %d", i, m.Source, m.Park, m.Meta.AtLow)
	}
	more := len(w.owners) < w.setup.owners
	if w.crashed < w.crashes && more {
		add(false, func(w *world) {
			w.crashed++
			w.disturbed = true
			w.end(w.owners[i])
		}, "%d: crash", i)
	}
	if w.moved < w.moves && more {
		add(false, func(w *world) {
			w.moved++
			w.disturbed = true
			if w.zombies == gone {
				w.end(w.owners[i])
			}
			w.join()
		}, "%d: loses the partition, %d begins", i, len(w.owners))
	}
	if w.refused < w.refusals && len(o.flight) > 0 && more {
		add(false, func(w *world) {
			w.refused++
			w.disturbed = true
			o := w.owners[i]
			o.flight, o.torn = o.flight[1:], true
		}, "%d: %s is refused", i, show(o.flight[0]))
	}
	if o.torn {
		add(true, func(w *world) { w.end(w.owners[i]) }, "%d: hears of it; a new epoch", i)
	}
	if w.gaveUp < w.produce && len(o.flight) > 0 {
		if w.resend {
			add(false, func(w *world) {
				w.gaveUp++
				w.late = append(w.late, w.owners[i].flight[0]) // and stays in flight
			}, "%d: %s fails and is sent again", i, show(o.flight[0]))
		} else if more {
			add(false, func(w *world) {
				w.gaveUp++
				w.disturbed = true
				w.end(w.owners[i])
				w.join()
			}, "%d: %s fails; a new epoch", i, show(o.flight[0]))
		}
	}
}

// commit commits both offsets.
func (w *world) commit(o *owner) {
	m, _ := o.core.Commit(o.low(len(w.keys)))
	w.com = m
	if w.txn && !w.mapless {
		w.above = o.settled &^ (1<<m.Source - 1)
	}
	w.refold(o)
	w.knows(o)
	w.do(o, o.core.Committed(m))
}

// toolChoices are the redrive tool's: it knows the dead letters and what it did itself.
func (w *world) toolChoices(add adder) {
	if w.redrive {
		for _, l := range w.letters {
			again := w.tool.redriven&(1<<l.Offset) != 0
			if l.Round > 0 || again && w.repeated >= w.repeats {
				continue
			}
			r := Record{Kind: Redrive, Key: w.name(l.Offset), Offset: l.Offset, Round: l.Round + 1}
			add(!again, func(w *world) {
				if again {
					w.repeated++
				}
				w.tool.redriven |= 1 << l.Offset
				w.log = append(w.log, r)
			}, "tool: %s", show(r))
		}
	}
	if w.hold {
		for _, r := range w.releases() {
			add(true, func(w *world) {
				w.log = append(w.log, r)
				if r.Kind == Stage {
					w.tool.staged = append(w.tool.staged, r)
				} else {
					w.tool.released = append(w.tool.released, r)
				}
			}, "tool: %s", show(r))
		}
	}
}

// releases are the next records of the tool for each hold that it sees in the dead letters: all of it
// staged, then released.
func (w *world) releases() []Record {
	holds := map[int64][]Event{}
	var order []int64
	for _, l := range w.letters {
		known := slices.ContainsFunc(holds[l.Hold], func(e Event) bool { return e.Offset == l.Offset && e.Round == l.Round })
		if l.Hold == 0 || known {
			continue
		}
		if holds[l.Hold] == nil {
			order = append(order, l.Hold)
		}
		holds[l.Hold] = append(holds[l.Hold], l)
	}
	var rs []Record
	for _, h := range order {
		ready := true
		for _, l := range holds[h] {
			r := Record{Kind: Stage, Key: l.Key, Offset: l.Offset, Round: l.Round + 1, Hold: h}
			if !slices.Contains(w.tool.staged, r) {
				rs = append(rs, r)
				ready = false
			}
		}
		r := Record{Kind: Release, Key: holds[h][0].Key, Hold: h, Count: len(holds[h])}
		if ready && !slices.Contains(w.tool.released, r) {
			rs = append(rs, r)
		}
	}
	return rs
}

// show prints a record as a trace names it.
type show Record

func (r show) String() string {
	s := fmt.Sprintf("%s(e%d)", r.Kind, r.Epoch)
	if r.Kind.event() {
		s = fmt.Sprintf("%s(e%d, %s)", r.Kind, r.Epoch, id(r.Offset, r.Round))
	}
	if r.Hold > 0 {
		s += fmt.Sprintf(" of hold %d", r.Hold)
	}
	if r.Kind == Release {
		s += fmt.Sprintf(" with %d", r.Count)
	}
	return s
}
