package avro

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The words that the language itself uses. Whatever else stands in an object is kept as a property.
var (
	typeWords  = []string{"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}
	enumWords  = append(slices.Clone(typeWords), "default")
	fieldWords = []string{"default", "doc", "name", "order", "type", "aliases"}
)

func props(v *value, words []string) []member {
	var all []member
	for _, m := range v.members {
		if !slices.Contains(words, m.name) {
			all = append(all, m)
		}
	}
	return all
}

func optional(v *value) *string {
	if text, ok := v.str(); ok {
		return &text
	}
	return nil
}

// named begins a record, an enum or a fixed.
func (p *parser) named(k kind, v *value, space string) (*node, error) {
	text, ok := v.get("name").str()
	if !ok {
		return nil, p.fault(`the "name" of a %s must be there and be a string`, k)
	}
	if s, ok := v.get("namespace").str(); ok {
		space = s
	}
	n := &node{kind: k, name: split(text, space), doc: optional(v.get("doc"))}
	if err := validName(n.name.base); err != nil {
		return nil, p.fault("%s: %w", k, err)
	}
	if k, ok := kindOf(n.name.full()); ok && k.primitive() {
		return nil, p.fault("a type may not be called %s", k)
	}
	return n, nil
}

// define ends one: its aliases and properties are read and its name is taken. The same type may be
// defined twice if it says the same both times.
func (p *parser) define(n *node, v *value, words []string) (*node, error) {
	n.props = props(v, words)
	aliases, err := p.aliases(v)
	if err != nil {
		return nil, err
	}
	seen := map[name]bool{}
	for _, text := range aliases {
		a := split(text, n.name.space)
		if err := validName(a.base); err != nil {
			return nil, p.fault("alias: %w", err)
		}
		if !seen[a] {
			seen[a] = true
			n.aliases = append(n.aliases, a)
		}
	}
	full := n.name.full()
	for part := range strings.SplitSeq(n.name.space, ".") {
		if err := validName(part); err != nil && n.name.space != "" {
			return nil, p.fault("namespace of %s: %w", full, err)
		}
	}
	before := p.types[full]
	if before == nil {
		p.types[full] = n
	} else if !(&equality{}).same(before, n) {
		return nil, p.fault("%s is defined twice, and not the same", full)
	}
	return n, nil
}

func (p *parser) aliases(v *value) ([]string, error) {
	list := v.get("aliases")
	if list == nil {
		return nil, nil
	}
	if list.kind != '[' {
		return nil, p.fault(`"aliases" must be an array`)
	}
	var all []string
	seen := map[string]bool{}
	for _, item := range list.items {
		text, ok := item.str()
		if !ok {
			return nil, p.fault("an alias is a string")
		}
		if !seen[text] {
			seen[text] = true
			all = append(all, text)
		}
	}
	return all, nil
}

// split is the name that a text gives: what stands before the last dot is its namespace.
func split(text, space string) name {
	if i := strings.LastIndexByte(text, '.'); i >= 0 {
		return name{text[:i], text[i+1:]}
	}
	return name{space, text}
}

// validName holds a name to Java's rule: letters and digits of any script, of the first 65,536
// characters, and not a digit in front.
func validName(s string) error {
	if s == "" {
		return fmt.Errorf("a name is empty")
	}
	for i, r := range s {
		letter := r == '_' || r <= 0xffff && unicode.IsLetter(r)
		if !letter && (i == 0 || r > 0xffff || !unicode.IsDigit(r)) {
			return fmt.Errorf("name %q has a character that is no letter, digit or _ (or begins with a digit)", s)
		}
	}
	return nil
}

// equality tells whether two definitions say the same to Java, which looks past docs, aliases and
// the default of an enum.
type equality struct{ seen map[[2]*node]bool }

func (e *equality) same(a, b *node) bool {
	if a == b {
		return true
	}
	if a.kind != b.kind || a.kind == kindUnresolved || a.name != b.name || !sameMembers(a.props, b.props) {
		return false
	}
	switch a.kind {
	case kindRecord:
		pair := [2]*node{a, b}
		if e.seen[pair] {
			return true
		}
		if e.seen == nil {
			e.seen = map[[2]*node]bool{}
		}
		e.seen[pair] = true
		return slices.EqualFunc(a.fields, b.fields, e.sameField)
	case kindEnum:
		return slices.Equal(a.symbols, b.symbols)
	case kindFixed:
		return a.size == b.size
	case kindArray, kindMap:
		return e.same(a.elem, b.elem)
	case kindUnion:
		return slices.EqualFunc(a.branches, b.branches, e.same)
	}
	return true
}

func (e *equality) sameField(f, g *field) bool {
	return f.name == g.name && f.order == g.order && f.fallback.equal(g.fallback) && sameMembers(f.props, g.props) && e.same(f.typ, g.typ)
}

// resolver puts the types in the places of names that were used before their definition.
type resolver struct {
	types map[string]*node
	seen  map[*node]bool
}

func (r *resolver) resolve(at **node) error {
	n := *at
	if n.kind == kindUnresolved {
		def := r.types[n.name.full()]
		if def == nil {
			def = r.types[n.unresolved.text] // as Java did up to 1.11 inside of the type itself
		}
		if def == nil {
			return &Error{Path: n.unresolved.path, Err: fmt.Errorf("type %q is not defined (a type of another subject needs a reference)", n.name.full())}
		}
		*at, n = def, def
	}
	if r.seen[n] {
		return nil
	}
	r.seen[n] = true
	switch n.kind {
	case kindRecord:
		for _, f := range n.fields {
			if err := r.resolve(&f.typ); err != nil {
				return err
			}
		}
	case kindArray, kindMap:
		return r.resolve(&n.elem)
	case kindUnion:
		return r.union(n)
	}
	return nil
}

func (r *resolver) union(n *node) error {
	seen := make(map[string]bool, len(n.branches))
	for i := range n.branches {
		at := n.branches[i].unresolved
		if err := r.resolve(&n.branches[i]); err != nil {
			return err
		}
		full := n.branches[i].fullName()
		if seen[full] && at != nil {
			return &Error{Path: at.path, Err: fmt.Errorf("%q twice in one union", full)}
		}
		seen[full] = true
	}
	return nil
}
