package jsonschema

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// builder brings a compiled schema into normal form. A schema has one shape wherever it is referred
// to: that is how a comparison knows that it goes in circles.
type builder struct {
	p     *program
	known map[string]*shape
}

// normal is the schema's normal form.
func (p *program) normal() *shape {
	b := &builder{p: p, known: map[string]*shape{}}
	return b.at(p.compiled.Location, p.compiled.DraftVersion)
}

func (b *builder) at(place string, draft int) *shape {
	if s := b.known[place]; s != nil {
		return s
	}
	s := &shape{}
	b.known[place] = s
	n := b.p.text(place)
	if compiled := b.p.byPlace[place]; compiled != nil {
		draft = compiled.DraftVersion
	}
	if n == nil {
		return s // within the schema of a dialect
	}
	*s = *b.build(n, place, draft)
	s.key = string(n.append(nil, true))
	if c, ok := n.str("connect.type"); ok && c == "bytes" {
		s.bytes = true
	}
	// From 2019-09 on a registry takes a default of null for none.
	if d := n.get("default"); d != nil {
		s.hasDefault = draft < 2019 || d.kind != 'n'
	}
	return s
}

func (b *builder) build(n *node, place string, draft int) *shape {
	switch n.kind {
	case 't':
		return &shape{kind: anything}
	case 'f':
		return &shape{kind: nothing}
	}
	var parts []*shape
	if to := b.p.target(place); to != "" {
		r := &shape{kind: reference, key: "$ref " + to}
		if draft < 2019 {
			r.target = b.at(to, draft)
			return r // its neighbours mean nothing there
		}
		r.target = b.at(to, draft)
		parts = append(parts, r)
	}
	parts = append(parts, b.values(n)...)
	parts = append(parts, b.combinations(n, place, draft)...)
	if n.get("not") != nil {
		parts = append(parts, &shape{kind: negation, sub: b.at(place+"/not", draft)})
	}
	parts = append(parts, b.types(n, place, draft)...)
	if draft >= 7 && n.get("if") != nil {
		parts = append(parts, &shape{kind: conditional})
	}
	return join(parts, place)
}

// join makes one schema of what the keywords of one text say.
func join(parts []*shape, place string) *shape {
	switch len(parts) {
	case 0:
		return &shape{kind: anything}
	case 1:
		one := *parts[0]
		return &one
	}
	for i, p := range parts {
		if p.key == "" {
			p.key = fmt.Sprintf("%s %d", place, i)
		}
	}
	return &shape{kind: combined, how: allOf, synthetic: true, parts: combinedFirst(parts)}
}

func combinedFirst(parts []*shape) []*shape {
	slices.SortStableFunc(parts, func(a, b *shape) int {
		switch {
		case a.kind == combined && b.kind != combined:
			return -1
		case a.kind != combined && b.kind == combined:
			return 1
		}
		return 0
	})
	return parts
}

func (b *builder) values(n *node) []*shape {
	var parts []*shape
	if v := n.get("enum"); v != nil {
		e := &shape{kind: enumeration, values: map[string]bool{}}
		for _, item := range v.items {
			e.values[string(item.append(nil, true))] = true
		}
		parts = append(parts, e)
	}
	if v := n.get("const"); v != nil {
		parts = append(parts, &shape{kind: constant, value: string(v.append(nil, true))})
	}
	return parts
}

func (b *builder) combinations(n *node, place string, draft int) []*shape {
	var found []*shape
	for _, how := range []criterion{allOf, anyOf, oneOf} {
		list := n.get(string(how))
		if list == nil {
			continue
		}
		c := &shape{kind: combined, how: how}
		for i := range list.items {
			part := b.at(fmt.Sprintf("%s/%s/%d", place, how, i), draft)
			if draft >= 2019 && part.synthetic {
				c.parts = append(c.parts, part.parts...) // as registries do with the newer dialects
			} else {
				c.parts = append(c.parts, part)
			}
		}
		c.parts = combinedFirst(c.parts)
		found = append(found, c)
	}
	return found
}

// keywords are what each type's schema is told by, where no type is named.
var keywords = []struct {
	kind  shapeKind
	names []string
}{
	{array, []string{"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains", "prefixItems", "unevaluatedItems"}},
	{object, []string{"properties", "required", "minProperties", "maxProperties", "dependencies", "patternProperties", "additionalProperties", "propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties"}},
	{number, []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	{text, []string{"minLength", "maxLength", "pattern", "format"}},
}

// speaks: newer keywords say nothing in the older dialects.
func speaks(name string, draft int) bool {
	switch name {
	case "contains", "propertyNames":
		return draft >= 6
	case "prefixItems":
		return draft >= 2020
	case "additionalItems", "dependencies":
		return draft < 2020
	case "unevaluatedItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties":
		return draft >= 2019
	case "format":
		return draft < 2019
	}
	return true
}

// types are the parts that the type and the keywords of types make.
func (b *builder) types(n *node, place string, draft int) []*shape {
	var parts []*shape
	named := map[shapeKind]bool{}
	typed := func(name string) *shape {
		s := b.typed(n, place, draft, name)
		named[s.kind] = true
		return s
	}
	switch t := n.get("type"); {
	case t == nil:
	case t.kind == '"':
		parts = append(parts, typed(t.text))
	default:
		union := &shape{kind: combined, how: anyOf}
		for _, item := range t.items {
			s := typed(item.text)
			s.key = "type " + item.text
			union.parts = append(union.parts, s)
		}
		parts = append(parts, union)
	}
	for _, k := range keywords {
		if !named[k.kind] && slices.ContainsFunc(k.names, func(name string) bool { return n.get(name) != nil && speaks(name, draft) }) {
			s := b.ofKind(n, place, draft, k.kind)
			s.loose = true
			parts = append(parts, s)
		}
	}
	return parts
}

func (b *builder) typed(n *node, place string, draft int, name string) *shape {
	switch name {
	case "boolean":
		return &shape{kind: boolean}
	case "null":
		return &shape{kind: null}
	case "integer":
		s := b.ofKind(n, place, draft, number)
		s.integer = true
		return s
	}
	return b.ofKind(n, place, draft, map[string]shapeKind{"number": number, "string": text, "object": object, "array": array}[name])
}

func (b *builder) ofKind(n *node, place string, draft int, k shapeKind) *shape {
	s := &shape{kind: k}
	switch k {
	case number:
		b.number(s, n)
	case text:
		s.minLength, s.maxLength = n.get("minLength").number(), n.get("maxLength").number()
		if p, ok := n.str("pattern"); ok {
			s.pattern = &p
		}
	case object:
		b.object(s, n, place, draft)
	case array:
		b.array(s, n, place, draft)
	}
	return s
}

func (b *builder) number(s *shape, n *node) {
	s.minimum, s.above = bounds(n, "minimum", "exclusiveMinimum")
	s.maximum, s.below = bounds(n, "maximum", "exclusiveMaximum")
	s.multipleOf = n.get("multipleOf").number()
}

// bounds are a limit and its exclusive sister; draft 4 says with true that the one is the other.
func bounds(n *node, limit, exclusive string) (inclusive, exclusively *big.Rat) {
	inclusive, exclusively = n.get(limit).number(), n.get(exclusive).number()
	if e := n.get(exclusive); e != nil && e.kind == 't' {
		return nil, inclusive
	}
	return inclusive, exclusively
}

func (b *builder) object(s *shape, n *node, place string, draft int) {
	s.minProperties, s.maxProperties = n.get("minProperties").number(), n.get("maxProperties").number()
	s.properties, s.required = map[string]*shape{}, map[string]bool{}
	if list := n.get("properties"); list != nil {
		for _, m := range list.members {
			s.properties[m.name] = b.at(place+"/properties/"+escape(m.name), draft)
		}
	}
	if list := n.get("required"); list != nil {
		for _, item := range list.items {
			s.required[item.text] = true
		}
	}
	if list := n.get("patternProperties"); list != nil {
		for _, m := range list.members {
			if expr, err := regexp.Compile(m.name); err == nil { // the compiler has refused what is none
				s.patterns = append(s.patterns, patternShape{expr, b.at(place+"/patternProperties/"+escape(m.name), draft)})
			}
		}
	}
	s.more, s.closed = b.rest(n, place, "additionalProperties", draft)
	s.needs, s.needsShape = map[string]map[string]bool{}, map[string]*shape{}
	for _, keyword := range []string{"dependencies", "dependentRequired", "dependentSchemas"} {
		if speaks(keyword, draft) {
			b.dependencies(s, n.get(keyword), place+"/"+keyword, draft)
		}
	}
	if draft >= 2019 && n.get("unevaluatedProperties") != nil {
		s.unevaluated = b.at(place+"/unevaluatedProperties", draft)
	}
}

func (b *builder) dependencies(s *shape, list *node, place string, draft int) {
	if list == nil {
		return
	}
	for _, m := range list.members {
		if m.value.kind != '[' {
			s.needsShape[m.name] = b.at(place+"/"+escape(m.name), draft)
			continue
		}
		s.needs[m.name] = map[string]bool{}
		for _, item := range m.value.items {
			s.needs[m.name][item.text] = true
		}
	}
}

// rest is what may stand beside what is named.
func (b *builder) rest(n *node, place, keyword string, draft int) (more *shape, closed bool) {
	switch r := n.get(keyword); {
	case r == nil || r.kind == 't':
		return nil, false
	case r.kind == 'f':
		return nil, true
	}
	return b.at(place+"/"+keyword, draft), false
}

func (b *builder) array(s *shape, n *node, place string, draft int) {
	s.minItems, s.maxItems = n.get("minItems").number(), n.get("maxItems").number()
	if u := n.get("uniqueItems"); u != nil {
		s.unique = u.kind == 't'
	}
	s.minContains, s.maxContains = n.get("minContains").number(), n.get("maxContains").number()
	if draft >= 2019 && n.get("contains") != nil && s.minContains == nil {
		s.minContains = big.NewRat(1, 1)
	}
	list, listed := n.get("items"), "items"
	if draft >= 2020 {
		list, listed = n.get("prefixItems"), "prefixItems"
	}
	if list != nil && list.kind == '[' {
		for i := range list.items {
			s.tuple = append(s.tuple, b.at(fmt.Sprintf("%s/%s/%d", place, listed, i), draft))
		}
	}
	switch items := n.get("items"); {
	case draft < 2019 && items != nil && items.kind != '[':
		s.each = b.at(place+"/items", draft)
	case draft >= 2019 && items != nil && items.kind != '[':
		if s.more, s.closed = b.rest(n, place, "items", draft); s.tuple == nil {
			s.each, s.more = s.more, nil
		}
	case draft >= 2020:
	default:
		s.more, s.closed = b.rest(n, place, "additionalItems", draft)
	}
	if draft < 2019 && s.each != nil {
		s.more, _ = b.rest(n, place, "additionalItems", draft)
	}
	if draft >= 2019 && n.get("unevaluatedItems") != nil {
		s.unevaluated = b.at(place+"/unevaluatedItems", draft)
	}
}

// joined is the path of a difference as registries write it.
func joined(path []string) string { return "#/" + strings.Join(path, "/") }
