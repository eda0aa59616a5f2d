package gen

import (
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat/schema"
)

// Options say what a schema leaves open.
type Options struct {
	// Package is the name of the Go package; "" is contract.
	Package string
	// EventType is the type of the event; "" is the name of the record, or the title of a JSON Schema.
	EventType string
	// Key is the name, in the schema, of the string field that an event's key is; "" is none.
	Key string
	// From is where the schema comes from, for the first line of the file; "" says nothing of it.
	From string
}

// Go writes the Go file of a schema: Avro's, or a JSON Schema. For Protobuf there is protoc-gen-go.
func Go(s schema.Schema, o Options) ([]byte, error) { return Together(o, s) }

// Together writes one Go file of several schemas, each an event. A type that several of them hold, alike
// in all, stands there once. Two types that are not alike and have one name are an error, and so is
// o.EventType with more than one schema; o.Key is the key of each.
func Together(o Options, all ...schema.Schema) ([]byte, error) {
	o.Package = cmp.Or(o.Package, "contract")
	if !token.IsIdentifier(o.Package) {
		return nil, fmt.Errorf("generate Go types: %q can't be the name of a package", o.Package)
	}
	if len(all) > 1 && o.EventType != "" {
		return nil, fmt.Errorf("generate Go types: %d events can't all be of type %s", len(all), o.EventType)
	}
	whole := newFile()
	for _, s := range all {
		f, err := fileOf(s, o)
		if err == nil {
			err = whole.join(f)
		}
		if err != nil {
			return nil, fmt.Errorf("generate Go types of %s: %w", cmp.Or(s.Name(), "a schema"), err)
		}
	}
	code, err := format.Source([]byte(whole.text(o)))
	if err != nil {
		return nil, fmt.Errorf("generate Go types: what was written is no Go: %w", err)
	}
	return code, nil
}

func fileOf(s schema.Schema, o Options) (f *file, err error) {
	f = newFile()
	switch s.Type() {
	case schema.Avro:
		err = fromAvro(f, s, o)
	case schema.JSONSchema:
		err = fromJSONSchema(f, s, o)
	default:
		err = fmt.Errorf("there is no way from %s: protoc and protoc-gen-go write Go types of a .proto file", s.Type())
	}
	return f, err
}

// file is a Go file that is being written.
type file struct {
	taken   map[string]bool // names of the package
	imports map[string]bool
	decls   []*decl // in the order in which they are met
}

func newFile() *file { return &file{taken: map[string]bool{}, imports: map[string]bool{}} }

// join takes over the types of another file. One that is there already is an event if either of the two is.
func (f *file) join(other *file) error {
	for _, d := range other.decls {
		i := slices.IndexFunc(f.decls, func(o *decl) bool { return o.name == d.name })
		if i < 0 {
			f.decls = append(f.decls, d)
			continue
		}
		o := f.decls[i]
		if o.says.Len() > 0 && d.says.Len() > 0 {
			return fmt.Errorf("another of the events is called %s too: give them packages of their own", d.name)
		}
		if o.text() != d.text() {
			return fmt.Errorf("%s is another type in it than in the schemas before: give them packages of their own", d.name)
		}
		if o.says.Len() == 0 {
			f.decls[i] = d
		}
	}
	maps.Copy(f.imports, other.imports)
	return nil
}

// decl is one type with its methods.
type decl struct {
	name    string
	doc     string
	body    strings.Builder // what follows the name
	fields  []goField       // of a struct, in place of body
	blank   string          // tag of a struct's blank field
	methods strings.Builder
	says    strings.Builder // the methods of an event
}

type goField struct {
	name, typ, doc string
	tag            tags
}

// declare takes a name for a type, the wanted one or the next that is free.
func (f *file) declare(want, doc string) *decl {
	d := &decl{name: f.free(want), doc: doc}
	f.decls = append(f.decls, d)
	return d
}

func (f *file) free(want string) string {
	name := want
	for i := 2; f.taken[name]; i++ {
		name = want + strconv.Itoa(i)
	}
	f.taken[name] = true
	return name
}

// use imports a package, and returns what is used of it.
func (f *file) use(path, what string) string {
	f.imports[path] = true
	return path[strings.LastIndexByte(path, '/')+1:] + "." + what
}

func (d *decl) method(format string, args ...any) { fmt.Fprintf(&d.methods, format+"\n", args...) }

func (d *decl) say(format string, args ...any) { fmt.Fprintf(&d.says, format+"\n", args...) }

// reserved are the methods that types have or may get: no field can have their names.
var reserved = []string{
	"EventType", "EventKey", "EventSchema", "Unions", "SchemaName", "Symbols", "DefaultSymbol",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
}

// field adds a field to a struct, under the wanted name or the next that is free.
func (d *decl) field(want string, g goField) string {
	if slices.Contains(reserved, want) {
		want += "Field"
	}
	g.name = want
	for i := 2; slices.ContainsFunc(d.fields, func(o goField) bool { return o.name == g.name }); i++ {
		g.name = want + strconv.Itoa(i)
	}
	d.fields = append(d.fields, g)
	return g.name
}

// event makes d the event: it says its type, its key, and its schema where that is not derived.
func (d *decl) event(s schema.Schema, o Options, key string, why []string) error {
	d.say("// EventType is the type of the event.\nfunc (%s) EventType() string { return %q }", d.name, cmp.Or(o.EventType, s.Name()))
	if o.Key != "" {
		if key == "" {
			return fmt.Errorf("the key %q is no string field of %s", o.Key, s.Name())
		}
		d.say("// EventKey is the key of the event.\nfunc (e %s) EventKey() string { return e.%s }", d.name, key)
	}
	if len(why) == 0 {
		return nil
	}
	text, err := s.As("resolved")
	if err != nil {
		return err
	}
	d.say("// EventSchema is the schema that the type was made from. The type does not say all of it:\n// %s.", oneLine(strings.Join(why, "; ")))
	d.say("func (%s) EventSchema() string { return %s }", d.name, quoteLong(text))
	return nil
}

func (f *file) text(o Options) string {
	var b strings.Builder
	from := ""
	if o.From != "" {
		from = " from " + oneLine(o.From)
	}
	fmt.Fprintf(&b, "// Code generated by leat schema gen%s; DO NOT EDIT.\n\npackage %s\n\n", from, o.Package)
	if len(f.imports) > 0 {
		f.writeImports(&b)
	}
	for _, d := range f.decls {
		b.WriteString("\n" + d.text())
		if d.says.Len() > 0 {
			b.WriteString("\n" + d.says.String())
		}
	}
	return b.String()
}

// text is the type with its methods, without those of an event.
func (d *decl) text() string {
	var b strings.Builder
	comment(&b, "", cmp.Or(d.doc, d.name+" is a type of the schema."))
	if d.body.Len() > 0 {
		fmt.Fprintf(&b, "type %s %s\n", d.name, d.body.String())
	} else {
		d.writeStruct(&b)
	}
	if d.methods.Len() > 0 {
		b.WriteString("\n" + d.methods.String())
	}
	return b.String()
}

// writeImports writes those of the standard library first.
func (f *file) writeImports(b *strings.Builder) {
	b.WriteString("import (\n")
	for _, foreign := range []bool{false, true} {
		for _, path := range slices.Sorted(maps.Keys(f.imports)) {
			if strings.Contains(path, ".") == foreign {
				fmt.Fprintf(b, "%q\n", path)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString(")\n")
}

func (d *decl) writeStruct(b *strings.Builder) {
	fmt.Fprintf(b, "type %s struct {\n", d.name)
	if d.blank != "" {
		fmt.Fprintf(b, "_ struct{} %s\n", d.blank)
	}
	for _, g := range d.fields {
		comment(b, "\t", g.doc)
		fmt.Fprintf(b, "\t%s %s %s\n", g.name, g.typ, g.tag)
	}
	b.WriteString("}\n")
}

// comment writes text, of any number of lines, as a comment.
func comment(b *strings.Builder, indent, text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	for line := range strings.SplitSeq(plainLines(text), "\n") {
		line = strings.TrimRight(line, " \t")
		// What begins without a blank may be a directive to the compiler.
		b.WriteString(strings.TrimRight(indent+"// "+line, " ") + "\n")
	}
}

// plainLines has newlines, and nothing else that controls.
func plainLines(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r == 0x7f || r == 0xfeff || r == 0xfffd:
			return ' '
		}
		return r
	}, text)
}

func oneLine(text string) string { return strings.ReplaceAll(plainLines(text), "\n", " ") }

// tags are a field's, in order.
type tags [][2]string

func (t *tags) add(name, value string) { *t = append(*t, [2]string{name, value}) }

func (t *tags) get(name string) string {
	for _, kv := range *t {
		if kv[0] == name {
			return kv[1]
		}
	}
	return ""
}

// String is the tag as it stands in Go.
func (t tags) String() string {
	if len(t) == 0 {
		return ""
	}
	var parts []string
	for _, kv := range t {
		parts = append(parts, kv[0]+":"+strconv.Quote(kv[1]))
	}
	return quoteLong(strings.Join(parts, " "))
}

// quoteLong is a text as a Go literal, raw where it can be.
func quoteLong(text string) string {
	if strconv.CanBackquote(text) {
		return "`" + text + "`"
	}
	return strconv.Quote(text)
}

// faults of a schema, with their place.
func faultAt(path, format string, args ...any) error {
	return fmt.Errorf("at %s: %w", cmp.Or(path, "#"), fmt.Errorf(format, args...))
}

var errEndless = errors.New("it holds itself without end: no Go type and no value does")
