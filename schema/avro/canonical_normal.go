package avro

import (
	"slices"
	"strconv"

	"github.com/leatdev/leat/schema"
)

// normalText is what a registry keeps of a schema under normalize=true: it writes the schema with
// full names, properties and aliases sorted and defaults as their types have them, reads that and
// takes its canonical text. Names outside of any namespace become, in between, names of the namespace
// around them; where that makes two types of one name, which Confluent's registry refuses, the
// canonical text stays.
func normalText(root *node, known map[string]bool, imports []schema.Import) string {
	w := normalWriter{writer{seen: map[string]bool{}}}
	for full := range known {
		w.seen[full] = true
	}
	w.node(root)
	types := map[string]*node{}
	for _, i := range imports {
		if _, err := parseText(i.Text, types); err != nil {
			return javaText(root, known)
		}
	}
	again, err := parseText(string(w.dst), types)
	if err != nil {
		return javaText(root, known)
	}
	return javaText(again, known)
}

// normalWriter writes the form in between. What is written twice into one object counts once, in the
// place of the first: so the members of a logical type come before the other properties.
type normalWriter struct{ writer }

func (w *normalWriter) node(n *node) {
	switch n.kind {
	case kindUnion:
		w.list(len(n.branches), func(i int) { w.node(n.branches[i]) })
		return
	case kindRecord, kindEnum, kindFixed:
		w.named(n)
		return
	}
	if n.kind.primitive() && len(n.props) == 0 {
		w.string(n.kind.String())
		return
	}
	w.raw(`{"type":`)
	w.string(n.kind.String())
	switch n.kind {
	case kindArray:
		w.key("items")
		w.node(n.elem)
	case kindMap:
		w.key("values")
		w.node(n.elem)
	default:
		w.logical(n)
	}
	w.props(sorted(n.props))
	w.raw("}")
}

func (w *normalWriter) named(n *node) {
	full := n.name.full()
	if w.seen[full] {
		w.string(full)
		return
	}
	w.seen[full] = true
	w.raw(`{"name":`)
	w.string(full)
	w.text("type", n.kind.String())
	switch n.kind {
	case kindEnum:
		w.strings("symbols", n.symbols)
	case kindFixed:
		w.key("size")
		w.raw(strconv.Itoa(n.size))
		w.logical(n)
	case kindRecord:
		w.key("fields")
		w.list(len(n.fields), func(i int) { w.field(n.fields[i]) })
	}
	if n.doc != nil && *n.doc != "" {
		w.doc(n.doc)
	}
	w.aliases(n.aliasNames())
	if n.symbol != "" {
		w.text("default", n.symbol)
	}
	w.props(sorted(n.props))
	w.raw("}")
}

func (w *normalWriter) field(f *field) {
	w.raw(`{"name":`)
	w.string(f.name)
	w.key("type")
	w.node(f.typ)
	w.text("order", f.order)
	w.doc(f.doc)
	w.aliases(f.aliases)
	if f.fallback != nil {
		if v := javaDefault(f.fallback, f.typ); v != nil {
			w.key("default")
			w.dst = v.sorted().append(w.dst)
		}
	}
	w.props(sorted(f.props))
	w.raw("}")
}

func (w *normalWriter) aliases(all []string) {
	if len(all) > 0 {
		all = slices.Clone(all)
		slices.Sort(all)
		w.strings("aliases", all)
	}
}

func (w *normalWriter) logical(n *node) {
	l, ok := logicalOf(n)
	if !ok {
		return
	}
	w.text("logicalType", l.name)
	if l.name == "decimal" {
		w.key("precision")
		w.raw(strconv.FormatInt(l.precision, 10))
		if l.scale != 0 {
			w.key("scale")
			w.raw(strconv.FormatInt(l.scale, 10))
		}
	}
}

// javaDefault is a default as Java makes a datum of it, nil where it makes none: the default of a
// union is one of its first branch, and one that does not fit its type is lost.
func javaDefault(v *value, n *node) *value {
	for n != nil && n.kind == kindUnion {
		if len(n.branches) == 0 {
			return nil
		}
		n = n.branches[0]
	}
	is := func(kinds ...kind) bool { return n == nil || slices.Contains(kinds, n.kind) }
	switch v.kind {
	case '0':
		return javaNumber(v, n)
	case '"':
		switch {
		case is(kindString, kindEnum):
			return v
		case is(kindBytes, kindFixed):
			return &value{kind: '"', text: latin1(v.text)}
		}
		return nil
	case '[':
		return javaArray(v, n)
	case '{':
		return javaObject(v, n)
	}
	return v
}

func javaNumber(v *value, n *node) *value {
	if n == nil {
		return v
	}
	switch n.kind {
	case kindInt, kindLong:
		if _, ok := v.bits(64); ok {
			return v
		}
	case kindDouble:
		if f, ok := v.number(); ok {
			return &value{kind: '0', float: f}
		}
	case kindFloat:
		if f, ok := v.number(); ok {
			return &value{kind: '0', float: f, single: true}
		}
	}
	return nil
}

// number is a number as a float, unless it is a whole one of more than 64 bits.
func (v *value) number() (float64, bool) {
	if !v.whole {
		return v.float, true
	}
	i, ok := v.bits(64)
	return float64(i), ok
}

func javaArray(v *value, n *node) *value {
	var elem *node
	if n != nil {
		if n.kind != kindArray {
			return nil
		}
		elem = n.elem
	}
	c := &value{kind: '['}
	for _, item := range v.items {
		datum := javaDefault(item, elem)
		if datum == nil {
			return nil
		}
		c.items = append(c.items, datum)
	}
	return c
}

func javaObject(v *value, n *node) *value {
	c := &value{kind: '{'}
	for _, m := range v.members {
		var typ *node
		switch {
		case n != nil && n.kind == kindMap:
			typ = n.elem
		case n != nil && n.kind == kindRecord:
			f := n.byName[m.name]
			if f == nil {
				return nil
			}
			typ = f.typ
		}
		datum := javaDefault(m.value, typ)
		if datum == nil {
			return nil
		}
		c.members = append(c.members, member{m.name, datum})
	}
	return c
}

// latin1 puts ? in the place of what has no byte in ISO 8859-1.
func latin1(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r > 0xff {
			out[i] = '?'
		}
	}
	return string(out)
}
