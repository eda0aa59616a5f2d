package park

import "slices"

// own is what the owner of a partition has under way for a key.
type own struct {
	open      []int64 // source events offered and not decided, ascending
	base      int64   // if known: of the key's source events from here to seen each is decided, or open
	seen      int64   // greatest source offset offered
	run       attempt // the event whose handler runs
	due       attempt // the parked event that Due was told of
	unread    int     // own records not read back
	parks     int     // Parks among them
	blocks    int     // Deads of blocked events among them
	decisions int     // other Deads, and moves: nothing goes on before they are read back
	known     bool
	busy      bool
	ripe      bool // the time of due has come
	waiting   bool // in Core.waiting
	full      bool // counted in Core.full
}

type attempt struct {
	offset int64
	round  int32
	parked bool
}

func (o *own) idle() bool {
	return !o.busy && o.unread == 0 && len(o.open) == 0 && !o.full && !o.waiting
}

// reopen puts an offered event back among those that are not decided.
func (o *own) reopen(offset int64) {
	if i, found := slices.BinarySearch(o.open, offset); !found {
		o.open = slices.Insert(o.open, i, offset)
	}
}

// decided notes that an offered event goes into the fold.
func (o *own) decided(offset int64) {
	if !o.known {
		o.known, o.base = true, offset
	}
}

// Source offers the source event at an offset: it is the first of its key's lane. The answer may be
// to run it (Run), to go on with its lane (Next), to forget it (Settle); or nothing, until later.
func (c *Core) Source(name Key, offset int64) []Effect {
	c.out = c.out[:0]
	if c.phase == over {
		return nil
	}
	k := c.fold.key(name)
	o := &k.own
	o.seen = max(o.seen, offset)
	if e := c.fold.entries[offset]; e != nil && e.key == name && !c.fold.without.has(withoutDedupe) {
		o.decided(offset)
		c.hand[offset] = false
		c.settle(e)
		c.letter(e)
		c.step(k)
		c.fold.drop(k)
		return c.out
	}
	if c.phase == live && !k.active() && o.idle() {
		c.runDirect(k, offset)
		return c.out
	}
	c.hand[offset] = false
	o.reopen(offset)
	c.step(k)
	return c.out
}

// Attempt says that the time of the parked event that Due told of has come.
func (c *Core) Attempt(name Key, offset int64, round int32) []Effect {
	c.out = c.out[:0]
	k := c.fold.keys[name]
	if c.phase != live || k == nil || k.own.due != (attempt{offset, round, true}) {
		return nil
	}
	k.own.ripe = true
	c.step(k)
	return c.out
}

// Result tells how the attempt on an event that Run asked for has ended. past is what the event has
// behind it now; reason is the word of a GiveUp.
func (c *Core) Result(e Event, how Outcome, past Past, reason string) []Effect {
	c.out = c.out[:0]
	k := c.fold.keys[e.Key]
	if c.phase != live || k == nil || !k.own.busy || k.own.run != (attempt{e.Offset, e.Round, e.Parked}) {
		return nil
	}
	k.own.busy = false
	switch {
	case how == GiveUp:
		c.giveUp(k, e, Record{Past: past, Reason: reason, Holds: c.cfg.HoldKey})
	case e.Parked:
		c.parkedResult(k, e, how, past)
	case how == Done:
		passed := c.hand[e.Offset]
		delete(c.hand, e.Offset)
		c.emit(Settle, e)
		if !passed {
			c.emit(Next, e)
		}
	case c.cfg.BlockKey && c.fold.active >= c.cfg.MaxKeys:
		c.giveUp(k, e, Record{Past: past, Reason: Blocked, Holds: c.cfg.HoldKey})
	default:
		c.park(k, e.Offset, past)
	}
	c.step(k)
	c.fold.drop(k)
	return c.out
}

func (c *Core) parkedResult(k *key, e Event, how Outcome, past Past) {
	entry := c.fold.entries[e.Offset]
	current := entry != nil && entry.state == queued && entry.round == e.Round
	if how == Done {
		if current {
			entry.going = e.Round + 1
		}
		c.append(k, Record{Kind: Fin, Offset: e.Offset, Round: e.Round}, -1)
		return
	}
	if current {
		entry.past = past
	}
	k.own.due = attempt{}
}

// giveUp decides that an event is dead. Nothing of its key goes on before that is read back.
func (c *Core) giveUp(k *key, e Event, r Record) {
	if !e.Parked {
		if _, held := c.hand[e.Offset]; !held {
			c.hand[e.Offset] = false
		}
		k.own.decided(e.Offset)
	} else if entry := c.fold.entries[e.Offset]; entry != nil && entry.round == e.Round {
		entry.going = e.Round + 1
	}
	r.Kind, r.Offset, r.Round = Dead, e.Offset, e.Round
	c.append(k, r, -1)
	if c.fold.without.has(withoutWait) && !e.Parked {
		c.pass(k, e.Offset)
	}
}

// park parks a source event; its lane goes on.
func (c *Core) park(k *key, offset int64, past Past) {
	k.own.decided(offset)
	c.append(k, Record{Kind: Park, Offset: offset, Past: past}, -1)
	c.pass(k, offset)
}

// pass lets the lane of a source event in hand go on.
func (c *Core) pass(k *key, offset int64) {
	if !c.hand[offset] {
		c.hand[offset] = true
		c.emit(Next, Event{Key: k.name, Offset: offset, At: -1})
	}
}

// append writes a record of ours.
func (c *Core) append(k *key, r Record, at int64) {
	r.Epoch, r.Key = c.start.Epoch, k.name
	c.unread = append(c.unread, r)
	k.own.note(r, 1)
	c.out = append(c.out, Effect{Do: Append, Record: r, Event: Event{Key: k.name, Offset: r.Offset, Round: r.Round, At: at, Past: r.Past}})
}

// note counts a record of ours that is under way, or is not any more.
func (o *own) note(r Record, n int) {
	o.unread += n
	switch {
	case r.Kind == Park:
		o.parks += n
	case r.Kind == Dead && r.Hold != 0:
		o.blocks += n
	case r.Kind == Dead, r.Kind == MoveBegin, r.Kind == MoveEnd:
		o.decisions += n
	}
}

// readBack takes a record of ours off those that are under way. One that comes twice is not there the
// second time.
func (c *Core) readBack(r Record) {
	if len(c.unread) == 0 || c.unread[0] != r {
		return
	}
	c.unread = c.unread[1:]
	if k := c.fold.keys[r.Key]; k != nil {
		k.own.note(r, -1)
	}
	if e := c.fold.entries[r.Offset]; e != nil && (r.Kind == Fin || r.Kind == Dead) && e.going == r.Round+1 {
		e.going = 0
	}
}

// step does what may be done for a key now.
func (c *Core) step(k *key) {
	if c.phase != live {
		return
	}
	if k.own.decisions == 0 || c.fold.without.has(withoutWait) {
		c.takeOpen(k)
		c.takeHead(k)
	}
	o := &k.own
	if full := len(k.queue)+o.parks >= c.cfg.MaxPerKey; full != o.full {
		o.full = full
		if full {
			c.full++
		} else {
			c.full--
		}
	}
}

// takeOpen decides the source events that were offered.
func (c *Core) takeOpen(k *key) {
	o := &k.own
	for len(o.open) > 0 {
		s := o.open[0]
		switch {
		case c.blocks(k, s):
			c.block(k, s, 0)
		case len(k.queue) == 0 && o.parks == 0:
			wait := o.unread > 0
			if c.fold.without.has(withoutWait) {
				wait = o.unread > o.decisions
			}
			if !o.busy && !wait {
				o.open = o.open[1:]
				c.runDirect(k, s)
			}
			return
		case c.cfg.BlockKey && len(k.queue)+o.parks >= c.cfg.MaxPerKey:
			if o.decisions > 0 {
				return
			}
			o.open = o.open[1:]
			c.giveUp(k, Event{Key: k.name, Offset: s}, Record{Reason: Blocked, Holds: true})
			return
		default:
			c.park(k, s, Past{})
		}
		o.open = o.open[1:]
	}
}

// blocks says whether the key's hold keeps an event from running.
func (c *Core) blocks(k *key, offset int64) bool {
	return k.hold != nil && (offset > k.hold.first || c.fold.without.has(withoutLater) && offset != k.hold.first)
}

// block decides that an event is dead because its key is held.
func (c *Core) block(k *key, offset int64, round int32) {
	if _, source := c.hand[offset]; source {
		k.own.decided(offset)
		c.append(k, Record{Kind: Dead, Offset: offset, Round: round, Hold: k.hold.id, Reason: Blocked}, -1)
		c.pass(k, offset)
		return
	}
	c.append(k, Record{Kind: Dead, Offset: offset, Round: round, Hold: k.hold.id, Reason: Blocked}, -1)
}

func (c *Core) runDirect(k *key, offset int64) {
	k.own.busy, k.own.known = true, false
	k.own.run = attempt{offset, 0, false}
	c.emit(Run, Event{Key: k.name, Offset: offset, At: -1})
}

// takeHead runs the first parked event, or tells of it.
func (c *Core) takeHead(k *key) {
	o := &k.own
	if o.busy {
		return
	}
	e := k.head()
	for e != nil && c.blocks(k, e.offset) {
		e.going = e.round + 1
		c.block(k, e.offset, e.round)
		e = k.head()
	}
	if e == nil || o.blocks > 0 {
		return
	}
	id := attempt{e.offset, e.round, true}
	if o.due != id {
		o.due, o.ripe = id, false
		c.emit(Due, e.event())
	}
	if !o.ripe {
		return
	}
	if !c.followsAll(k, e) {
		if !o.waiting {
			o.waiting = true
			c.waiting = append(c.waiting, k)
		}
		return
	}
	o.busy, o.ripe, o.run, o.due = true, false, id, attempt{}
	c.emit(Run, e.event())
}

// head is the first parked event that is not on its way out.
func (k *key) head() *entry {
	for _, e := range k.queue {
		if e.going != e.round+1 {
			return e
		}
	}
	return nil
}

// followsAll says whether every earlier event of the key is in the fold or below the committed source
// offset. Otherwise: K0 takes effect, K2 is parked, crash; K2 would run from the park while K0 is
// read again at the source, and its effect would stand over that of K2.
func (c *Core) followsAll(k *key, e *entry) bool {
	o := &k.own
	return e.offset <= c.srcCom || c.fold.without.has(withoutCommitWait) ||
		o.known && (o.base <= c.srcCom || c.cfg.Atomic) && e.offset <= o.seen && o.parks == 0 && len(o.open) == 0
}
