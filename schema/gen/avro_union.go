package gen

import (
	"strconv"
	"strings"
)

// union is a pointer where null and one more are in it, and else an interface.
func (a *avroReader) union(d *doc, p avroPlace) (*avroType, error) {
	null := -1
	var others []int
	for i, b := range d.items {
		if b.kind == '"' && b.text == "null" || b.get("type").str() == "null" {
			null = i
			if b.kind != '"' {
				a.properties(b, "null", "type")
			}
			continue
		}
		others = append(others, i)
	}
	defer a.reopen(a.shut())
	if len(others) == 0 {
		return nil, faultAt(p.path, "a union of nothing, or of null alone, is nothing that a Go field can hold")
	}
	if null >= 0 && len(others) == 1 {
		t, err := a.typ(d.items[others[0]], p.in(strconv.Itoa(others[0])))
		if err != nil {
			return nil, err
		}
		if null == 1 {
			a.nullLast(p)
		}
		return &avroType{goType: t.goType, kind: t.kind, logical: t.logical, scale: t.scale, pointer: true, null: null == 0, some: t}, nil
	}
	return a.variants(d, others, null, p)
}

// nullLast notes a union that Go would begin with null: only a field with a default begins otherwise.
func (a *avroReader) nullLast(p avroPlace) {
	if !strings.HasSuffix(p.path, "/type") || p.owner == nil || p.tags == nil {
		a.lose("the order of the union at %s", p.path)
	}
}

// variants is an interface, and in the struct around it what it may hold.
func (a *avroReader) variants(d *doc, others []int, null int, p avroPlace) (*avroType, error) {
	iface := a.declare(p.label, "")
	t := &avroType{goType: iface.name, zero: "nil", kind: "union", null: null == 0}
	var entries, names []string
	if null >= 0 {
		entries = append(entries, "nil")
	}
	if null > 0 {
		a.lose("the order of the union at %s", p.path)
	}
	sealed := true
	var decls []*decl
	goTypes := map[string]string{}
	in := p
	in.tags, in.label = nil, iface.name
	for _, i := range others {
		b, err := a.typ(d.items[i], in.in(strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		if b.pointer || b.kind == "union" {
			return nil, faultAt(p.path, "a union within a union")
		}
		if other := goTypes[b.goType]; other != "" {
			return nil, faultAt(p.path, "%s and %s are both %s in Go: put one of them into a record", other, b.word(), b.goType)
		}
		goTypes[b.goType] = b.word()
		if t.some == nil && null != 0 {
			t.some = b
		}
		entries, names = append(entries, b.zero), append(names, b.goType)
		sealed = sealed && b.decl != nil
		decls = append(decls, b.decl)
	}
	iface.doc = iface.name + " is one of " + strings.Join(names, ", ") + "."
	if null >= 0 {
		iface.doc = strings.TrimSuffix(iface.doc, ".") + ", or nil."
	}
	if sealed {
		iface.body.WriteString("interface{ is" + iface.name + "() }")
		for _, b := range decls {
			b.method("func (%s) is%s() {}", b.name, iface.name)
		}
	} else {
		iface.body.WriteString("any")
	}
	*p.lists = append(*p.lists, "[]"+iface.name+"{"+strings.Join(entries, ", ")+"}")
	return t, nil
}

func (t *avroType) word() string {
	if t.logical != "" {
		return t.logical
	}
	return t.kind
}
