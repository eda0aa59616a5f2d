package jsonschema

import (
	"slices"

	"github.com/leatdev/leat/schema"
)

// difference is one step from one schema to the next: what changed, and where.
type difference struct {
	kind string
	path string
	echo bool // of a circle: the same was found where the circle begins
}

// engine compares two schemas. It holds that a pair of schemas that is met again while it is being
// compared can be read; if that proves wrong it starts again and knows better, until nothing changes:
// the greatest set of pairs that can be read.
type engine struct {
	fine    map[string]bool // the kinds that readers can bear, by the policy
	memo    map[pair][]difference
	open    map[pair]bool // being compared further up
	assumed map[pair]bool // met again while open
	broken  map[pair]difference
	steps   int
	depth   int
	gaveUp  bool
}

type pair struct{ old, new *shape }

// compareShapes lists what changed from old to new.
func compareShapes(old, new *shape, policy schema.Policy) []difference {
	e := &engine{fine: bearable(policy), broken: map[pair]difference{}}
	for {
		e.memo, e.open, e.assumed = map[pair][]difference{}, map[pair]bool{}, map[pair]bool{}
		s := &scope{engine: e}
		s.compare(old, new)
		if e.gaveUp {
			return []difference{{kind: kindTooLarge, path: "#/"}}
		}
		if !e.learn() {
			return s.withoutEchoes()
		}
	}
}

// learn notes which assumptions were wrong.
func (e *engine) learn() bool {
	learned := false
	for p := range e.assumed {
		if _, known := e.broken[p]; known {
			continue
		}
		if i := slices.IndexFunc(e.memo[p], func(d difference) bool { return !e.fine[d.kind] }); i >= 0 {
			e.broken[p] = e.memo[p][i]
			learned = true
		}
	}
	return learned
}

// withoutEchoes leaves out what was said before.
func (s *scope) withoutEchoes() []difference {
	if slices.ContainsFunc(s.found, func(d difference) bool { return !d.echo && !s.fine[d.kind] }) {
		return slices.DeleteFunc(s.found, func(d difference) bool { return d.echo })
	}
	return s.found
}

// pair compares two schemas once, with paths from their own root.
func (e *engine) pair(old, new *shape, compare func(*scope)) []difference {
	p := pair{old, new}
	if found, ok := e.memo[p]; ok {
		return found
	}
	if e.open[p] {
		e.assumed[p] = true
		if d, ok := e.broken[p]; ok {
			d.echo = true
			return []difference{d}
		}
		return nil
	}
	if e.steps++; e.steps > maxSteps || e.depth > maxDeep {
		e.gaveUp = true
	}
	if e.gaveUp {
		return nil
	}
	e.open[p] = true
	e.depth++
	s := &scope{engine: e}
	compare(s)
	e.depth--
	delete(e.open, p)
	e.memo[p] = s.found
	return s.found
}

// scope is a place in the comparison and what was found there.
type scope struct {
	*engine
	path  []string
	found []difference
}

// sub is a scope at the same place whose findings may be thrown away.
func (s *scope) sub() *scope { return &scope{engine: s.engine, path: slices.Clone(s.path)} }

// in runs f one step further down.
func (s *scope) in(step string, f func()) {
	s.path = append(s.path, step)
	f()
	s.path = s.path[:len(s.path)-1]
}

func (s *scope) add(kind string, steps ...string) {
	s.keep(difference{kind: kind, path: joined(append(slices.Clone(s.path), steps...))})
}

// keep drops what is more than anybody reads; the first that breaks is always kept.
func (s *scope) keep(d difference) {
	if len(s.found) < maxFindings || !s.fine[d.kind] && s.can() {
		s.found = append(s.found, d)
	}
}

func (s *scope) take(found []difference) {
	for _, d := range found {
		s.keep(d)
	}
}

// rebase takes findings of a pair, whose paths begin there.
func (s *scope) rebase(found []difference) {
	here := joined(s.path)
	for _, d := range found {
		switch {
		case d.path == "#/":
			d.path = here
		case here != "#/":
			d.path = here + d.path[1:]
		}
		s.keep(d)
	}
}

// can says whether a reader of new reads all that was found.
func (s *scope) can() bool {
	return !slices.ContainsFunc(s.found, func(d difference) bool { return !s.fine[d.kind] })
}
