package park

// Kind is what a record of a park partition says.
type Kind uint8

// The kinds. Owners of the partition write all but Redrive, Stage and Release, which are the redrive
// tool's.
const (
	Mark      Kind = iota + 1 // an owner begins; records of older owners behind it are void
	Park                      // an event waits here from now on; carries the event
	Dead                      // an event is given up; its dead letter is due
	Fin                       // an event is finished: it took effect, or its dead letter is written
	Redrive                   // a dead event is to run again, behind all others of its key; carries the event
	Stage                     // a dead event of a held key is to run again when the key is released; carries the event
	Release                   // a held key goes on: what is staged runs, in the order of its offsets
	MoveBegin                 // the queue of a key is written anew behind this record
	MoveEnd                   // it stands there whole
)

var kindNames = [...]string{
	Mark: "mark", Park: "park", Dead: "dead", Fin: "fin", Redrive: "redrive",
	Stage: "stage", Release: "release", MoveBegin: "move-begin", MoveEnd: "move-end",
}

// String is the kind's word on the wire.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Owned says whether owners write records of the kind: these carry an epoch.
func (k Kind) Owned() bool { return k != Redrive && k != Stage && k != Release }

// Carries says whether a record of the kind carries the event itself: its value, and its headers
// before the one of [HeaderPark].
func (k Kind) Carries() bool { return k == Park || k == Redrive || k == Stage }

// event says whether a record of the kind is about one event.
func (k Kind) event() bool { return k.Carries() || k == Dead || k == Fin }

// Key is what the events of a partition are ordered by. Keys are comparable.
type Key struct {
	name string
	lone int64 // offset+1 of an event without a key, which is a key of its own
}

// KeyOf is the key of the event at a source offset: its record's key, or, where that is null, the
// event alone, for such events have no order.
func KeyOf(key []byte, offset int64) Key {
	if key == nil {
		return Key{lone: offset + 1}
	}
	return Key{name: string(key)}
}

// Bytes is the record's key; nil where that is null.
func (k Key) Bytes() []byte {
	if k.lone != 0 {
		return nil
	}
	return []byte(k.name)
}

// Past is what an event that waits remembers over a restart. The core hands it through and never
// looks at it.
type Past struct {
	Attempts int32 // of the handler, counted
	First    int64 // first failure, Unix milliseconds; 0: it has not failed
	Last     int64 // last failure, likewise
}

// Record is what a record of a park partition says; what it carries of the event is not part of it.
// A field that the kind has no use for is zero.
type Record struct {
	Kind   Kind
	Epoch  int64  // the owner's, from 1 on; 0 in the tool's records
	Key    Key    // all but Mark
	Offset int64  // of the event in the source partition
	Round  int32  // how often the event was redriven: 0 at first
	Hold   int64  // Dead: the hold that blocks the event, 0 for none; Stage, Release: the hold
	Count  int    // Release: dead letters that the hold must have, or the release is refused
	Holds  bool   // Dead: the key is held from here on, if it is not yet; the hold's number is this record's offset
	Behind bool   // Park: the event stands behind all others of its key (a moved Redrive)
	Past   Past   // Park, Dead, Redrive, Stage
	Reason string // Dead: a word; the story stands in headers of the caller's
}

// Blocked is the reason of a Dead whose event did not fail itself: its key is held, or full.
const Blocked = "blocked"
