package park

// Config is what an owner decides by. Zero values mean the defaults.
type Config struct {
	HoldKey   bool // the first dead event of a key holds it; else the key goes on
	MaxPerKey int  // parked events of one key, then the partition is Full; 0: 1000
	MaxKeys   int  // keys that are parked, due or held, then the partition is Full; 0: 10000
	MaxScan   int  // records a restart reads, about, then the oldest keys move to the tail; 0: 20000. Full at four times that
	MaxMove   int  // parked events of a key that still moves; 0: 100
	Atomic    bool // a record leaves in one transaction with all that was settled before it, or in a later one, and an heir knows what is settled above the source's offset: what the owner parked itself waits for no commit
	BlockKey  bool // at MaxPerKey and MaxKeys the partition is not Full, and what would be parked is dead: at MaxPerKey it holds its key
}

func (c Config) withDefaults() Config {
	set := func(n *int, to int) {
		if *n <= 0 {
			*n = to
		}
	}
	set(&c.MaxPerKey, 1000)
	set(&c.MaxKeys, 10000)
	set(&c.MaxScan, 20000)
	set(&c.MaxMove, 100)
	return c
}

// Start is where an owner begins.
type Start struct {
	Epoch  int64 // its own: Meta.Claimed of the last commit + 1, or above a marker that stopped it
	Park   int64 // committed offset of the park partition, or its first offset where there is none
	AtLow  int64 // Meta.AtLow of the last commit; 0 where there is none
	Source int64 // committed source offset, or the one from which the source is read where there is none
}

// Commit is one request that commits both partitions.
type Commit struct {
	Source int64 // committed offset of the source partition
	Park   int64 // and of the park partition
	Meta   Meta  // metadata of the latter
}

type phase uint8

const (
	reading phase = iota // up to our marker
	marked               // it was read; the fence in the database is being raised
	live
	over
)

// Core decides for the owner of one partition what may be done next. Its methods return effects in a
// slice that is valid until the next call. It is not safe for concurrent use.
type Core struct {
	fold    *Fold
	cfg     Config
	start   Start
	phase   phase
	srcCom  int64 // committed source offset
	last    Commit
	unread  []Record       // own records, appended and not read back
	hand    map[int64]bool // source events that the shell keeps; true: their lane has gone on
	waiting []*key         // wait for a commit
	full    int            // keys at MaxPerKey
	out     []Effect
}

// New is an owner that has claimed its epoch: it has committed [Core.Claim].
func New(cfg Config, start Start) *Core {
	return &Core{
		fold: NewFold(start.Park, start.AtLow), cfg: cfg.withDefaults(), start: start,
		srcCom: start.Source, hand: map[int64]bool{},
	}
}

// Claim is what the owner commits before anything else: the offsets as they are, and its epoch. The
// coordinator refuses it to an owner that is none any more.
func (c *Core) Claim() Commit {
	return Commit{Source: c.start.Source, Park: c.start.Park, Meta: Meta{Claimed: c.start.Epoch, AtLow: c.start.AtLow}}
}

// Open writes the marker. The park partition is to be read from Start.Park on, all of it given to
// Apply or Pass.
func (c *Core) Open() []Effect {
	c.out = append(c.out[:0], Effect{Do: Append, Record: Record{Kind: Mark, Epoch: c.start.Epoch}, Event: Event{At: -1}})
	return c.out
}

// Begin says that the fence is raised: work begins, and the source may be given to Source.
func (c *Core) Begin() []Effect {
	c.out = c.out[:0]
	if c.phase != marked {
		return nil
	}
	c.phase = live
	for _, k := range c.fold.sorted() {
		for _, e := range k.letters {
			c.letter(e)
		}
		c.step(k.key)
	}
	return c.out
}

// Pass goes over a place of the park partition that holds no record of ours.
func (c *Core) Pass(offset int64) { c.fold.Pass(offset) }

// Apply takes the record that was read at an offset of the park partition, our own ones too.
func (c *Core) Apply(r Record, offset int64) []Effect {
	c.out = c.out[:0]
	if c.phase == over || offset < c.fold.next {
		return nil
	}
	ours := r.Kind.Owned() && r.Epoch == c.start.Epoch
	if r.Kind == Mark && r.Epoch > c.start.Epoch {
		c.fold.Pass(offset)
		if c.fold.without.has(withoutReadBack) {
			return nil
		}
		c.phase = over
		return append(c.out, Effect{Do: Stop, Record: r})
	}
	if ours {
		c.readBack(r)
	}
	k, e, valid := c.fold.apply(r, offset)
	if r.Kind == Mark && ours && c.phase == reading {
		c.phase = marked
		c.emit(Begin, Event{At: -1})
	}
	if k == nil {
		return c.out
	}
	c.follow(k, e, r, valid, ours)
	c.step(k)
	c.fold.drop(k)
	return c.out
}

// follow tells the shell what a record did to the events in its hand.
func (c *Core) follow(k *key, e *entry, r Record, valid, ours bool) {
	if r.Kind == Release && valid {
		for _, e := range k.queue {
			c.settle(e)
		}
	}
	if e != nil {
		c.settle(e)
		c.letter(e)
		return
	}
	if _, held := c.hand[r.Offset]; r.Kind == Dead && ours && !valid && held {
		k.own.reopen(r.Offset) // its hold is over
	}
}

// settle ends a source event that the fold has, and lets its lane go on.
func (c *Core) settle(e *entry) {
	passed, held := c.hand[e.offset]
	if !held || e.state == 0 {
		return
	}
	ev := e.event()
	if e.state == dead {
		c.hand[e.offset] = true
	} else {
		delete(c.hand, e.offset)
		c.emit(Settle, ev)
	}
	if !passed {
		c.emit(Next, ev)
	}
}

// letter asks for the dead letter of an event, once, when the event is at hand.
func (c *Core) letter(e *entry) {
	if c.phase != live || e.state != dead || e.told {
		return
	}
	if _, held := c.hand[e.offset]; e.at < 0 && !held && e.offset >= c.start.Source {
		return
	}
	e.told = true
	c.emit(Letter, e.event())
}

// LetterWritten says that a dead letter stands in its topic.
func (c *Core) LetterWritten(offset int64, round int32) []Effect {
	c.out = c.out[:0]
	e := c.fold.entries[offset]
	if c.phase != live || e == nil || e.state != dead || e.round != round || e.going == round+1 {
		return nil
	}
	e.going = round + 1
	c.append(c.fold.key(e.key), Record{Kind: Fin, Offset: offset, Round: round}, -1)
	return c.out
}

// ProduceFailed says that a record could not be written, or that nobody knows: the core ends. What it
// had in flight may still land, so nothing is ever sent again under its epoch: a new core begins with
// the next one, from the committed offsets.
func (c *Core) ProduceFailed() { c.Close() }

// Close ends the core; the partition is revoked, or lost.
func (c *Core) Close() { c.phase = over }

// Over says whether the core has ended.
func (c *Core) Over() bool { return c.phase == over }

// Commit is what may be committed now that all source events below src are settled, and whether it
// is more than the last one that was.
func (c *Core) Commit(src int64) (Commit, bool) {
	if c.phase != live {
		return c.last, false
	}
	w := c.fold.low(src)
	at := c.fold.epochAt(w)
	switch {
	case c.fold.without.has(withoutEpochAtLow):
		at = 0
	case c.fold.without.has(withOwnEpochAtLow):
		at = c.start.Epoch
	}
	m := Commit{Source: src, Park: w, Meta: Meta{Claimed: c.start.Epoch, AtLow: at}}
	return m, m != c.last
}

// Committed says that the coordinator has accepted a commit. Parked events that waited for it may
// run, and old keys may move to the tail.
func (c *Core) Committed(m Commit) []Effect {
	c.out = c.out[:0]
	if c.phase != live {
		return nil
	}
	c.last = m
	c.srcCom = max(c.srcCom, m.Source)
	c.fold.forget(m.Park)
	waiting := c.waiting
	c.waiting = nil
	for _, k := range waiting {
		k.own.waiting = false
		c.step(k)
		c.fold.drop(k)
	}
	c.move()
	return c.out
}

func (c *Core) emit(do Act, e Event) { c.out = append(c.out, Effect{Do: do, Event: e}) }

// event is what the shell is told about an entry.
func (e *entry) event() Event {
	return Event{
		Key: e.key, Offset: e.offset, Round: e.round, Parked: e.state == queued || e.at >= 0, At: e.at,
		Decided: e.decided, Hold: e.hold, Blocked: e.blocked, Past: e.past,
	}
}
