package park

import (
	"flag"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var (
	statesFlag = flag.Int("park.states", 0, "states that each configuration of the model checker may have; 0: few enough for every day")
	walksFlag  = flag.Int("park.walks", 0, "random walks per configuration; 0: few enough for every day")
)

// visit is a state that the checker has come to, and by which choice.
type visit struct{ from, choice int32 }

// checker looks at every state of a world, the nearest first.
type checker struct {
	seed1, seed2 maphash.Seed
	seen         map[[2]uint64]struct{}
	visits       []visit
	buf          []byte
	setup        *setup
}

// search goes through the states of a setup, at most limit. It returns the shortest trace to a fault,
// if there is one, and whether it has seen all states.
func search(s *setup, limit int) (fault string, trace []string, states int, complete bool) {
	c := &checker{seed1: maphash.MakeSeed(), seed2: maphash.MakeSeed(), seen: map[[2]uint64]struct{}{}, setup: s}
	type item struct {
		w  *world
		at int
	}
	frontier := []item{{newWorld(s), c.visit(-1, 0)}}
	for len(frontier) > 0 {
		var next []item
		for _, it := range frontier {
			choices := it.w.choices()
			stuck := true
			for _, ch := range choices {
				stuck = stuck && !ch.needed
			}
			if stuck {
				if it.w.finished(); it.w.fault != "" {
					return it.w.fault, c.trace(it.at), len(c.seen), false
				}
			}
			for i, ch := range choices {
				w := it.w.clone()
				ch.do(w)
				if w.fault != "" {
					return w.fault, append(c.trace(it.at), ch.what()), len(c.seen), false
				}
				if !c.fresh(w) {
					continue
				}
				next = append(next, item{w, c.visit(it.at, i)})
			}
			if len(c.seen) >= limit {
				return "", nil, len(c.seen), false
			}
		}
		frontier = next
	}
	return "", nil, len(c.seen), true
}

func (c *checker) fresh(w *world) bool {
	c.buf = w.bytes(c.buf[:0])
	h := [2]uint64{maphash.Bytes(c.seed1, c.buf), maphash.Bytes(c.seed2, c.buf)}
	if _, known := c.seen[h]; known {
		return false
	}
	c.seen[h] = struct{}{}
	return true
}

func (c *checker) visit(from, choice int) int {
	c.visits = append(c.visits, visit{int32(from), int32(choice)})
	return len(c.visits) - 1
}

// trace goes the way to a visit once more and names its steps.
func (c *checker) trace(at int) []string {
	var way []int32
	for ; at > 0; at = int(c.visits[at].from) {
		way = append(way, c.visits[at].choice)
	}
	w := newWorld(c.setup)
	trace := slices.Clone(c.setup.after)
	for _, i := range slices.Backward(way) {
		ch := w.choices()[i]
		trace = append(trace, ch.what())
		ch.do(w)
	}
	return trace
}

// limit is how many states a configuration may have.
func limit() int {
	switch {
	case *statesFlag > 0:
		return *statesFlag
	case testing.Short():
		return 4_000
	}
	return 20_000
}

// configurations are worlds that have to hold.
var configurations = map[string]setup{
	"plain, 3 events":              {keys: "KKK", owners: 2, crashes: 1, failures: 2},
	"plain, two keys":              {keys: "KLK", owners: 2, crashes: 1, failures: 1},
	"plain, 2 events":              {keys: "KK", owners: 2, crashes: 1, failures: 1},
	"plain, old owner alive":       {keys: "KK", owners: 2, moves: 1, failures: 2, zombies: idle},
	"plain, 3 owners":              {keys: "KK", owners: 3, crashes: 2, failures: 1},
	"inbox, 3 events":              {keys: "KKK", owners: 2, crashes: 1, failures: 2, inbox: true},
	"no crash":                     {keys: "KKK", owners: 1, failures: 3},
	"redrive":                      {keys: "KK", owners: 2, crashes: 1, failures: 1, redrive: true},
	"redrive, inbox, tool repeats": {keys: "KK", owners: 2, crashes: 1, failures: 1, redrive: true, repeats: 1, inbox: true},
	"hold and release":             {keys: "KK", owners: 2, crashes: 1, failures: 1, hold: true},
	"hold and release, no crash":   {keys: "KKK", owners: 1, failures: 2, hold: true},
	"hold, inbox":                  {keys: "KK", owners: 2, crashes: 1, failures: 2, hold: true, inbox: true},
	"move to the tail":             {keys: "KK", owners: 2, crashes: 1, failures: 1, scan: 1},
	"move to the tail, two keys":   {keys: "KLK", owners: 2, crashes: 1, failures: 1, scan: 2},
	"move and redrive":             {keys: "KK", owners: 2, crashes: 1, failures: 1, scan: 1, redrive: true},
	"produce given up":             {keys: "KK", owners: 3, crashes: 1, produce: 1, failures: 1},
	"refused":                      {keys: "KK", owners: 2, refusals: 1, failures: 1},
	"refused, 3 events":            {keys: "KKK", owners: 2, refusals: 1, failures: 2},
	"refused, two keys":            {keys: "KLK", owners: 3, crashes: 1, refusals: 1, failures: 1},
	"refused, inbox":               {keys: "KK", owners: 3, crashes: 1, refusals: 1, failures: 2, inbox: true},
	"refused, hold":                {keys: "KK", owners: 2, refusals: 1, failures: 2, hold: true},
	"refused, redrive":             {keys: "KK", owners: 2, refusals: 1, failures: 1, redrive: true},
	"refused, move":                {keys: "KK", owners: 2, refusals: 1, failures: 1, scan: 1},
	"transactions":                 {keys: "KK", owners: 2, crashes: 1, failures: 1, txn: true},
	"transactions, two keys":       {keys: "KLK", owners: 2, crashes: 1, failures: 2, txn: true},
	"transactions, old owner":      {keys: "KK", owners: 2, moves: 1, failures: 1, txn: true, zombies: running},
	"transactions, hold":           {keys: "KK", owners: 2, crashes: 1, failures: 1, txn: true, hold: true},
	"transactions, redrive":        {keys: "KK", owners: 2, crashes: 1, failures: 1, txn: true, redrive: true},
}

func TestEveryInterleavingKeepsOrderAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, s := range configurations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault, trace, states, complete := search(&s, limit())
			if fault != "" {
				t.Fatalf("%s, after %d states:\n%s", fault, states, strings.Join(trace, "\n"))
			}
			t.Logf("%d states, all of them: %v", states, complete)
		})
	}
}

// walk goes one random way through a world to its end.
func walk(s *setup, seed uint64) (fault string, trace []string) {
	var way []choice
	defer func() {
		for _, ch := range way {
			if fault != "" {
				trace = append(trace, ch.what())
			}
		}
	}()
	r := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(s)
	for {
		choices := w.choices()
		stuck := true
		for _, ch := range choices {
			stuck = stuck && !ch.needed
		}
		if stuck {
			if w.finished(); w.fault != "" {
				return w.fault, nil
			}
		}
		if len(choices) == 0 {
			return "", nil
		}
		ch := choices[r.IntN(len(choices))]
		way = append(way, ch)
		if ch.do(w); w.fault != "" {
			return w.fault, nil
		}
	}
}

// journeys are worlds too large to see whole.
var journeys = map[string]setup{
	"plain":         {keys: "KLKKL", owners: 3, crashes: 2, failures: 3},
	"moves":         {keys: "KLKKL", owners: 3, crashes: 1, moves: 1, failures: 3, scan: 2, zombies: idle},
	"hold":          {keys: "KLKKL", owners: 3, crashes: 2, failures: 3, hold: true},
	"hold, move":    {keys: "KKLKK", owners: 3, crashes: 2, failures: 3, hold: true, scan: 2},
	"hold, inbox":   {keys: "KLKKL", owners: 3, crashes: 1, moves: 1, failures: 3, hold: true, inbox: true, zombies: idle},
	"redrive":       {keys: "KLKKL", owners: 3, crashes: 2, failures: 3, redrive: true, scan: 2},
	"tool repeats":  {keys: "KLKKL", owners: 3, crashes: 2, failures: 3, redrive: true, repeats: 2, inbox: true, scan: 2},
	"produce fails": {keys: "KLKKL", owners: 3, crashes: 1, produce: 1, failures: 3, scan: 2},
	"refused":       {keys: "KLKKL", owners: 4, crashes: 1, refusals: 2, failures: 3, scan: 2},
	"refused, hold": {keys: "KLKKL", owners: 4, crashes: 1, refusals: 2, failures: 3, hold: true},
	"transactions":  {keys: "KLKKL", owners: 3, crashes: 1, moves: 1, failures: 3, scan: 2, txn: true, zombies: running},
	"txn, hold":     {keys: "KLKKL", owners: 3, crashes: 2, failures: 3, hold: true, txn: true},
}

func TestRandomWaysKeepOrderAndLoseNothing(t *testing.T) {
	t.Parallel()
	walks := 1500
	switch {
	case *walksFlag > 0:
		walks = *walksFlag
	case testing.Short():
		walks = 200
	}
	for name, s := range journeys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(walks) {
				if fault, trace := walk(&s, seed); fault != "" {
					t.Fatalf("seed %d: %s:\n%s", seed, fault, strings.Join(trace, "\n"))
				}
			}
		})
	}
}
