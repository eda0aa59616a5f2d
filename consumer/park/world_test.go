package park

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// setup is a small world for the model checker: what there is, and what may go wrong in it.
type setup struct {
	keys     string // the source: one letter per event, its key
	owners   int    // at most, one after the other
	crashes  int    // an owner dies; what it has in flight lands later, or never
	moves    int    // of the partition to a new owner while the old one goes on as zombies says
	failures int    // attempts that fail
	produce  int    // appends that the producer gives up; they may land all the same
	refusals int    // appends that the cluster refuses and takes those behind them, before the owner hears of it
	zombies  zombies
	inbox    bool // handlers take effect once per event
	txn      bool // what is decided leaves in transactions, with the effects that it is about and both offsets
	apart    bool // mutation: effects come before their transaction
	mapless  bool // mutation: the source's offset does not tell what is finished above it
	unfenced bool // mutation: a transaction that moves no offset holds none, so an old owner's is accepted
	hold     bool // HoldKey, and the tool releases
	redrive  bool // SkipKey, and the tool redrives once
	repeats  int  // records of the tool that come twice
	scan     int  // Config.MaxScan: small, so that keys move
	without  rules
	resend   bool     // mutation: a failed append is sent again under its epoch
	after    []string // choices that lie behind already
}

type zombies uint8

const (
	gone    zombies = iota // an old owner has ended, its requests come late
	idle                   // it goes on but runs no handlers
	running                // it runs handlers too
)

// world is a state of everything: log, letters, offsets, effects, owners.
type world struct {
	*setup
	log                                      []Record
	letters                                  []Event // written dead letters
	com                                      Commit
	above                                    uint64 // txn: what is finished above com.Source
	owners                                   []*owner
	late                                     []Record // appends of dead owners
	post                                     []Event  // dead letters of dead owners that are not written yet
	last                                     []int64  // events in the order of their last effects
	rounds                                   [8]int32 // of the last effect of each
	inboxed                                  uint64
	tool                                     tool
	crashed, moved, failed, gaveUp, repeated int
	refused                                  int
	disturbed                                bool // a crash or a move happened
	fault                                    string
}

// owner is one member's hold of the partition, from its start to its end.
type owner struct {
	core    *Core
	alive   bool
	read    int64
	taken   map[byte]int // per key: how many of its events were offered
	shut    map[byte]bool
	settled uint64
	offered uint64
	base    int64
	runs    []Event
	dues    []Event
	posts   []Event
	flight  []Record
	torn    bool      // one of its records was refused
	writing []outcome // txn: on their way through the writer
	ready   []outcome // txn: for the next transaction
}

// tool is the redrive tool: what it has done.
type tool struct {
	redriven uint64
	staged   []Record
	released []Record
}

func newWorld(s *setup) *world {
	w := &world{setup: s}
	for i, what := range s.after {
		if !w.take(what) {
			panic(fmt.Sprintf("step %d of the beginning: %q is not possible", i, what))
		}
	}
	return w
}

func (w *world) key(c int64) byte { return w.keys[c] }
func (w *world) name(c int64) Key { return KeyOf([]byte{w.key(c)}, c) }

// current is the owner that the coordinator knows.
func (w *world) current() *owner {
	if len(w.owners) == 0 {
		return nil
	}
	return w.owners[len(w.owners)-1]
}

// join makes a new owner, which has fetched the offsets and claimed its epoch.
func (w *world) join() {
	start := Start{
		Epoch: w.com.Meta.Claimed + 1, Park: w.com.Park, AtLow: w.com.Meta.AtLow, Source: w.com.Source,
	}
	core := New(Config{HoldKey: w.hold, MaxScan: w.scan, MaxMove: 10, Atomic: w.txn}, start)
	core.fold.without = w.without
	w.com = core.Claim()
	o := &owner{core: core, alive: true, read: start.Park, base: start.Source, settled: w.above, taken: map[byte]int{}, shut: map[byte]bool{}}
	w.owners = append(w.owners, o)
	w.do(o, core.Open())
}

// do carries out the effects of a core.
func (w *world) do(o *owner, effects []Effect) {
	for _, e := range slices.Clone(effects) {
		switch e.Do {
		case Append:
			if w.txn {
				o.writing = append(o.writing, outcome{record: e.Record})
				continue
			}
			o.flight = append(o.flight, e.Record)
		case Run:
			o.runs = append(o.runs, e.Event)
		case Due:
			o.dues = slices.DeleteFunc(o.dues, func(d Event) bool { return d.Key == e.Event.Key })
			o.dues = append(o.dues, e.Event)
		case Next:
			o.shut[w.key(e.Event.Offset)] = false
		case Settle:
			o.settled |= 1 << e.Event.Offset
		case Letter:
			o.posts = append(o.posts, e.Event)
		case Begin:
			w.do(o, o.core.Begin())
		case Stop:
			w.end(o)
		}
	}
}

// end is the death of an owner. What it has in flight lands in its order, or never: an idempotent
// producer's record needs the one before it.
func (w *world) end(o *owner) {
	o.alive = false
	w.post = append(w.post, o.posts...)
	o.core, o.posts, o.runs, o.dues, o.taken, o.shut = nil, nil, nil, nil, nil, nil
	if w.txn { // a transaction that nobody ends is aborted
		w.post, o.writing, o.ready = nil, nil, nil
	}
}

// low is what an owner's tracker says: all source events below are settled.
func (o *owner) low(n int) int64 {
	c := o.base
	for c < int64(n) && o.settled&(1<<c) != 0 {
		c++
	}
	return c
}

// offers is the next event of a key's lane, if it may be offered.
func (w *world) offers(o *owner, k byte) (int64, bool) {
	if o.core.phase != live || o.shut[k] {
		return 0, false
	}
	n := o.taken[k]
	for c := o.base; c < int64(len(w.keys)); c++ {
		if w.key(c) == k && (!w.txn || o.settled&(1<<c) == 0 || o.offered&(1<<c) != 0) {
			if n == 0 {
				return c, true
			}
			n--
		}
	}
	return 0, false
}

// effect is a handler's.
func (w *world) effect(e Event) {
	c := e.Offset
	for _, l := range w.letters {
		if l.Offset == c && l.Round >= e.Round && !(e.Round > 0 && w.repeated > 0) { // a Redrive that comes twice is a limit
			w.fail("effect of %s after its dead letter", id(c, e.Round))
		}
	}
	first := !slices.Contains(w.last, c)
	if !first && w.txn && w.repeated == 0 {
		w.fail("second effect of %s", id(c, e.Round))
	}
	if !first {
		if w.inbox {
			return
		}
		if !w.disturbed && w.gaveUp == 0 {
			w.fail("second effect of %s without a crash", id(c, e.Round))
		}
		w.last = slices.DeleteFunc(w.last, func(l int64) bool { return l == c })
	}
	if first && w.ordered(e.Round) {
		for _, l := range w.last {
			if l > c && w.key(l) == w.key(c) {
				w.fail("effect of %s after that of %d", id(c, e.Round), l)
			}
		}
	}
	w.last = append(w.last, c)
	w.rounds[c] = e.Round
}

// letter is a dead letter that is written.
func (w *world) letter(e Event) {
	if w.inbox && w.zombies != running && slices.Contains(w.last, e.Offset) && e.Round >= w.rounds[e.Offset] {
		w.fail("dead letter of %s after its effect", id(e.Offset, e.Round))
	}
	if w.txn && slices.ContainsFunc(w.letters, func(l Event) bool { return l.Offset == e.Offset && l.Round == e.Round }) {
		w.fail("second dead letter of %s", id(e.Offset, e.Round))
	}
	if w.txn && slices.Contains(w.last, e.Offset) && e.Round >= w.rounds[e.Offset] {
		w.fail("dead letter of %s after its effect", id(e.Offset, e.Round))
	}
	w.letters = append(w.letters, e)
}

// ordered says whether a round has an order: what SkipKey redrives has none.
func (w *world) ordered(round int32) bool { return round == 0 || w.hold }

func (w *world) fail(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
	}
}

// name prints an event as a trace names it: offset and round.
type name struct {
	offset int64
	round  int32
}

func id(c int64, r int32) name { return name{c, r} }

func (n name) String() string { return fmt.Sprintf("%d/%d", n.offset, n.round) }

// finished checks a world in which nothing can go on by itself.
func (w *world) finished() {
	if int(w.com.Source) != len(w.keys) {
		w.fail("stuck: committed up to %d", w.com.Source)
		return
	}
	written := map[int64]bool{}
	for _, l := range w.letters {
		written[l.Offset] = true
	}
	for c := range int64(len(w.keys)) {
		switch done := slices.Contains(w.last, c); {
		case !done && !written[c]:
			w.fail("%d is lost", c)
		case !done && w.tool.redriven&(1<<c) != 0 && !w.letterOf(c, 1):
			w.fail("the redrive of %d is lost", c)
		case !done && w.hold:
			w.fail("%d is not run again after its release", c)
		}
	}
	for i, c := range w.last {
		for _, before := range w.last[:i] {
			if before > c && w.key(before) == w.key(c) && !written[before] && (w.hold || !w.redrive) {
				w.fail("the last effect of %d stands over that of %d", c, before)
			}
		}
	}
}

func (w *world) letterOf(c int64, round int32) bool {
	return slices.ContainsFunc(w.letters, func(l Event) bool { return l.Offset == c && l.Round >= round })
}

// refold checks that a fold from what was committed knows all active keys as the owner does.
func (w *world) refold(o *owner) {
	f := NewFold(w.com.Park, w.com.Meta.AtLow)
	for i := w.com.Park; i < o.read; i++ {
		f.Apply(w.log[i], i)
	}
	if got, want := states(f), states(o.core.fold); got != want && w.without == 0 && w.repeated == 0 {
		w.fail("folded from %d with epoch %d: %q, the owner has %q", w.com.Park, w.com.Meta.AtLow, got, want)
	}
}

// knows checks that the owner is asked about every event of a key that it knows.
func (w *world) knows(o *owner) {
	for name := range o.core.fold.keys {
		if !o.core.Knows(name.Bytes(), int64(len(w.keys))) {
			w.fail("an event of key %s passes the owner by", name.name)
		}
	}
	for offset := range o.core.fold.entries {
		if !o.core.Knows(nil, offset) {
			w.fail("%d passes the owner by", offset)
		}
	}
	for place, n := range o.core.fold.sieve {
		if n < 0 || n > 0 && len(o.core.fold.keys) == 0 {
			w.fail("%d keys at place %d of the sieve, and none is known", n, place)
		}
	}
}

// clone copies a world.
func (w *world) clone() *world {
	n := *w
	n.log, n.letters, n.late, n.post, n.last = slices.Clone(w.log), slices.Clone(w.letters), slices.Clone(w.late), slices.Clone(w.post), slices.Clone(w.last)
	n.tool.staged, n.tool.released = slices.Clone(w.tool.staged), slices.Clone(w.tool.released)
	n.owners = make([]*owner, len(w.owners))
	for i, o := range w.owners {
		p := *o
		n.owners[i] = &p
		if p.flight = slices.Clone(o.flight); !o.alive {
			continue
		}
		p.core = o.core.clone()
		p.taken, p.shut = maps.Clone(o.taken), maps.Clone(o.shut)
		p.runs, p.dues, p.posts = slices.Clone(o.runs), slices.Clone(o.dues), slices.Clone(o.posts)
		p.writing, p.ready = slices.Clone(o.writing), slices.Clone(o.ready)
	}
	return &n
}

// clone copies a core with all that it points to.
func (c *Core) clone() *Core {
	n := *c
	f := *c.fold
	n.fold = &f
	n.out, n.waiting = nil, nil
	n.unread, n.hand = slices.Clone(c.unread), maps.Clone(c.hand)
	f.marks, f.trail = slices.Clone(f.marks), slices.Clone(f.trail)
	f.entries = make(map[int64]*entry, len(c.fold.entries))
	for o, e := range c.fold.entries {
		d := *e
		f.entries[o] = &d
	}
	f.keys = make(map[Key]*key, len(c.fold.keys))
	for name, k := range c.fold.keys {
		d := *k
		d.queue = make([]*entry, len(k.queue))
		for i, e := range k.queue {
			d.queue[i] = f.entries[e.offset]
		}
		d.own.open = slices.Clone(k.own.open)
		if k.hold != nil {
			h := *k.hold
			h.staged = slices.Clone(h.staged)
			d.hold = &h
		}
		f.keys[name] = &d
	}
	for _, k := range c.waiting {
		n.waiting = append(n.waiting, f.keys[k.name])
	}
	f.oldest, f.newest = nil, nil
	var prev *key
	for k := c.fold.oldest; k != nil; k = k.next {
		d := f.keys[k.name]
		d.prev, d.next = prev, nil
		if prev == nil {
			f.oldest = d
		} else {
			prev.next = d
		}
		prev, f.newest = d, d
	}
	return &n
}

// bytes is a world in a form in which equal worlds are equal.
func (w *world) bytes(b []byte) []byte {
	b = num(b, int64(len(w.log)))
	for _, r := range w.log[w.com.Park:] {
		b = record(b, r)
	}
	b = num(b, w.com.Source, w.com.Park, w.com.Meta.Claimed, w.com.Meta.AtLow, int64(w.inboxed), int64(w.tool.redriven))
	b = num(b, int64(w.above))
	b = num(b, int64(w.crashed), int64(w.moved), int64(w.failed), int64(w.gaveUp), int64(w.repeated), int64(w.refused), int64(len(w.owners)))
	b = events(b, w.letters)
	b = events(b, w.post)
	b = records(b, w.late)
	b = records(b, w.tool.staged)
	b = records(b, w.tool.released)
	b = num(append(num(b, int64(len(w.last))), fmt.Sprint(w.last, w.rounds)...), 0)
	for i, o := range w.owners {
		b = records(b, o.flight)
		if !o.alive {
			continue
		}
		b = num(b, int64(i), o.read, int64(o.settled), int64(o.offered), o.base, bit(o.torn))
		b = outcomes(b, o.writing)
		b = outcomes(b, o.ready)
		for k := byte('K'); k <= 'L'; k++ {
			b = num(b, int64(o.taken[k]), bit(o.shut[k]))
		}
		b = events(b, o.runs)
		b = events(b, o.dues)
		b = events(b, o.posts)
		b = o.core.bytes(b)
	}
	return b
}

func (c *Core) bytes(b []byte) []byte {
	b = num(b, int64(c.phase), c.srcCom, c.start.Epoch, int64(len(c.waiting)))
	b = records(b, c.unread)
	for _, o := range slices.Sorted(maps.Keys(c.hand)) {
		b = num(b, o, bit(c.hand[o]))
	}
	return c.fold.bytes(b)
}

// bytes is all of a fold, what it knows of finished events too.
func (f *Fold) bytes(b []byte) []byte {
	b = num(b, f.next, f.epoch, int64(f.covered), int64(len(f.trail)), int64(len(f.marks)), int64(f.active))
	for _, o := range slices.Sorted(maps.Keys(f.entries)) {
		e := f.entries[o]
		b = num(b, -1, o, e.at, e.decided, e.last, e.hold, int64(e.round), int64(e.state), bit(e.behind), bit(e.blocked), int64(e.going), bit(e.told))
	}
	names := slices.SortedFunc(maps.Keys(f.keys), func(a, b Key) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	for _, name := range names {
		k := f.keys[name]
		b = append(b, name.name...)
		b = k.bytes(b)
		o := k.own
		b = num(b, int64(len(o.open)), o.base, o.seen, o.run.offset, int64(o.run.round), bit(o.run.parked), o.due.offset, int64(o.due.round), bit(o.due.parked))
		b = num(b, o.open...)
		b = num(b, int64(o.unread), int64(o.parks), int64(o.blocks), int64(o.decisions), bit(o.known), bit(o.busy), bit(o.ripe), bit(o.waiting))
	}
	return b
}

// bytes is what the fold has of an active key.
func (k *key) bytes(b []byte) []byte {
	b = num(b, k.start, k.move.at, k.move.epoch, bit(k.torn), int64(k.dead), int64(len(k.queue)))
	for _, e := range k.queue {
		b = num(b, e.offset, int64(e.round))
	}
	if h := k.hold; h != nil {
		b = num(b, h.id, int64(h.count), h.first)
		for _, s := range h.staged {
			b = num(b, s.offset, int64(s.round), s.at)
		}
	}
	return b
}

func bit(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

func num(b []byte, ns ...int64) []byte {
	for _, n := range ns {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func record(b []byte, r Record) []byte {
	b = num(b, int64(r.Kind), r.Epoch, r.Offset, int64(r.Round), r.Hold, int64(r.Count), bit(r.Holds), bit(r.Behind))
	return append(b, r.Key.name...)
}

func records(b []byte, rs []Record) []byte {
	b = num(b, int64(len(rs)))
	for _, r := range rs {
		b = record(b, r)
	}
	return b
}

func events(b []byte, es []Event) []byte {
	b = num(b, int64(len(es)))
	for _, e := range es {
		b = num(b, e.Offset, int64(e.Round), e.At, e.Hold, bit(e.Parked), e.Decided)
	}
	return b
}
