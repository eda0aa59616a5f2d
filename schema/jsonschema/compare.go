package jsonschema

import (
	"maps"
	"math/big"
	"slices"
)

// compare tells what changed from old to new at this place; nil is a keyword that is not there.
func (s *scope) compare(old, new *shape) {
	switch {
	case old == nil && new == nil:
		return
	case old == nil:
		s.add(kindSchemaAdded)
		return
	case new == nil:
		s.add(kindSchemaRemoved)
		return
	}
	old, new = old.deref(), new.deref()
	s.rebase(s.pair(old, new, func(s *scope) { s.pairOf(old, new) }))
}

func (s *scope) pairOf(old, new *shape) {
	if s.alone(old, new) {
		return
	}
	if old.kind != new.kind {
		if old.kind != nothing && new.kind != anything && (!old.bytes || !new.bytes) {
			s.add(kindTypeChanged)
		}
		return
	}
	switch old.kind {
	case enumeration:
		s.sets("enum", old.values, new.values, enumExtended, enumNarrowed, enumChanged)
	case constant:
		if old.value != new.value {
			s.add(enumChanged, "const")
		}
	case negation:
		s.negation(old, new)
	case number:
		s.numbers(old, new)
	case text:
		s.texts(old, new)
	case object:
		s.objects(old, new)
	case array:
		s.arrays(old, new)
	case combined:
		s.combined(old, new)
	}
}

// alone tries a plain schema against the parts of a combined one.
func (s *scope) alone(old, new *shape) bool {
	try := func(old, new *shape, kind string) bool {
		t := s.sub()
		t.compare(old, new)
		if !t.can() {
			return false
		}
		s.take(t.found)
		if kind != "" {
			s.add(kind)
		}
		return true
	}
	switch {
	case old.kind != combined && new.kind == combined:
		if len(new.parts) == 1 {
			return try(old, new.parts[0], "")
		}
		if new.how == allOf {
			return false
		}
		return slices.ContainsFunc(new.parts, func(part *shape) bool { return try(old, part, sumExtended) })
	case old.kind == combined && new.kind != combined:
		if len(old.parts) == 1 {
			return try(old.parts[0], new, "")
		}
		return old.how == allOf && slices.ContainsFunc(old.parts, func(part *shape) bool { return try(part, new, productNarrowed) })
	}
	return false
}

// negation: what must not be may become less, not more.
func (s *scope) negation(old, new *shape) {
	s.in("not", func() {
		t := s.sub()
		t.compare(new.sub, old.sub)
		if t.can() {
			s.add(notNarrowed)
		} else {
			s.add(notExtended)
		}
	})
}

func (s *scope) sets(step string, old, new map[string]bool, extended, narrowed, changed string) {
	within := func(a, b map[string]bool) bool {
		for v := range a {
			if !b[v] {
				return false
			}
		}
		return true
	}
	switch more, fewer := within(old, new), within(new, old); {
	case more && fewer:
	case more:
		s.at(step, extended)
	case fewer:
		s.at(step, narrowed)
	default:
		s.at(step, changed)
	}
}

// at adds a finding one step down, or here.
func (s *scope) at(step, kind string) {
	if step == "" {
		s.add(kind)
		return
	}
	s.add(kind, step)
}

// limit compares a bound: NAME_ADDED, _REMOVED, _INCREASED, _DECREASED.
func (s *scope) limit(keyword, name string, old, new *big.Rat) {
	switch {
	case old == nil && new == nil:
	case old == nil:
		s.add(name+"_ADDED", keyword)
	case new == nil:
		s.add(name+"_REMOVED", keyword)
	case old.Cmp(new) < 0:
		s.add(name+"_INCREASED", keyword)
	case old.Cmp(new) > 0:
		s.add(name+"_DECREASED", keyword)
	}
}

func (s *scope) numbers(old, new *shape) {
	s.limit("maximum", "MAXIMUM", old.maximum, new.maximum)
	s.limit("minimum", "MINIMUM", old.minimum, new.minimum)
	s.limit("exclusiveMaximum", "EXCLUSIVE_MAXIMUM", old.below, new.below)
	s.limit("exclusiveMinimum", "EXCLUSIVE_MINIMUM", old.above, new.above)
	switch a, b := old.multipleOf, new.multipleOf; {
	case a == nil && b == nil:
	case a == nil:
		s.add("MULTIPLE_OF_ADDED", "multipleOf")
	case b == nil:
		s.add("MULTIPLE_OF_REMOVED", "multipleOf")
	case a.Cmp(b) == 0:
	case isMultiple(b, a):
		s.add("MULTIPLE_OF_EXPANDED", "multipleOf")
	case isMultiple(a, b):
		s.add("MULTIPLE_OF_REDUCED", "multipleOf")
	default:
		s.add("MULTIPLE_OF_CHANGED", "multipleOf")
	}
	if old.integer && !new.integer {
		s.add(typeExtended)
	} else if !old.integer && new.integer {
		s.add(typeNarrowed)
	}
}

// isMultiple says whether a is a whole number of times b, exactly.
func isMultiple(a, b *big.Rat) bool {
	return b.Sign() != 0 && new(big.Rat).Quo(a, b).IsInt()
}

func (s *scope) texts(old, new *shape) {
	s.limit("maxLength", "MAX_LENGTH", old.maxLength, new.maxLength)
	s.limit("minLength", "MIN_LENGTH", old.minLength, new.minLength)
	switch a, b := old.pattern, new.pattern; {
	case a == nil && b == nil:
	case a == nil:
		s.add("PATTERN_ADDED", "pattern")
	case b == nil:
		s.add("PATTERN_REMOVED", "pattern")
	case *a != *b:
		s.add("PATTERN_CHANGED", "pattern")
	}
}

// rest compares what may stand beside what is named.
func (s *scope) rest(step, name string, old, new *shape) {
	s.in(step, func() {
		switch {
		case old.closed != new.closed && new.closed:
			s.add(name + "_REMOVED")
		case old.closed != new.closed:
			s.add(name + "_ADDED")
		case old.more == nil && new.more != nil:
			s.add(name + "_NARROWED")
		case old.more != nil && new.more == nil:
			s.add(name + "_EXTENDED")
		default:
			s.compare(old.more, new.more)
		}
	})
}

// unevaluated compares what no keyword of the schema or its parts has looked at.
func (s *scope) unevaluated(step, name string, old, new *shape) {
	if old == nil && new == nil {
		return
	}
	is := func(x *shape, k shapeKind) bool { return x != nil && x.kind == k }
	s.in(step, func() {
		switch {
		case is(new, nothing) && !is(old, nothing):
			s.add(name + "_REMOVED")
		case is(old, nothing) && !is(new, nothing):
			s.add(name + "_ADDED")
		case new == nil:
			s.add(name + "_EXTENDED")
		case old == nil || is(old, anything) && !is(new, anything):
			s.add(name + "_NARROWED")
		case is(new, anything) && !is(old, anything):
			s.add(name + "_EXTENDED")
		default:
			s.compare(old, new)
		}
	})
}

// both are the names of two objects' members together.
func both[T any](a, b map[string]T) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]T{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
