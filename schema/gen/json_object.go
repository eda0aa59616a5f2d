package gen

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// reference is a type that stands elsewhere in the text.
func (r *jsonReader) reference(d *doc, p jsonPlace) (*jsonType, error) {
	for _, m := range d.members {
		if m.name != "$ref" && slices.Contains(structural, m.name) {
			return nil, faultAt(p.path, "%s beside a $ref: put both into an allOf", m.name)
		}
	}
	to := d.get("$ref").text
	target, err := r.find(to, p.path)
	if err != nil {
		return nil, err
	}
	if t, met := r.refs[to]; met {
		if t == nil || t.open {
			return nil, faultAt(p.path, "%w", errEndless)
		}
		return t, nil
	}
	r.refs[to] = nil
	label := goName(to[strings.LastIndexByte(to, '/')+1:])
	t, err := r.typ(target, jsonPlace{path: to, label: label})
	if err == nil && r.refs[to] == nil {
		r.refs[to] = t
	}
	return t, err
}

// find is what a pointer into the text leads to.
func (r *jsonReader) find(ref, path string) (*doc, error) {
	at := r.root
	pointer, local := strings.CutPrefix(ref, "#")
	pointer, err := url.PathUnescape(pointer)
	if !local || err != nil || pointer != "" && pointer[0] != '/' {
		return nil, faultAt(path, "$ref %q leads out of the text or to a name in it: put what it means below $defs and write #/$defs/NAME", ref)
	}
	if pointer == "" {
		return at, nil
	}
	for step := range strings.SplitSeq(pointer[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if at.kind == '[' {
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at.items) {
				return nil, faultAt(path, "$ref %q leads nowhere", ref)
			}
			at = at.items[i]
		} else if at = at.get(step); at == nil {
			return nil, faultAt(path, "$ref %q leads nowhere", ref)
		}
	}
	return at, nil
}

// object is a struct where there are properties, and else a map.
func (r *jsonReader) object(d *doc, p jsonPlace) (*jsonType, error) {
	properties, more, patterns := d.get("properties"), d.get("additionalProperties"), d.get("patternProperties")
	closed := more != nil && more.kind == 'f'
	switch {
	case patterns != nil && len(patterns.members) > 0 && properties != nil:
		return nil, faultAt(p.path+"/patternProperties", "properties and patterns beside each other have no counterpart in Go: put those of the patterns into an object of their own")
	case patterns != nil && (len(patterns.members) != 1 || !closed):
		return nil, faultAt(p.path+"/patternProperties", "a map has values of one type in Go: keep one pattern, with additionalProperties false")
	case patterns != nil:
		return r.table(patterns.members[0].value, p.in("patternProperties", ""))
	case properties == nil && more != nil && !closed:
		return r.table(more, p.in("additionalProperties", ""))
	case properties == nil && !closed:
		return &jsonType{goType: "map[string]any", class: "object", list: true}, nil
	case more != nil && more.kind == '{' && len(more.members) > 0:
		return nil, faultAt(p.path+"/additionalProperties", "a struct has no place for properties without a name: put them into an object of their own")
	}
	name := p.label
	if p.path != "#" {
		name = cmp.Or(nameFor(d), name)
	}
	t := &jsonType{class: "object", from: d, open: true}
	t.decl = r.declare(name, d.get("description").str())
	t.decl.doc = cmp.Or(t.decl.doc, t.decl.name+" is an object of the schema.")
	t.goType = t.decl.name
	if text := d.get("description").str(); text != "" {
		t.decl.blank = tags{{"doc", text}}.String()
	}
	r.refs[p.path] = t
	defer func() { t.open = false }()
	var required []string
	for _, name := range d.list("required") {
		required = append(required, name.text)
		if properties.get(name.text) == nil {
			return nil, faultAt(p.path+"/required", "%q is required, and no property describes it", name.text)
		}
	}
	if properties == nil {
		return t, nil
	}
	for _, m := range properties.members {
		if err := r.property(t, m, slices.Contains(required, m.name), p.in("properties", "").in(m.name, goName(m.name))); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// table is a map.
func (r *jsonReader) table(d *doc, p jsonPlace) (*jsonType, error) {
	defer r.reopen(r.shut())
	p.label += "Value"
	each, err := r.typ(d, p)
	if err != nil {
		return nil, err
	}
	return &jsonType{goType: "map[string]" + each.element(), class: "object", list: true}, nil
}

func (r *jsonReader) property(in *jsonType, m member, required bool, p jsonPlace) error {
	if !isPropertyName(m.name) {
		return faultAt(p.path, "%q can't be the name of a field in encoding/json", m.name)
	}
	if !required || allowsNull(m.value) {
		defer r.reopen(r.shut())
	}
	t, err := r.typ(m.value, p)
	if err != nil {
		return err
	}
	g := goField{typ: t.goType, doc: m.value.get("description").str()}
	tag := m.name
	if tag == "-" {
		tag = "-,"
	}
	switch {
	case required && t.nullable && !t.list:
		g.typ = "*" + t.goType
	case required:
	case t.goType == "any":
		tag = m.name + ",omitempty"
	case t.list:
		tag = m.name + ",omitzero"
	default:
		g.typ, tag = "*"+t.goType, m.name+",omitempty"
	}
	g.tag.add("json", tag)
	if g.doc != "" {
		g.tag.add("doc", g.doc)
	}
	if v := m.value.get("default"); v != nil {
		g.tag.add("default", cmp.Or(v.text, v.raw))
	}
	called := in.decl.field(goName(m.name), g)
	if p.path == "#/properties/"+m.name && m.name == r.key && required && t.class == "string" && g.typ == "string" {
		r.called = called
	}
	return nil
}

// isPropertyName is the rule of encoding/json for names in tags.
func isPropertyName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
	})
}

// allowsNull says whether null is named where a schema says its type.
func allowsNull(d *doc) bool {
	isNull := func(d *doc) bool { return d.kind == 'n' || d.text == "null" || d.get("type").str() == "null" }
	for _, word := range []string{"type", "anyOf", "oneOf", "enum"} {
		if slices.ContainsFunc(d.list(word), isNull) {
			return true
		}
	}
	return false
}

// all is one schema, or the properties of several objects in one.
func (r *jsonReader) all(d *doc, p jsonPlace) (*jsonType, error) {
	parts := slices.Clone(d.get("allOf").items)
	rest := &doc{kind: '{'}
	for _, m := range d.members {
		if m.name != "allOf" {
			rest.members = append(rest.members, m)
		}
	}
	if len(parts) == 1 && !slices.ContainsFunc(rest.members, func(m member) bool { return slices.Contains(structural, m.name) || m.name == "required" }) {
		return r.typ(parts[0], p)
	}
	one := &doc{kind: '{', members: []member{{"type", &doc{kind: '"', text: "object"}}}}
	properties, required := &doc{kind: '{'}, &doc{kind: '['}
	for _, m := range rest.members {
		if m.name == "description" || m.name == "title" {
			one.members = append(one.members, m)
		}
	}
	for i, part := range append(parts, rest) {
		path := p.path + "/allOf/" + strconv.Itoa(i)
		for steps := 0; part.get("$ref") != nil; steps++ {
			var err error
			if part, err = r.find(part.get("$ref").text, path); err != nil {
				return nil, err
			}
			if steps > 100 {
				return nil, faultAt(path, "%w", errEndless)
			}
		}
		for _, word := range []string{"allOf", "anyOf", "oneOf", "patternProperties", "items", "enum"} {
			if part.get(word) != nil {
				return nil, faultAt(path, "%s within an allOf has no counterpart in Go types: write one object", word)
			}
		}
		for _, m := range part.get("properties").all() {
			if other := properties.get(m.name); other != nil {
				return nil, faultAt(path, "the property %q is in two parts of the allOf: keep one", m.name)
			}
			properties.members = append(properties.members, m)
		}
		required.items = append(required.items, part.list("required")...)
	}
	one.members = append(one.members, member{"properties", properties}, member{"required", required})
	return r.object(one, p)
}

// all are the members, none of nothing.
func (d *doc) all() []member {
	if d == nil {
		return nil
	}
	return d.members
}
