package gen

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/leatdev/leat/schema"
)

// fromAvro writes the types of an Avro schema. It reads the canonical text with everything inside.
func fromAvro(f *file, s schema.Schema, o Options) error {
	if v, ok := s.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	text, err := s.As("resolved")
	if err != nil {
		return err
	}
	root, err := readDoc(text)
	if err != nil {
		return err
	}
	if s.Name() == "" {
		return faultAt("", "an event is a record, and this is none: put it into a record")
	}
	a := &avroReader{file: f, types: map[string]*avroType{}, event: o}
	a.space = s.Name()[:max(0, strings.LastIndexByte(s.Name(), '.'))]
	n, err := a.record(root, s.Name(), avroPlace{})
	if err != nil {
		return err
	}
	return n.decl.event(s, o, n.key, a.lost)
}

// avroReader goes through a schema once, and writes what it meets.
type avroReader struct {
	*file
	event Options
	space string // of the event
	types map[string]*avroType
	lost  []string // what Go does not say
	uuid  string   // the type of UUIDs, "" until one is met
}

// avroType is what a type of the schema is in Go.
type avroType struct {
	goType  string // of a value
	zero    string // an expression of that type, for the list of a union
	kind    string // the word of the schema
	logical string
	digits  int // of a decimal
	scale   int
	pointer bool // a union of null and one more
	null    bool // of such a union: null comes first
	decl    *decl
	open    bool // a record that holds what is being read
	key     string
	some    *avroType // the first branch of a union that is not null
}

// avroPlace is where a type stands.
type avroPlace struct {
	path  string
	space string    // names without one are of it
	label string    // for what has no name
	owner *decl     // the struct with the field
	tags  *tags     // of the field; nil: there is none that could say more
	lists *[]string // what the struct's Unions returns
}

func (p avroPlace) in(step string) avroPlace { p.path += "/" + step; return p }

// lose notes what the schema says and a Go type can't.
func (a *avroReader) lose(format string, args ...any) {
	if what := fmt.Sprintf(format, args...); !slices.Contains(a.lost, what) {
		a.lost = append(a.lost, what)
	}
}

var plainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
})

// spelled notes a name that Java lets through and no Go type derives.
func (a *avroReader) spelled(name string) {
	if !plainName().MatchString(name) {
		a.lose("the name %s", name)
	}
}

// properties notes those members of a type or field that Go has no place for.
func (a *avroReader) properties(d *doc, where string, known ...string) {
	for _, m := range d.members {
		if !slices.Contains(known, m.name) {
			a.lose("%s of %s", m.name, where)
		}
	}
}

func (a *avroReader) typ(d *doc, p avroPlace) (*avroType, error) {
	switch d.kind {
	case '[':
		return a.union(d, p)
	case '"':
		if t, ok, err := a.named(d.text, p); ok || err != nil {
			return t, err
		}
		return a.primitive(d.text, nil, p)
	}
	word := d.get("type")
	if word == nil || word.kind != '"' {
		if word != nil { // {"type": {...}}
			return a.typ(word, p)
		}
		return nil, faultAt(p.path, "there is no type")
	}
	switch word.text {
	case "record", "error", "enum", "fixed":
		full := d.get("name").str()
		if space := d.get("namespace"); space != nil && !strings.Contains(full, ".") && space.text != "" {
			full = space.text + "." + full
		} else if space == nil && p.space != "" && !strings.Contains(full, ".") {
			full = p.space + "." + full
		}
		if word.text == "enum" {
			return a.enum(d, full, p)
		}
		if word.text == "fixed" {
			return a.fixed(d, full, p)
		}
		return a.record(d, full, p)
	case "array", "map":
		return a.container(d, word.text, p)
	}
	return a.primitive(word.text, d, p)
}

// named is a type that was defined before.
func (a *avroReader) named(name string, p avroPlace) (t *avroType, ok bool, err error) {
	if p.space != "" && !strings.Contains(name, ".") {
		t = a.types[p.space+"."+name]
	}
	if t == nil {
		t = a.types[name]
	}
	if t != nil && t.open {
		return nil, true, faultAt(p.path, "%w", errEndless)
	}
	if t != nil && t.logical == "decimal" { // a fixed
		return a.decimalAgain(t, p), true, nil
	}
	return t, t != nil, nil
}

func (a *avroReader) container(d *doc, kind string, p avroPlace) (*avroType, error) {
	inner, step, prefix := "items", "items", "[]"
	if kind == "map" {
		inner, step, prefix = "values", "values", "map[string]"
	}
	a.properties(d, "an "+kind, "type", inner)
	p = p.in(step)
	p.label += "Item"
	defer a.reopen(a.shut())
	elem, err := a.typ(d.get(inner), p)
	if err != nil {
		return nil, err
	}
	t := prefix + elem.ref()
	return &avroType{goType: t, zero: t + "(nil)", kind: kind}, nil
}

// shut lets what follows name the records around it: there is an end in between.
func (a *avroReader) shut() (open []*avroType) {
	for _, t := range a.types {
		if t.open {
			t.open = false
			open = append(open, t)
		}
	}
	return open
}

func (a *avroReader) reopen(open []*avroType) {
	for _, t := range open {
		t.open = true
	}
}

// ref is the type as a field has it.
func (t *avroType) ref() string {
	if t.pointer {
		return "*" + t.goType
	}
	return t.goType
}

// begin declares a type with a name.
func (a *avroReader) begin(d *doc, full, kind string, p avroPlace) *avroType {
	base := full[strings.LastIndexByte(full, '.')+1:]
	want := goName(base)
	if p.path == "" {
		want = eventName(full)
	}
	text := d.get("doc").str()
	t := &avroType{decl: a.declare(want, cmp.Or(text, want+" is the "+kind+" "+full+".")), kind: kind}
	t.goType = t.decl.name
	derived := t.decl.name
	if a.space != "" {
		derived = a.space + "." + derived
	}
	if p.path == "" {
		derived = cmp.Or(a.event.EventType, full)
	}
	if derived != full {
		t.decl.method("// SchemaName is the name of the type in its schema.\nfunc (%s) SchemaName() string { return %q }", t.decl.name, full)
	}
	if d.get("aliases") != nil {
		a.lose("the aliases of %s", full)
	}
	a.spelled(full)
	a.types[full] = t
	return t
}

func (a *avroReader) record(d *doc, full string, p avroPlace) (*avroType, error) {
	t := a.begin(d, full, d.get("type").text, p)
	t.zero, t.open = t.goType+"{}", true
	defer func() { t.open = false }()
	a.properties(d, full, "type", "name", "namespace", "doc", "aliases", "fields")
	if t.kind == "error" {
		a.lose("that %s is an error", full)
	}
	if text := d.get("doc"); text != nil {
		t.decl.blank = tags{{"doc", text.text}}.String()
	}
	var lists []string
	in := avroPlace{path: p.path, owner: t.decl, lists: &lists}
	in.space = full[:max(0, strings.LastIndexByte(full, '.'))]
	for i, fd := range d.get("fields").items {
		if err := a.recordField(t, fd, full, in.in("fields/"+strconv.Itoa(i))); err != nil {
			return nil, err
		}
	}
	if len(lists) > 0 {
		t.decl.method("// Unions lists what the interfaces in %s may hold.\nfunc (%s) Unions() []any {\n\treturn []any{\n\t\t%s,\n\t}\n}", t.decl.name, t.decl.name, strings.Join(lists, ",\n\t\t"))
	}
	return t, nil
}

func (a *avroReader) recordField(t *avroType, d *doc, full string, p avroPlace) error {
	name := d.get("name").text
	a.spelled(name)
	a.properties(d, full+"."+name, "name", "type", "doc", "default", "aliases")
	g := goField{doc: d.get("doc").str(), tag: tags{{"json", name}}}
	p.label, p.tags = t.decl.name+goName(name), &g.tag
	ft, err := a.typ(d.get("type"), p.in("type"))
	if err != nil {
		return err
	}
	g.typ = ft.ref()
	if text := d.get("doc"); text != nil {
		g.tag.add("doc", text.text)
	}
	if v := d.get("default"); v != nil {
		a.fallback(ft, v, full+"."+name, &g.tag)
	} else if ft.null || ft.pointer {
		a.lose("that %s.%s has no default", full, name)
	}
	if aliases := d.get("aliases"); aliases != nil && len(aliases.items) > 0 {
		var all []string
		for _, alias := range aliases.items {
			all = append(all, alias.text)
		}
		g.tag.add("aliases", strings.Join(all, ","))
	}
	called := t.decl.field(goName(name), g)
	if name == a.event.Key && ft.kind == "string" && !ft.pointer {
		if t.key = called; ft.logical == "uuid" {
			t.key += ".String()"
		}
	}
	return nil
}

func (a *avroReader) enum(d *doc, full string, p avroPlace) (*avroType, error) {
	t := a.begin(d, full, "enum", p)
	a.properties(d, full, "type", "name", "namespace", "doc", "aliases", "symbols", "default")
	if d.get("doc") != nil {
		a.lose("the doc of %s", full)
	}
	var symbols []string
	for _, s := range d.get("symbols").items {
		a.spelled(s.text)
		symbols = append(symbols, s.text)
	}
	if len(symbols) == 0 {
		return nil, faultAt(p.path, "an enum without symbols has no value")
	}
	t.zero = t.goType + `("")`
	a.enumType(t.decl, symbols, d.get("default").str())
	return t, nil
}

// enumType makes d a string type with its values.
func (f *file) enumType(d *decl, symbols []string, fallback string) {
	var quoted []string
	d.body.WriteString("string\n\n// The values of " + d.name + ".\nconst (\n")
	for _, s := range symbols {
		fmt.Fprintf(&d.body, "\t%s %s = %q\n", f.free(d.name+goName(s)), d.name, s)
		quoted = append(quoted, strconv.Quote(s))
	}
	d.body.WriteString(")\n")
	d.method("// Symbols are all values of %s.\nfunc (%s) Symbols() []string { return []string{%s} }", d.name, d.name, strings.Join(quoted, ", "))
	if fallback != "" {
		d.method("// DefaultSymbol is what a reader takes a value for that it does not know.\nfunc (%s) DefaultSymbol() string { return %q }", d.name, fallback)
	}
}

func (a *avroReader) fixed(d *doc, full string, p avroPlace) (*avroType, error) {
	if d.get("doc") != nil {
		a.lose("the doc of %s", full)
	}
	if digits, scale, ok := decimalOf(d); ok {
		a.lose("that the decimal %s is fixed", full)
		t := &avroType{kind: "fixed", logical: "decimal", digits: digits, scale: scale}
		a.types[full] = t
		return a.decimalAgain(t, p), nil
	}
	a.properties(d, full, "type", "name", "namespace", "doc", "aliases", "size")
	t := a.begin(d, full, "fixed", p)
	fmt.Fprintf(&t.decl.body, "[%s]byte", d.get("size").raw)
	t.zero = t.goType + "{}"
	return t, nil
}
