package park

import (
	"fmt"
	"strings"
	"testing"
)

// bench is a core whose marker was read, with a log that takes what it appends at once.
type bench struct {
	t    *testing.T
	core *Core
	log  []Record
	said []string
}

func begin(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t, core: New(cfg, Start{Epoch: 1})}
	b.do(b.core.Open())
	return b
}

// do carries out effects until nothing more comes of them, and notes those that are the shell's.
func (b *bench) do(effects []Effect) {
	read := len(b.log)
	for _, e := range effects {
		switch e.Do {
		case Append:
			b.log = append(b.log, e.Record)
		case Begin:
			defer func() { b.do(b.core.Begin()) }()
		default:
			b.said = append(b.said, fmt.Sprintf("%s %d", e.Do, e.Event.Offset))
		}
	}
	for ; read < len(b.log); read++ {
		b.do(b.core.Apply(b.log[read], int64(read)))
	}
}

func (b *bench) park(c int64) {
	b.do(b.core.Source(keyOf(c), c))
	b.do(b.core.Result(Event{Key: keyOf(c), Offset: c}, Retry, Past{Attempts: 1}, ""))
}

func (b *bench) commit(src int64) {
	if m, more := b.core.Commit(src); more {
		b.do(b.core.Committed(m))
	}
}

// expect looks at what was said since the last time.
func (b *bench) expect(want ...string) {
	b.t.Helper()
	if got := strings.Join(b.said, ", "); got != strings.Join(want, ", ") {
		b.t.Errorf("effects %s, want %s", got, strings.Join(want, ", "))
	}
	b.said = nil
}

func TestNewerMarkerEndsTheOwner(t *testing.T) {
	t.Parallel()
	b := begin(t, Config{})
	effects := b.core.Apply(rec(Mark, 4, 0, 0), 1)
	if len(effects) != 1 || effects[0].Do != Stop || effects[0].Record.Epoch != 4 {
		t.Fatalf("effects %+v", effects)
	}
	if !b.core.Over() || b.core.Source(keyOf(0), 0) != nil {
		t.Error("it goes on")
	}
	// The group was made anew and its metadata lost: its rightful owner goes above the old epoch.
	again := New(Config{}, Start{Epoch: effects[0].Record.Epoch + 1})
	for i, r := range []Record{rec(Mark, 1, 0, 0), rec(Mark, 4, 0, 0), again.Open()[0].Record} {
		effects = again.Apply(r, int64(i))
	}
	if len(effects) != 1 || effects[0].Do != Begin {
		t.Errorf("effects %+v", effects)
	}
}

func TestKeyAtItsBoundFillsThePartition(t *testing.T) {
	t.Parallel()
	b := begin(t, Config{MaxPerKey: 2})
	b.park(0)
	b.expect("run 0", "next 0", "settle 0", "due 0")
	if b.core.Full() {
		t.Error("full of one")
	}
	b.do(b.core.Source(keyOf(1), 1))
	b.do(b.core.Source(keyOf(2), 2)) // was in hand: it is parked over the bound
	b.expect("next 1", "settle 1", "next 2", "settle 2")
	if !b.core.Full() {
		t.Error("not full")
	}
	for c := range int64(2) {
		b.do(b.core.Attempt(keyOf(c), c, 0))
		b.do(b.core.Result(Event{Key: keyOf(c), Offset: c, Parked: true}, Done, Past{}, ""))
	}
	if b.core.Full() {
		t.Error("full for ever")
	}
}

func TestBlockKeySendsWhatComesForAFullKeyToTheDeadLetters(t *testing.T) {
	t.Parallel()
	b := begin(t, Config{MaxPerKey: 1, BlockKey: true})
	b.park(0)
	b.do(b.core.Source(keyOf(1), 1))
	b.do(b.core.Source(keyOf(2), 2))
	b.expect("run 0", "next 0", "settle 0", "due 0", "next 1", "letter 1", "next 2", "letter 2")
	b.do(b.core.LetterWritten(1, 0))
	b.do(b.core.LetterWritten(2, 0))
	b.expect("settle 1", "settle 2")
	b.do(b.core.Attempt(keyOf(0), 0, 0))
	b.expect("run 0") // the hold blocks what comes after 1, not what was before
	if got, want := picture(b.core.fold), "K from 1: 0/0@1 hold 2 of 2"; got != want || b.core.Full() {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestManyKeysFillThePartition(t *testing.T) {
	t.Parallel()
	b := begin(t, Config{MaxKeys: 2})
	b.park(0)
	if b.core.Full() {
		t.Error("full of one")
	}
	if b.park(9); !b.core.Full() {
		t.Error("not full")
	}
}

func TestOldestKeyMovesWhenARestartWouldReadTooMuch(t *testing.T) {
	t.Parallel()
	b := begin(t, Config{MaxScan: 30})
	b.park(9)
	for c := range int64(100) {
		key := KeyOf(fmt.Append(nil, c), c)
		b.do(b.core.Source(key, 10+c))
		b.do(b.core.Result(Event{Key: key, Offset: 10 + c}, GiveUp, Past{}, "permanent"))
		b.do(b.core.LetterWritten(10+c, 0))
		b.commit(10 + c)
		if scan := b.core.scan(); scan > 40 || len(b.core.fold.entries) > 40 {
			t.Fatalf("a restart reads %d records, %d events known", scan, len(b.core.fold.entries))
		}
	}
	m, _ := b.core.Commit(110)
	if got := picture(b.core.fold); m.Park < 180 || !strings.HasPrefix(got, "L from ") {
		t.Errorf("low water %d, %s", m.Park, got)
	}
}

func TestStateIsBoundedByWhatIsParked(t *testing.T) {
	t.Parallel()
	b := begin(t, Config{})
	for c := int64(10); c < 20_000; c++ {
		key := KeyOf(fmt.Append(nil, c%1000), c)
		b.do(b.core.Source(key, c))
		if c%100 > 0 {
			b.do(b.core.Result(Event{Key: key, Offset: c}, Done, Past{}, ""))
		} else {
			b.do(b.core.Result(Event{Key: key, Offset: c}, Retry, Past{}, ""))
			b.do(b.core.Attempt(key, c, 0))
			b.commit(c + 1)
			b.do(b.core.Result(Event{Key: key, Offset: c, Parked: true}, Done, Past{}, ""))
		}
		b.said = b.said[:0]
	}
	b.commit(20_000)
	f := b.core.fold
	if len(f.keys)+len(f.entries)+len(f.trail)+len(b.core.hand)+len(b.core.unread) > 0 || len(f.marks) > 2 {
		t.Errorf("%d keys, %d events, %d records, %d in hand, %d unread, %d epochs kept",
			len(f.keys), len(f.entries), len(f.trail), len(b.core.hand), len(b.core.unread), len(f.marks))
	}
}

// A healthy event in a partition where others are parked.
func BenchmarkHealthyEvent(b *testing.B) {
	core, _ := parked(10_000)
	keys := make([]Key, 1000)
	for i := range keys {
		keys[i] = KeyOf(fmt.Appendf(nil, "healthy-%d", i), 0)
	}
	c := int64(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		e := core.Source(keys[c%1000], c)[0].Event
		core.Result(e, Done, Past{}, "")
		c++
	}
}

// An event that is parked, runs and ends, with 10,000 other keys parked.
func BenchmarkParkedEvent(b *testing.B) {
	core, next := parked(10_000)
	c := int64(1 << 20)
	key := KeyOf([]byte("sick"), 0)
	b.ReportAllocs()
	for b.Loop() {
		e := core.Source(key, c)[0].Event
		r := core.Result(e, Retry, Past{}, "")[0].Record
		core.Apply(r, next)
		core.Attempt(key, c, 0)
		e.Parked = true
		m, _ := core.Commit(c + 1)
		core.Committed(m)
		r = core.Result(e, Done, Past{}, "")[0].Record
		core.Apply(r, next+1)
		next += 2
		c++
	}
}

// parked is a core with n parked keys.
func parked(n int64) (*Core, int64) {
	core := New(Config{MaxScan: 1 << 40}, Start{Epoch: 1})
	core.Open()
	core.Apply(Record{Kind: Mark, Epoch: 1}, 0)
	core.Begin()
	next := int64(1)
	for c := range n {
		key := KeyOf(fmt.Append(nil, c), c)
		core.Source(key, c)
		r := core.Result(Event{Key: key, Offset: c}, Retry, Past{}, "")[0].Record
		core.Apply(r, next)
		next++
	}
	return core, next
}
