package avro

import (
	"cmp"
	"slices"
	"strconv"
)

// javaText writes a schema as Java's Schema.toString does. Types whose full name is known are
// written as names, and so is every type from its second place on.
func javaText(root *node, known map[string]bool) string {
	w := writer{seen: map[string]bool{}}
	for full := range known {
		w.seen[full] = true
	}
	w.node(root, "")
	return string(w.dst)
}

// writer appends a schema in one of its forms.
type writer struct {
	dst  []byte
	seen map[string]bool // full names that are written already
}

func (w *writer) raw(s string)    { w.dst = append(w.dst, s...) }
func (w *writer) string(s string) { w.dst = appendString(w.dst, s) }

// key begins a member that is not the first of its object.
func (w *writer) key(name string) {
	w.raw(",")
	w.string(name)
	w.raw(":")
}

func (w *writer) text(key, s string) {
	w.key(key)
	w.string(s)
}

func (w *writer) doc(doc *string) {
	if doc != nil {
		w.text("doc", *doc)
	}
}

func (w *writer) props(props []member) {
	for _, m := range props {
		w.key(m.name)
		w.dst = m.value.append(w.dst)
	}
}

// list writes so many items in brackets.
func (w *writer) list(n int, item func(i int)) {
	w.raw("[")
	for i := range n {
		if i > 0 {
			w.raw(",")
		}
		item(i)
	}
	w.raw("]")
}

func (w *writer) strings(key string, all []string) {
	w.key(key)
	w.list(len(all), func(i int) { w.string(all[i]) })
}

// node writes a type; space is the namespace around it.
func (w *writer) node(n *node, space string) {
	switch {
	case n.kind.named():
		w.named(n, space)
		return
	case n.kind == kindUnion:
		w.list(len(n.branches), func(i int) { w.node(n.branches[i], space) })
		return
	case n.kind.primitive() && len(n.props) == 0:
		w.string(n.kind.String())
		return
	}
	w.raw(`{"type":`)
	w.string(n.kind.String())
	switch n.kind {
	case kindArray:
		w.key("items")
		w.node(n.elem, space)
	case kindMap:
		w.key("values")
		w.node(n.elem, space)
	}
	w.props(n.props)
	w.raw("}")
}

func (w *writer) named(n *node, space string) {
	if full := n.name.full(); w.seen[full] {
		w.string(n.name.within(space))
		return
	} else {
		w.seen[full] = true
	}
	w.raw(`{"type":`)
	if n.isError {
		w.string("error")
	} else {
		w.string(n.kind.String())
	}
	w.text("name", n.name.base)
	if n.name.space != space {
		w.text("namespace", n.name.space)
	}
	w.doc(n.doc)
	switch n.kind {
	case kindRecord:
		w.key("fields")
		w.list(len(n.fields), func(i int) { w.field(n.fields[i], n.name.space) })
	case kindEnum:
		w.strings("symbols", n.symbols)
		if n.symbol != "" {
			w.text("default", n.symbol)
		}
	case kindFixed:
		w.key("size")
		w.raw(strconv.Itoa(n.size))
	}
	w.props(n.props)
	if len(n.aliases) > 0 {
		w.key("aliases")
		w.list(len(n.aliases), func(i int) { w.string(n.aliases[i].within(n.name.space)) })
	}
	w.raw("}")
}

func (w *writer) field(f *field, space string) {
	w.raw(`{"name":`)
	w.string(f.name)
	w.key("type")
	w.node(f.typ, space)
	w.doc(f.doc)
	if f.fallback != nil {
		w.key("default")
		w.dst = f.fallback.append(w.dst)
	}
	if f.order != ascending {
		w.text("order", f.order)
	}
	if len(f.aliases) > 0 {
		w.strings("aliases", f.aliases)
	}
	w.props(f.props)
	w.raw("}")
}

// sorted are properties in the order of their names, all the way in.
func sorted(props []member) []member {
	all := slices.Clone(props)
	for i := range all {
		all[i].value = all[i].value.sorted()
	}
	slices.SortStableFunc(all, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	return all
}

func (v *value) sorted() *value {
	c := *v
	c.members = sorted(v.members)
	c.items = slices.Clone(v.items)
	for i := range c.items {
		c.items[i] = c.items[i].sorted()
	}
	return &c
}
