package jsonschema

import (
	"math/big"
	"regexp"
)

// kind is what a schema is in the normal form that compatibility is judged on: the one of the
// registries, which know a schema by the type that its keywords speak of.
type shapeKind int

const (
	anything shapeKind = iota // true, {} and whatever says nothing
	nothing                   // false
	reference
	enumeration
	constant
	negation
	number
	text
	boolean
	null
	object
	array
	combined
	conditional
)

// criterion says how the parts of a combined schema go together.
type criterion string

const (
	allOf criterion = "allOf"
	anyOf criterion = "anyOf"
	oneOf criterion = "oneOf"
)

// shape is a schema in normal form. Of the fields below the first group only those of its kind count.
type shape struct {
	kind       shapeKind
	key        string // equal for equal texts: parts that stand twice count once
	hasDefault bool
	bytes      bool // Kafka Connect holds it as bytes, whatever its JSON is
	loose      bool // told by its keywords, not by a type: they say nothing of other types
	synthetic  bool // an allOf that nobody wrote: keywords of several types side by side

	target *shape // reference
	sub    *shape // negation
	values map[string]bool
	value  string // constant

	integer                        bool
	minimum, maximum, above, below *big.Rat // above and below are the exclusive bounds
	multipleOf                     *big.Rat
	minLength, maxLength           *big.Rat
	pattern                        *string
	minItems, maxItems             *big.Rat
	minContains, maxContains       *big.Rat
	unique                         bool
	minProperties, maxProperties   *big.Rat
	each                           *shape   // array: all items
	tuple                          []*shape // array: items by place
	properties                     map[string]*shape
	required                       map[string]bool
	patterns                       []patternShape
	needs                          map[string]map[string]bool // dependencies on properties
	needsShape                     map[string]*shape          // dependencies on schemas
	more                           *shape                     // object, array: what is not named; nil: anything or, if closed, nothing
	closed                         bool
	unevaluated                    *shape
	how                            criterion // combined
	parts                          []*shape
}

type patternShape struct {
	expr  *regexp.Regexp
	shape *shape
}

// deref follows a reference; one that leads nowhere that was compiled says nothing.
func (s *shape) deref() *shape {
	for range maxDepth {
		if s == nil || s.kind != reference {
			return s
		}
		s = s.target
	}
	return &shape{}
}

// open says whether what the schema does not name may be there in any form.
func (s *shape) open() bool {
	return len(s.patterns) == 0 && s.more == nil && !s.closed && (s.unevaluated == nil || s.unevaluated.kind == anything)
}

// covering is the schema of what is not named in a partially open one, for a property by its name;
// nil in a closed one.
func (s *shape) covering(name string) *shape {
	for _, p := range s.patterns {
		if p.expr.MatchString(name) {
			return p.shape
		}
	}
	if s.more != nil {
		return s.more
	}
	if !s.closed && s.unevaluated != nil && s.unevaluated.kind != nothing && s.unevaluated.kind != anything {
		return s.unevaluated
	}
	return nil
}
