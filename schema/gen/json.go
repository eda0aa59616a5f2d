package gen

import (
	"cmp"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// fromJSONSchema writes the types of a JSON Schema.
func fromJSONSchema(f *file, s schema.Schema, o Options) error {
	root, err := readDoc(s.Canonical())
	if err != nil {
		return err
	}
	name := cmp.Or(o.EventType, s.Name())
	if name == "" {
		return faultAt("", "the schema has no title: say the type of the event (--type)")
	}
	r := &jsonReader{file: f, root: root, refs: map[string]*jsonType{}, key: o.Key}
	top := root
	for steps := 0; top.get("$ref") != nil; steps++ {
		if top, err = r.find(top.get("$ref").text, ""); err != nil {
			return err
		}
		if steps > 100 {
			return faultAt("", "%w", errEndless)
		}
	}
	t, err := r.typ(top, jsonPlace{path: "#", label: eventName(name)})
	if err != nil {
		return err
	}
	if t.decl == nil {
		return faultAt("", "an event is an object with properties, and this is none")
	}
	o.EventType = name
	return t.decl.event(s, o, r.called, []string{"bounds, formats and what else is held of values is in it alone"})
}

// jsonReader goes through a schema once, and writes what it meets.
type jsonReader struct {
	*file
	root   *doc
	refs   map[string]*jsonType // what was met, by its place; nil: it is being looked at
	key    string               // name of the key's property
	called string               // the field of the key
}

// jsonType is what a schema is in Go.
type jsonType struct {
	goType   string
	class    string // what JSON has for it: string, number, boolean, array, object; "" anything
	list     bool   // its own nil is no value
	nullable bool
	decl     *decl // of a struct
	from     *doc  // of a struct
	open     bool  // a struct that holds what is being read
}

type jsonPlace struct {
	path  string
	label string // for what has no name
}

func (p jsonPlace) in(step, label string) jsonPlace {
	return jsonPlace{p.path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step), p.label + label}
}

// beyond are the words that put more into a value than a Go type would keep.
var beyond = []string{
	"if", "then", "else", "dependentSchemas", "prefixItems", "additionalItems", "$dynamicRef", "$recursiveRef", "unevaluatedItems",
}

// structural are the words that say what is in a value.
var structural = []string{"properties", "patternProperties", "items", "allOf", "anyOf", "oneOf", "$ref"}

func (r *jsonReader) typ(d *doc, p jsonPlace) (*jsonType, error) {
	if d.kind == 't' || d.kind == '{' && len(d.members) == 0 {
		return anything(), nil
	}
	if d.kind != '{' {
		return nil, faultAt(p.path, "nothing may be here: take the property away")
	}
	for _, m := range d.members {
		if slices.Contains(beyond, m.name) || m.name == "dependencies" && slices.ContainsFunc(m.value.members, func(m member) bool { return m.value.kind == '{' }) {
			return nil, faultAt(p.path, "%s has no counterpart in Go types: say it in code, or with oneOf and a property that has a const", m.name)
		}
	}
	switch {
	case d.get("$ref") != nil:
		return r.reference(d, p)
	case d.get("allOf") != nil:
		return r.all(d, p)
	case len(d.list("anyOf")) > 0 || len(d.list("oneOf")) > 0:
		if !onlyHolds(d) {
			return r.choice(d, p)
		}
	}
	if values := d.get("enum"); values != nil {
		return r.enum(d, values.items, p)
	}
	if value := d.get("const"); value != nil && d.get("type") == nil {
		return r.base(classOf(value), d, p)
	}
	if types := d.get("type"); types != nil && types.kind == '[' {
		return r.several(d, types.items, p)
	}
	return r.base(wordOf(d), d, p)
}

// list are the items of a list, none where there is no such member.
func (d *doc) list(name string) []*doc {
	if list := d.get(name); list != nil {
		return list.items
	}
	return nil
}

func anything() *jsonType { return &jsonType{goType: "any", list: true} }

// wordOf is the type of a schema, said or seen by its other words.
func wordOf(d *doc) string {
	if t := d.get("type"); t != nil {
		return t.text
	}
	switch {
	case d.get("properties") != nil || d.get("patternProperties") != nil || d.get("additionalProperties") != nil:
		return "object"
	case d.get("items") != nil:
		return "array"
	}
	return ""
}

// classOf is the type of a value.
func classOf(value *doc) string {
	switch value.kind {
	case '"':
		return "string"
	case '0':
		return "number"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	case '[':
		return "array"
	}
	return "object"
}

// base is a type of one word.
func (r *jsonReader) base(word string, d *doc, p jsonPlace) (*jsonType, error) {
	switch word {
	case "":
		return anything(), nil
	case "string":
		return r.text(d), nil
	case "boolean":
		return &jsonType{goType: "bool", class: word}, nil
	case "number":
		return &jsonType{goType: "float64", class: word}, nil
	case "integer":
		t := &jsonType{goType: "int64", class: "number"}
		if least := d.get("minimum"); least != nil && least.raw == "0" && d.get("maximum") == nil {
			t.goType = "uint64"
		}
		return t, nil
	case "array":
		return r.array(d, p)
	case "object":
		return r.object(d, p)
	}
	return nil, faultAt(p.path, "null alone is nothing that a Go field can hold: take the property away, or let it be something else too")
}

// decimalPattern is what a schema.Decimal derives.
const decimalPattern = `^-?[0-9]+(\.[0-9]+)?$`

func (r *jsonReader) text(d *doc) *jsonType {
	switch {
	case d.get("format").str() == "date-time":
		return &jsonType{goType: r.use("time", "Time"), class: "string"}
	case d.get("contentEncoding").str() == "base64":
		return &jsonType{goType: "[]byte", class: "string", list: true}
	case d.get("pattern").str() == decimalPattern:
		return &jsonType{goType: r.use(schemaPath, "Decimal"), class: "string"}
	}
	return &jsonType{goType: "string", class: "string"}
}

func (r *jsonReader) array(d *doc, p jsonPlace) (*jsonType, error) {
	items := d.get("items")
	if items == nil {
		return &jsonType{goType: "[]any", class: "array", list: true}, nil
	}
	if items.kind == '[' {
		return nil, faultAt(p.path+"/items", "a list with a type for each place has no counterpart in Go: make it an object with a property for each")
	}
	defer r.reopen(r.shut())
	each, err := r.typ(items, p.in("items", "Item"))
	if err != nil {
		return nil, err
	}
	return &jsonType{goType: "[]" + each.element(), class: "array", list: true}, nil
}

// element is the type within a list or a map.
func (t *jsonType) element() string {
	if t.nullable && !t.list {
		return "*" + t.goType
	}
	return t.goType
}

// enum is a string type where all values are strings.
func (r *jsonReader) enum(d *doc, values []*doc, p jsonPlace) (*jsonType, error) {
	var symbols []string
	class, nullable := "", false
	for _, v := range values {
		switch c := classOf(v); {
		case c == "null":
			nullable = true
			continue
		case class != "" && class != c:
			return anything(), nil
		default:
			class = c
		}
		symbols = append(symbols, v.text)
	}
	if class == "string" {
		e := r.declare(cmp.Or(nameFor(d), p.label), d.get("description").str())
		e.doc = cmp.Or(e.doc, e.name+" is one of the values below.")
		r.enumType(e, symbols, "")
		return &jsonType{goType: e.name, class: class, nullable: nullable}, nil
	}
	if word := wordOf(d); word == "integer" || class == "number" && allWhole(values) {
		class = "integer"
	}
	t, err := r.base(cmp.Or(class, "null"), d, p)
	if err == nil {
		t.nullable = t.nullable || nullable
	}
	return t, err
}

func allWhole(values []*doc) bool {
	return !slices.ContainsFunc(values, func(v *doc) bool { return strings.ContainsAny(v.raw, ".eE") })
}

// nameFor is the Go name that a title gives.
func nameFor(d *doc) string {
	if title := d.get("title").str(); title != "" {
		return goName(title)
	}
	return ""
}

// several is a list of words: null and one, or a choice.
func (r *jsonReader) several(d *doc, words []*doc, p jsonPlace) (*jsonType, error) {
	var branches []*doc
	for _, w := range words {
		one := &doc{kind: '{'}
		for _, m := range d.members {
			if m.name == "type" {
				m.value = w
			}
			one.members = append(one.members, m)
		}
		branches = append(branches, one)
	}
	return r.oneOf(branches, p, "type")
}

// choice is an anyOf or oneOf that says what may be here.
func (r *jsonReader) choice(d *doc, p jsonPlace) (*jsonType, error) {
	word := "anyOf"
	if d.get(word) == nil {
		word = "oneOf"
	}
	for _, m := range d.members {
		if m.name != word && slices.Contains(structural, m.name) {
			return nil, faultAt(p.path, "%s beside %s has no counterpart in Go types: put the properties into each branch", m.name, word)
		}
	}
	if title := nameFor(d); title != "" {
		p.label = title
	}
	return r.oneOf(d.get(word).items, p, word)
}

// onlyHolds says whether the branches only hold of values what is described elsewhere.
func onlyHolds(d *doc) bool {
	if d.get("properties") == nil && d.get("type") == nil {
		return false
	}
	for _, b := range append(d.list("anyOf"), d.list("oneOf")...) {
		for _, word := range append([]string{"type", "additionalProperties", "enum", "const"}, structural...) {
			if b.get(word) != nil {
				return false
			}
		}
	}
	return true
}

// shut lets what follows name the structs around it: there is an end in between.
func (r *jsonReader) shut() (open []*jsonType) {
	for _, t := range r.refs {
		if t != nil && t.open {
			t.open = false
			open = append(open, t)
		}
	}
	return open
}

func (r *jsonReader) reopen(open []*jsonType) {
	for _, t := range open {
		t.open = true
	}
}
