package avro

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/leatdev/leat/schema"
)

// deriver makes the schema of a Go type.
type deriver struct {
	root  reflect.Type
	space string                  // the event's namespace, and that of all types below it
	names map[string]reflect.Type // full names that are taken
	done  map[reflect.Type]*node
	open  map[reflect.Type]bool // lists and maps that are being derived
}

// spot is where in the event a type stands.
type spot struct {
	path  string
	owner reflect.Type // struct that has the field
	label string       // what a type without a name is called
	tag   reflect.StructTag
}

func (s spot) in(step string) spot { s.path += step; return s }

func (s spot) fault(format string, args ...any) error {
	return fmt.Errorf("%s: %w", s.path, fmt.Errorf(format, args...))
}

// derive makes the schema of t. name is the full name of its record.
func derive(t reflect.Type, name string) (string, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if shapeOf(t) != shapeStruct {
		return "", fmt.Errorf("derive an Avro schema from %s: an event is a struct", t)
	}
	full := name
	if n, ok := says[named](t); ok {
		full = n.SchemaName()
	}
	if full == "" {
		full = nameOf(t)
	}
	steps := strings.Split(full, ".")
	for i, s := range steps {
		steps[i] = plainName(s)
	}
	full = strings.Join(steps, ".")
	called := split(full, "")
	d := &deriver{root: t, space: called.space, names: map[string]reflect.Type{}, done: map[reflect.Type]*node{}, open: map[reflect.Type]bool{}}
	n, err := d.record(t, called, spot{path: nameOf(t), label: nameOf(t)})
	if err != nil {
		return "", fmt.Errorf("derive an Avro schema from %s: %w", t, err)
	}
	return javaText(n, nil), nil
}

// take claims a full name for a type.
func (d *deriver) take(t reflect.Type, full string, s spot) error {
	if other := d.names[full]; other != nil {
		return s.fault("%s and %s are both called %s: give one of them a method SchemaName() string", other, t, full)
	}
	d.names[full] = t
	return nil
}

// called is the full name of a type below the event.
func (d *deriver) called(t reflect.Type, s spot) name {
	if n, ok := says[named](t); ok {
		return split(n.SchemaName(), "")
	}
	if t.Name() == "" {
		return name{d.space, s.label}
	}
	return name{d.space, nameOf(t)}
}

func (d *deriver) record(t reflect.Type, called name, s spot) (*node, error) {
	n := &node{kind: kindRecord, name: called, byName: map[string]*field{}}
	if err := d.take(t, called.full(), s); err != nil {
		return nil, err
	}
	d.done[t] = n
	outside := d.open
	d.open = map[reflect.Type]bool{} // what contains itself by way of a record is no fault
	defer func() { d.open = outside }()
	n.doc = optionalText(schema.DocOf(t))
	for _, gf := range schema.Fields(t) {
		at := spot{path: s.path + "." + gf.Name, owner: t, label: called.base + "_" + gf.Go, tag: gf.Tag}
		f, err := d.field(gf, at)
		if err != nil {
			return nil, err
		}
		if n.byName[f.name] != nil {
			return nil, at.fault("two fields are called %s", f.name)
		}
		n.fields = append(n.fields, f)
		n.byName[f.name] = f
	}
	return n, nil
}

func optionalText(text string, ok bool) *string {
	if !ok {
		return nil
	}
	return &text
}

// fieldName is a field's name in the schema: that of the document, unless a tag says otherwise.
func fieldName(gf schema.Field) string {
	if name, _, _ := strings.Cut(gf.Tag.Get("avro"), ","); name != "" {
		return name
	}
	return gf.Name
}

func (d *deriver) field(gf schema.Field, s spot) (*field, error) {
	f := &field{name: fieldName(gf), doc: optionalText(gf.Doc(s.owner)), order: ascending}
	if plainName(f.name) != f.name {
		return nil, s.fault("%q can't be a field's name in Avro (letters, digits and underscores): give it another with the tag `avro:\"%s\"`", f.name, plainName(f.name))
	}
	if gf.Indirect {
		return nil, s.fault("%s lies in a struct that is embedded by pointer: embed the struct itself, or give it a name", gf.Go)
	}
	for alias := range strings.SplitSeq(gf.Tag.Get("aliases"), ",") {
		if alias != "" {
			f.aliases = append(f.aliases, alias)
		}
	}
	var err error
	if f.typ, err = d.typ(gf.Type, s); err != nil {
		return nil, err
	}
	text, given := gf.Tag.Lookup("default")
	switch {
	case given:
		err = d.fallback(f, text, s)
	case f.typ.kind == kindUnion && f.typ.branches[0].kind == kindNull:
		f.fallback = &value{kind: 'n'}
	case gf.OmitEmpty || gf.OmitZero:
		f.fallback = d.zero(gf.Type, f.typ, s.owner)
	}
	return f, err
}

// typ derives a type that a field, a list or a map holds.
func (d *deriver) typ(t reflect.Type, s spot) (*node, error) {
	switch sh := shapeOf(t); sh {
	case shapePointer:
		if k := shapeOf(t.Elem()); k == shapePointer || k == shapeUnion {
			return nil, s.fault("%s: a pointer to a pointer or an interface has no counterpart in Avro: take one away", t)
		}
		n, err := d.typ(t.Elem(), s)
		if err != nil {
			return nil, err
		}
		return &node{kind: kindUnion, branches: []*node{{kind: kindNull}, n}}, nil
	case shapeList, shapeArray, shapeMap:
		return d.container(t, sh, s)
	case shapeStruct:
		if n := d.done[t]; n != nil && t.Name() != "" { // one without a name is called after its field
			return n, nil
		}
		if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) && t.NumField() > 0 {
			return nil, s.fault("%s writes its own JSON, and nobody knows what: give it MarshalText and UnmarshalText, or use a plain struct", t)
		}
		return d.record(t, d.called(t, s), s)
	case shapeUnion:
		return d.union(t, s)
	case shapeEnum:
		return d.enum(t, s)
	case shapeFixed:
		return d.fixed(t, s)
	default:
		return d.scalar(t, sh, s)
	}
}

func (d *deriver) container(t reflect.Type, sh shape, s spot) (*node, error) {
	if d.open[t] {
		return nil, s.fault("%s contains itself: put a struct in between, Avro has only records that do", t)
	}
	d.open[t] = true
	defer delete(d.open, t)
	s.label += "Item"
	k, step := kindArray, "[]"
	if sh == shapeMap {
		k, step = kindMap, "{}"
	}
	elem, err := d.typ(t.Elem(), s.in(step))
	return &node{kind: k, elem: elem}, err
}

func (d *deriver) union(t reflect.Type, s spot) (*node, error) {
	l, err := listOf(t, s.owner, d.root)
	if err != nil {
		return nil, s.fault("%w", err)
	}
	n := &node{kind: kindUnion}
	if l.nullable {
		n.branches = append(n.branches, &node{kind: kindNull})
	}
	seen := map[string]reflect.Type{}
	for _, vt := range l.types {
		under := vt
		if vt.Kind() == reflect.Pointer {
			under = vt.Elem()
		}
		b, err := d.typ(under, s.in("("+under.String()+")"))
		if err != nil {
			return nil, err
		}
		if other := seen[b.fullName()]; other != nil || b.kind == kindUnion {
			return nil, s.fault("%s and %s are both %s to Avro, which could not tell them apart: make one a struct", other, vt, b.fullName())
		}
		seen[b.fullName()] = vt
		n.branches = append(n.branches, b)
	}
	if len(l.types) == 0 {
		return nil, s.fault("the list of %s in Unions is empty", t)
	}
	return n, nil
}
