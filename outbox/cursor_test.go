package outbox

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whatever leaves in whatever order, the cursor says of exactly that that it has left, and of what lies
// at or below the floor.
func TestTheCursorSaysWhatHasLeft(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		var c cursor
		left, floor := map[int64]bool{}, int64(0)
		for range 30 {
			var rows ids
			for id := floor + 1; id < floor+40; id++ {
				if !left[id] && r.IntN(3) > 0 {
					rows = rows.add(id)
					left[id] = true
				}
			}
			for r.IntN(4) > 0 && left[floor+1] {
				floor++
			}
			if r.IntN(5) == 0 { // what was no row
				floor++
				left[floor] = true
			}
			before, was := c, c.above.String()
			c = c.with(rows, floor)
			if before.above.String() != was {
				t.Fatalf("seed %d: the cursor before has changed", seed)
			}
			if c.number != before.number+1 {
				t.Fatalf("seed %d: change %d comes after %d", seed, c.number, before.number)
			}
			again, err := parseIDs(c.above.String())
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for id := int64(1); id < floor+50; id++ {
				if says := id <= c.upto || again.has(id); says != left[id] {
					t.Fatalf("seed %d: of %d it says %v, upto %d above %v", seed, id, says, c.upto, c.above)
				}
			}
		}
	}
	if got, want := (ids{{1, 3}, {5, 5}}).multirange(), "{[1,3],[5,5]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c := (cursor{upto: 7}).with(nil, 3); c.upto != 7 {
		t.Errorf("the cursor goes back to %d", c.upto)
	}
}

func TestWhichPartitionsAreMissing(t *testing.T) {
	t.Parallel()
	const hour = int64(time.Hour / time.Microsecond)
	at := func(h float64) int64 { return 400_000*hour + int64(h*float64(hour)) }
	part := func(from, to float64) partition { return partition{from: at(from), to: at(to)} }
	for name, c := range map[string]struct {
		s    partitions
		want []partition
	}{
		"none":                       {partitions{now: at(0.5)}, []partition{part(1, 2), part(2, 3), part(3, 4)}},
		"the next begins at once":    {partitions{now: at(0.999)}, []partition{part(2, 3), part(3, 4)}},
		"rows lie in this one's":     {partitions{now: at(0.5), rest: at(0.2)}, []partition{part(1, 2), part(2, 3), part(3, 4)}},
		"rows lie in an old one's":   {partitions{now: at(0.5), rest: at(-9)}, []partition{part(1, 2), part(2, 3), part(3, 4)}},
		"one more":                   {partitions{now: at(1.5), all: []partition{part(0, 1), part(1, 4)}}, []partition{part(4, 5)}},
		"all there":                  {partitions{now: at(0.9), all: []partition{part(0, 1), part(1, 4)}}, nil},
		"none for long":              {partitions{now: at(9.5), all: []partition{part(0, 1)}, rest: at(9.1)}, []partition{part(10, 11), part(11, 12), part(12, 13)}},
		"the last had other periods": {partitions{now: at(1.5), all: []partition{part(0, 2.5)}}, []partition{part(2.5, 3), part(3, 4), part(4, 5)}},
		"the last ends at once":      {partitions{now: at(0.999), all: []partition{part(0, 1)}}, []partition{part(2, 3), part(3, 4)}},
		"a row of the future":        {partitions{now: at(0.5), rest: at(1.2)}, []partition{part(2, 3), part(3, 4)}},
	} {
		got := c.s.missing(hour)
		for i := range got {
			if got[i].name == "" || i > 0 && got[i].name == got[i-1].name {
				t.Errorf("%s: names %v", name, got)
			}
			got[i].name = ""
		}
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(partition{})); d != "" {
			t.Errorf("%s: want(-) got(+)\n%s", name, d)
		}
	}
}
