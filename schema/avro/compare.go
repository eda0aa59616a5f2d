package avro

import (
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat/schema"
)

// maxPairs is how many pairs of types one comparison looks at.
const maxPairs = 1 << 19

// Compare holds the reader's schema against the writer's by the rules of Java's SchemaCompatibility,
// and so does a registry. Each finding is told once, in the order in which Java finds it.
func (language) Compare(reader, writer schema.Schema, _ schema.Policy) []schema.Difference {
	r, okR := reader.(*Schema)
	w, okW := writer.(*Schema)
	if !okR || !okW {
		return []schema.Difference{otherLanguage(reader.Type(), writer.Type())}
	}
	c := &checker{memo: map[[2]*node]*result{}, left: maxPairs}
	found := c.look(r.root, w.root)
	if c.fault != nil {
		return []schema.Difference{*c.fault}
	}
	l := lister{told: map[schema.Difference]bool{}, seen: map[*result]bool{}}
	l.list(found)
	return l.all
}

// checker judges pairs of a reader's and a writer's type.
type checker struct {
	memo  map[[2]*node]*result
	path  *step
	left  int
	fault *schema.Difference // the comparison can't go on
}

// result is the judgement of one pair: its own differences and those of pairs inside of it, in order.
// A pair that is met again has the judgement it had, so that its parts are kept as they are and not
// copied: types that use each other twice would double them at each level.
type result struct {
	open  bool // not finished: the pair is inside of itself
	bad   bool
	parts []part
}

// part is a difference, not put into words yet, or those of another pair.
type part struct {
	path *step
	tell words
	of   *result
}

// step is a place: the last step of the way there.
type step struct {
	up   *step
	name string
}

// String is the place as Java tells it: the root is "/".
func (s *step) String() string {
	var names []string
	for ; s != nil; s = s.up {
		names = append(names, s.name)
	}
	slices.Reverse(names)
	return "/" + strings.TrimPrefix(pointer(names), "/")
}

func (res *result) add(at *step, tell words) {
	res.bad = true
	res.parts = append(res.parts, part{path: at, tell: tell})
}

func (res *result) take(inner *result) {
	if inner.bad {
		res.bad = true
		res.parts = append(res.parts, part{of: inner})
	}
}

var compatible = &result{}

// at judges a pair one step further in.
func (c *checker) at(name string, r, w *node) *result {
	before := c.path
	c.path = &step{before, name}
	res := c.look(r, w)
	c.path = before
	return res
}

// apart judges a pair whose differences are not told. Java begins the path anew there, and keeps
// that path for when the pair is met again.
func (c *checker) apart(r, w *node) *result {
	path := c.path
	c.path = nil
	res := c.look(r, w)
	c.path = path
	return res
}

func (c *checker) look(r, w *node) *result {
	if c.left--; c.left < 0 && c.fault == nil {
		d := tooLarge()
		c.fault = &d
	}
	if c.fault != nil {
		return compatible
	}
	if r.kind.primitive() && w.kind.primitive() {
		res := &result{}
		c.primitives(res, r, w)
		return res
	}
	pair := [2]*node{r, w}
	if res := c.memo[pair]; res != nil {
		if res.open {
			return compatible // unless something else shows otherwise
		}
		return res
	}
	res := &result{open: true}
	c.memo[pair] = res
	c.judge(res, r, w)
	res.open = false
	return res
}

func (c *checker) judge(res *result, r, w *node) {
	switch {
	case r.kind == kindUnion && w.kind == kindUnion:
		for i, branch := range w.branches {
			if c.apart(r, branch).bad {
				res.add(&step{c.path, strconv.Itoa(i)}, missingBranch(branch))
			}
		}
	case w.kind == kindUnion:
		for i, branch := range w.branches {
			res.take(c.at(strconv.Itoa(i), r, branch))
		}
	case r.kind == kindUnion:
		for _, branch := range r.branches {
			if !c.apart(branch, w).bad {
				return
			}
		}
		res.add(c.path, missingBranch(w))
	case r.kind != w.kind:
		res.add(c.path, typeMismatch(r, w))
	case r.kind == kindArray:
		res.take(c.at("items", r.elem, w.elem))
	case r.kind == kindMap:
		res.take(c.at("values", r.elem, w.elem))
	default:
		c.named(res, r, w)
	}
}

// promotions are the types that a reader's type reads besides its own.
var promotions = map[kind][]kind{
	kindLong:   {kindInt},
	kindFloat:  {kindInt, kindLong},
	kindDouble: {kindInt, kindLong, kindFloat},
	kindBytes:  {kindString},
	kindString: {kindBytes},
}

func (c *checker) primitives(res *result, r, w *node) {
	if r.kind != w.kind && !slices.Contains(promotions[r.kind], w.kind) {
		res.add(c.path, typeMismatch(r, w))
	}
}

func (c *checker) named(res *result, r, w *node) {
	if r.name.base != w.name.base && !slices.Contains(r.aliasNames(), w.name.full()) {
		res.add(&step{c.path, "name"}, nameMismatch(r, w))
	}
	switch r.kind {
	case kindFixed:
		if r.size != w.size {
			res.add(&step{c.path, "size"}, sizeMismatch(r, w))
		}
	case kindEnum:
		if missing := missingSymbols(r, w); len(missing) > 0 && r.symbol == "" {
			res.add(&step{c.path, "symbols"}, symbolsMissing(missing))
		}
	case kindRecord:
		c.fields(res, r, w)
	}
}

// missingSymbols are those of the writer that the reader does not have, sorted.
func missingSymbols(r, w *node) []string {
	has := make(map[string]bool, len(r.symbols))
	for _, s := range r.symbols {
		has[s] = true
	}
	var missing []string
	for _, s := range w.symbols {
		if !has[s] {
			missing = append(missing, s)
		}
	}
	slices.Sort(missing)
	return missing
}

func (c *checker) fields(res *result, r, w *node) {
	record := c.path
	for i, f := range r.fields {
		c.path = &step{&step{record, "fields"}, strconv.Itoa(i)}
		from, several := writerField(f, w)
		switch {
		case several:
			if c.fault == nil {
				d := severalFields(f, i, w)(c.path.String())
				c.fault = &d
			}
		case from != nil:
			res.take(c.at("type", f.typ, from.typ))
		case f.fallback != nil:
		case f.typ.kind == kindEnum && f.typ.symbol != "":
			// The default of an enum is none of the field: Java then holds the enum against the record.
			res.take(c.at("type", f.typ, w))
		default:
			res.add(c.path, defaultMissing(f))
		}
	}
	c.path = record
}

// writerField finds the writer's field for one of the reader's, by its name and its aliases.
func writerField(f *field, w *node) (found *field, several bool) {
	found = w.byName[f.name]
	for _, alias := range f.aliases {
		if g := w.byName[alias]; g != nil {
			several = found != nil
			found = g
			if several {
				return
			}
		}
	}
	return found, false
}

// lister lays the parts of a result out in a row, each once.
type lister struct {
	all  []schema.Difference
	told map[schema.Difference]bool
	seen map[*result]bool
}

func (l *lister) list(res *result) {
	if l.seen[res] {
		return
	}
	l.seen[res] = true
	for _, p := range res.parts {
		if p.of != nil {
			l.list(p.of)
		} else if d := p.tell(p.path.String()); !l.told[d] {
			l.told[d] = true
			l.all = append(l.all, d)
		}
	}
}
