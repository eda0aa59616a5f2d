package park

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The events of these tests have the key K, but for event 9, which has L.
func keyOf(c int64) Key {
	if c == 9 {
		return KeyOf([]byte("L"), c)
	}
	return KeyOf([]byte("K"), c)
}

func rec(kind Kind, epoch, c int64, round int32) Record {
	r := Record{Kind: kind, Epoch: epoch, Key: keyOf(c), Offset: c, Round: round}
	if !kind.event() {
		r.Offset = 0
	}
	if kind == Mark {
		r.Key = Key{}
	}
	return r
}

func withHold(r Record, hold int64, count int) Record {
	r.Hold, r.Count = hold, count
	return r
}

func holding(r Record) Record { r.Holds = true; return r }

// picture is a fold in a few words.
func picture(f *Fold) string {
	var b strings.Builder
	for _, k := range f.Keys() {
		fmt.Fprintf(&b, "%s from %d:", k.Key.Bytes(), k.Start)
		for _, e := range k.Parked {
			fmt.Fprintf(&b, " %d/%d@%d", e.Offset, e.Round, e.At)
		}
		for _, e := range k.Dead {
			fmt.Fprintf(&b, " dead %d/%d", e.Offset, e.Round)
		}
		if h := k.Hold; h.ID != 0 {
			fmt.Fprintf(&b, " hold %d of %d", h.ID, h.Count)
			if h.Staged > 0 {
				fmt.Fprintf(&b, " staged %d", h.Staged)
			}
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// states is a fold in a few words, but for places: that a move's MoveBegin lies right
// before its first copy makes no difference.
func states(f *Fold) string {
	keys := strings.Split(starts.ReplaceAllString(picture(f), ""), "; ")
	slices.Sort(keys)
	return strings.Join(keys, "; ")
}

var starts = regexp.MustCompile(` from \d+|@\d+`)

func TestStateOfAKeyIsTheFoldOfItsRecords(t *testing.T) {
	t.Parallel()
	mark1, mark2 := rec(Mark, 1, 0, 0), rec(Mark, 2, 0, 0)
	dead0 := holding(rec(Dead, 1, 0, 0)) // begins hold 1, at offset 1
	blocked := withHold(rec(Dead, 1, 1, 0), 1, 0)
	stage0, stage1 := withHold(rec(Stage, 0, 0, 1), 1, 0), withHold(rec(Stage, 0, 1, 1), 1, 0)
	release := func(n int) Record { return withHold(rec(Release, 0, 0, 0), 1, n) }
	for name, c := range map[string]struct {
		log  []Record
		want string
	}{
		"parked":                             {[]Record{mark1, rec(Park, 1, 1, 0), rec(Park, 1, 0, 0)}, "K from 1: 0/0@2 1/0@1"},
		"done":                               {[]Record{mark1, rec(Park, 1, 0, 0), rec(Fin, 1, 0, 0)}, ""},
		"done before its turn":               {[]Record{mark1, rec(Park, 1, 0, 0), rec(Park, 1, 1, 0), rec(Fin, 1, 1, 0)}, "K from 1: 0/0@1 1/0@2"},
		"redriven, done before its turn":     {[]Record{mark1, rec(Dead, 1, 0, 0), rec(Park, 1, 1, 0), rec(Redrive, 0, 0, 1), rec(Fin, 1, 0, 1)}, "K from 1: 1/0@2"},
		"old owner's, late":                  {[]Record{mark1, mark2, rec(Park, 1, 0, 0)}, ""},
		"old marker after a newer":           {[]Record{mark2, mark1, rec(Park, 1, 0, 0), rec(Park, 2, 1, 0)}, "K from 3: 1/0@3"},
		"marker twice":                       {[]Record{mark1, rec(Park, 1, 0, 0), mark1, rec(Park, 1, 1, 0)}, "K from 1: 0/0@1 1/0@3"},
		"another key's event":                {[]Record{mark1, rec(Park, 1, 0, 0), {Kind: Fin, Epoch: 1, Key: keyOf(9), Offset: 0}}, "K from 1: 0/0@1"},
		"dead, skipped":                      {[]Record{mark1, rec(Park, 1, 0, 0), rec(Dead, 1, 0, 0), rec(Park, 1, 1, 0)}, "K from 1: 1/0@3 dead 0/0"},
		"redriven, behind":                   {[]Record{mark1, rec(Dead, 1, 0, 0), rec(Park, 1, 1, 0), rec(Redrive, 0, 0, 1)}, "K from 1: 1/0@2 0/1@3"},
		"redriven, old Fin":                  {[]Record{mark1, rec(Dead, 1, 0, 0), rec(Redrive, 0, 0, 1), rec(Fin, 1, 0, 0)}, "K from 1: 0/1@2"},
		"redriven twice":                     {[]Record{mark1, rec(Dead, 1, 0, 0), rec(Redrive, 0, 0, 1), rec(Fin, 1, 0, 1), rec(Redrive, 0, 0, 1)}, ""},
		"held":                               {[]Record{mark1, dead0, blocked}, "K from 1: dead 0/0 dead 1/0 hold 1 of 2"},
		"held, all letters written":          {[]Record{mark1, dead0, rec(Fin, 1, 0, 0)}, "K from 1: hold 1 of 1"},
		"released":                           {[]Record{mark1, dead0, blocked, rec(Fin, 1, 0, 0), rec(Fin, 1, 1, 0), stage1, stage0, release(2)}, "K from 1: 0/1@6 1/1@5"},
		"released before the blocked Dead":   {[]Record{mark1, dead0, stage0, release(1), blocked}, "K from 1: 0/1@2"},
		"release refused by a blocked Dead":  {[]Record{mark1, dead0, blocked, stage0, release(1)}, "K from 1: dead 0/0 dead 1/0 hold 1 of 2 staged 1"},
		"release with too many":              {[]Record{mark1, dead0, stage0, release(2)}, "K from 1: dead 0/0 hold 1 of 1 staged 1"},
		"stage of a hold that is over":       {[]Record{mark1, dead0, rec(Fin, 1, 0, 0), release(1), stage0}, ""},
		"second hold of the key":             {[]Record{mark1, dead0, stage0, release(1), holding(rec(Dead, 1, 0, 1)), stage0, release(1)}, "K from 1: dead 0/1 hold 4 of 1"},
		"moved":                              {[]Record{mark1, rec(Park, 1, 0, 0), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 0, 0), rec(MoveEnd, 1, 0, 0)}, "K from 2: 0/0@3"},
		"moved but for the end":              {[]Record{mark1, rec(Park, 1, 0, 0), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 0, 0)}, "K from 1: 0/0@3"},
		"moved, the end by another owner":    {[]Record{mark1, rec(Park, 1, 0, 0), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 0, 0), mark2, rec(MoveEnd, 2, 0, 0)}, "K from 1: 0/0@3"},
		"moved while an event ends":          {[]Record{mark1, rec(Park, 1, 0, 0), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 0, 0), rec(Fin, 1, 0, 0), rec(MoveEnd, 1, 0, 0)}, ""},
		"moved with a dead letter due":       {[]Record{mark1, rec(Dead, 1, 0, 0), rec(Park, 1, 1, 0), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 1, 0), rec(MoveEnd, 1, 0, 0)}, "K from 1: 1/0@4 dead 0/0"},
		"moved past a Redrive right before":  {[]Record{mark1, rec(Park, 1, 1, 0), rec(Redrive, 0, 0, 1), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 1, 0), rec(MoveEnd, 1, 0, 0)}, "K from 1: 1/0@4 0/1@2"},
		"moved with a Redrive in the middle": {[]Record{mark1, rec(Park, 1, 1, 0), rec(MoveBegin, 1, 0, 0), rec(Redrive, 0, 0, 1), rec(Park, 1, 1, 0), rec(MoveEnd, 1, 0, 0)}, "K from 2: 1/0@4 0/1@3"},
		"moved, all that is left of a round": {[]Record{mark1, rec(Fin, 1, 0, 0), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 0, 1), rec(MoveEnd, 1, 0, 0)}, "K from 3: 0/1@3"},
		"oldest first":                       {[]Record{mark1, rec(Park, 1, 0, 0), rec(Park, 1, 9, 0), rec(MoveBegin, 1, 0, 0), rec(Park, 1, 0, 0), rec(MoveEnd, 1, 0, 0)}, "L from 2: 9/0@2; K from 3: 0/0@4"},
	} {
		f := NewFold(0, 0)
		for i, r := range c.log {
			f.Apply(r, int64(i))
		}
		if got := picture(f); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// random is a record that may be anything.
func random(b [4]byte) Record {
	r := rec(Kind(b[0]%9)+1, 0, int64(b[1]%10), int32(b[1]>>4)%3)
	if r.Kind.Owned() {
		r.Epoch = 1 + int64(b[2]%3)
	}
	switch r.Kind {
	case Dead:
		if r.Hold = int64(b[3] % 16); r.Hold < 8 {
			r.Hold, r.Holds = 0, b[3]&16 > 0
		}
	case Stage, Release:
		r.Hold, r.Count = 1+int64(b[3]%16), int(b[2]%4)
	}
	return r
}

// checkFold looks at whether a fold is in order.
func checkFold(t *testing.T, f *Fold) {
	t.Helper()
	active, due := 0, map[Key]int{}
	for _, e := range f.entries {
		if e.state == dead {
			due[e.key]++
		}
	}
	var before *key
	for k := f.oldest; k != nil; k = k.next {
		if k.prev != before || before != nil && before.start > k.start || !k.active() || k.dead != due[k.name] {
			t.Fatalf("key %s: start %d, active %v, %d dead of %d", k.name.name, k.start, k.active(), k.dead, due[k.name])
		}
		if !slices.IsSortedFunc(k.queue, f.order) {
			t.Fatalf("key %s: queue not in order", k.name.name)
		}
		for _, e := range k.queue {
			if e.state != queued || f.entries[e.offset] != e || e.at < k.start {
				t.Fatalf("key %s: %+v in the queue, start %d", k.name.name, e, k.start)
			}
		}
		before = k
		active++
	}
	if f.newest != before || f.active != active || len(f.keys) != active {
		t.Fatalf("%d active, %d linked, %d keys", f.active, active, len(f.keys))
	}
}

// walkFold applies a random log, with void records and repeats put in between, which change nothing.
func walkFold(t *testing.T, data []byte) {
	f := NewFold(0, 0)
	next := func(r Record) { f.Apply(r, f.Next()) }
	for ; len(data) >= 4; data = data[4:] {
		r := random([4]byte(data))
		next(r)
		checkFold(t, f)
		want := picture(f)
		for _, same := range []Record{r, r, {Kind: Park, Epoch: f.epoch - 1, Key: r.Key, Offset: r.Offset}, {Kind: Mark, Epoch: f.epoch - 1}} {
			if same.Kind.Owned() && same.Epoch < 1 || same.Kind == Park && same.Epoch == r.Epoch {
				continue
			}
			next(same)
			checkFold(t, f)
			if got := picture(f); got != want {
				t.Fatalf("%+v after %+v made %q of %q", same, r, got, want)
			}
		}
	}
}

func TestVoidRecordsAndRepeatsChangeNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		data := make([]byte, 4*60)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		walkFold(t, data)
	}
}

func FuzzFold(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 16, 6, 0, 1, 2})
	f.Fuzz(walkFold)
}
