package jsonschema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/schema"
)

// What a type may say of itself.
type (
	symbols interface{ Symbols() []string }  // the values of an enum that is a string in JSON
	unions  interface{ Unions() []any }      // of a struct: for each interface in it, a slice of what it may hold
	named   interface{ SchemaName() string } // what it is called
)

var (
	marshalerType = reflect.TypeFor[json.Marshaler]()
	textType      = reflect.TypeFor[encoding.TextMarshaler]()
	timeType      = reflect.TypeFor[time.Time]()
	decimalType   = reflect.TypeFor[schema.Decimal]()
	numberType    = reflect.TypeFor[json.Number]()
)

// decimalPattern is what a schema.Decimal is in JSON.
const decimalPattern = `^-?[0-9]+(\.[0-9]+)?$`

// deriver makes the schema of what encoding/json writes for a Go type.
type deriver struct {
	root        reflect.Type
	names       map[reflect.Type]string
	definitions node
	open        []reflect.Type // lists and maps that are being derived
}

// derive makes the schema of t. Its objects are closed: the type's encoder writes nothing else.
func derive(t reflect.Type, name string) (string, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if says, ok := reflect.New(t).Interface().(named); ok {
		name = says.SchemaName()
	}
	if name == "" {
		name = t.Name()
	}
	d := &deriver{root: t, names: map[reflect.Type]string{}, definitions: node{kind: '{'}}
	n := object1("$schema", str("http://json-schema.org/draft-07/schema#"), "title", str(name))
	var body *node
	var err error
	if isObject(t) {
		d.names[t] = "#"
		body, err = d.object(t, t.Name())
	} else {
		body, err = d.of(t, t, t.Name(), true)
	}
	if err != nil {
		return "", fmt.Errorf("derive a JSON Schema from %s: %w", t, err)
	}
	n.members = append(n.members, body.members...)
	if len(d.definitions.members) > 0 {
		n.add("definitions", &d.definitions)
	}
	return string(n.append(nil, false)), nil
}

func str(s string) *node { return &node{kind: '"', text: s} }

func flag(b bool) *node {
	if b {
		return &node{kind: 't'}
	}
	return &node{kind: 'f'}
}

func whole(n int) *node { return &node{kind: '0', text: strconv.Itoa(n)} }

func list(items ...*node) *node { return &node{kind: '[', items: items} }

func (n *node) add(name string, value *node) { n.members = append(n.members, member{name, value}) }

// object1 makes an object of names and nodes in turn.
func object1(pairs ...any) *node {
	n := &node{kind: '{'}
	for i := 0; i < len(pairs); i += 2 {
		n.add(pairs[i].(string), pairs[i+1].(*node))
	}
	return n
}

func typed(name string) *node { return object1("type", str(name)) }

// isObject says whether encoding/json writes the fields of t.
func isObject(t reflect.Type) bool { return t.Kind() == reflect.Struct && !encodesItself(t) }

// encodesItself says whether t has its own way into JSON, by value or by pointer.
func encodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t == numberType || p.Implements(marshalerType) || p.Implements(textType)
}

// of is the schema of t within the struct owner; bare: nil is written as null.
func (d *deriver) of(t, owner reflect.Type, path string, bare bool) (*node, error) {
	switch p := reflect.PointerTo(t); {
	case t.Kind() == reflect.Pointer:
		n, err := d.of(t.Elem(), owner, path, true)
		if err != nil || !bare {
			return n, err
		}
		return nullable(n), nil
	case t.Kind() == reflect.Interface:
		return d.union(t, owner, path)
	case t == timeType:
		return object1("type", str("string"), "format", str("date-time")), nil
	case t == decimalType:
		return object1("type", str("string"), "pattern", str(decimalPattern)), nil
	case t == numberType:
		return typed("number"), nil
	case isEnum(t):
		return d.enum(t, path)
	case p.Implements(marshalerType):
		return object1(), nil // only the type knows
	case p.Implements(textType):
		return typed("string"), nil
	}
	return d.plain(t, owner, path, bare)
}

func (d *deriver) plain(t, owner reflect.Type, path string, bare bool) (*node, error) {
	switch t.Kind() {
	case reflect.String:
		return typed("string"), nil
	case reflect.Bool:
		return typed("boolean"), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return typed("integer"), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return object1("type", str("integer"), "minimum", whole(0)), nil
	case reflect.Float32, reflect.Float64:
		return typed("number"), nil
	case reflect.Struct:
		return d.named(t, path)
	case reflect.Slice, reflect.Array, reflect.Map:
		return d.many(t, owner, path, bare)
	}
	return nil, fmt.Errorf("%s: JSON has nothing for a %s", path, t)
}

// many is the schema of lists, maps and bytes.
func (d *deriver) many(t, owner reflect.Type, path string, bare bool) (*node, error) {
	if slices.Contains(d.open, t) {
		return nil, fmt.Errorf("%s: %s contains itself without a struct in between", path, t)
	}
	d.open = append(d.open, t)
	defer func() { d.open = d.open[:len(d.open)-1] }()
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !encodesItself(t.Elem()) {
		return withNull(object1("type", str("string"), "contentEncoding", str("base64")), bare), nil
	}
	if t.Kind() == reflect.Map {
		switch k := t.Key().Kind(); {
		case k == reflect.String, k >= reflect.Int && k <= reflect.Uintptr, t.Key().Implements(textType):
		default:
			return nil, fmt.Errorf("%s: JSON has no map by %s", path, t.Key())
		}
		each, err := d.of(t.Elem(), owner, path+"[]", true)
		if err != nil {
			return nil, err
		}
		return withNull(object1("type", str("object"), "additionalProperties", each), bare), nil
	}
	each, err := d.of(t.Elem(), owner, path+"[]", true)
	if err != nil {
		return nil, err
	}
	n := object1("type", str("array"), "items", each)
	if t.Kind() == reflect.Array {
		n.add("minItems", whole(t.Len()))
		n.add("maxItems", whole(t.Len()))
		return n, nil
	}
	return withNull(n, bare), nil
}

// named is a struct where it is used: by its definition, or in place if it has no name.
func (d *deriver) named(t reflect.Type, path string) (*node, error) {
	if t.Name() == "" {
		return d.object(t, path)
	}
	name, known := d.names[t]
	if !known {
		name = d.free(t)
		d.names[t] = "#/definitions/" + escape(name)
		place := len(d.definitions.members)
		d.definitions.add(name, nil)
		open := d.open
		d.open = nil // what contains itself by way of a struct is no fault
		n, err := d.object(t, path)
		d.open = open
		if err != nil {
			return nil, err
		}
		d.definitions.members[place].value = n
		name = d.names[t]
	}
	return object1("$ref", str(name)), nil
}

// free is a name for a definition that no other type has.
func (d *deriver) free(t reflect.Type) string {
	name := t.Name()
	if says, ok := reflect.New(t).Interface().(named); ok {
		name = says.SchemaName()
	}
	base := strings.Map(func(r rune) rune { // [ ] * / of type arguments
		if strings.ContainsRune("[]*/,~#% ", r) {
			return '_'
		}
		return r
	}, name)
	name = base
	for i := 2; slices.ContainsFunc(d.definitions.members, func(m member) bool { return m.name == name }); i++ {
		name = base + strconv.Itoa(i)
	}
	return name
}

// object is a struct: each field a property, required where it is always written.
func (d *deriver) object(t reflect.Type, path string) (*node, error) {
	n := object1("type", str("object"))
	if doc, _ := schema.DocOf(t); doc != "" {
		n.add("description", str(doc))
	}
	properties, required := object1(), list()
	for _, f := range schema.Fields(t) {
		p, err := d.property(f, t, path+"."+f.Name)
		if err != nil {
			return nil, err
		}
		properties.add(f.Name, p)
		if !f.OmitEmpty && !f.OmitZero && !f.Indirect && f.Type.Kind() != reflect.Pointer {
			required.items = append(required.items, str(f.Name))
		}
	}
	n.add("properties", properties)
	if len(required.items) > 0 {
		n.add("required", required)
	}
	n.add("additionalProperties", flag(false))
	return n, nil
}

func (d *deriver) property(f schema.Field, owner reflect.Type, path string) (*node, error) {
	bare := !f.OmitEmpty && !f.OmitZero
	n, err := d.of(f.Type, owner, path, bare)
	if err != nil {
		return nil, err
	}
	if f.Quoted && quotable(f.Type) {
		n = typed("string")
		if f.Type.Kind() == reflect.Pointer && bare {
			n = nullable(n)
		}
	}
	if doc, _ := f.Doc(owner); doc != "" {
		n.add("description", str(doc))
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		value, err := read(text)
		if err != nil || f.Type.Kind() == reflect.String {
			value = str(text)
		}
		n.add("default", value)
	}
	return n, nil
}

// quotable says whether the option string means something for t.
func quotable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	k := t.Kind()
	return !encodesItself(t) && (k == reflect.Bool || k == reflect.String || k >= reflect.Int && k <= reflect.Float64)
}

// isEnum says whether t is a string in JSON that lists its values.
func isEnum(t reflect.Type) bool {
	_, lists := reflect.New(t).Interface().(symbols)
	p := reflect.PointerTo(t)
	return lists && !p.Implements(marshalerType) && (t.Kind() == reflect.String || p.Implements(textType))
}

func (d *deriver) enum(t reflect.Type, path string) (*node, error) {
	values := reflect.New(t).Interface().(symbols).Symbols()
	if len(values) == 0 {
		return nil, fmt.Errorf("%s: %s.Symbols is empty", path, t)
	}
	n := object1("type", str("string"), "enum", list())
	for _, v := range values {
		n.members[1].value.items = append(n.members[1].value.items, str(v))
	}
	return n, nil
}

// union is an interface: anything, or what its owner or the event lists.
func (d *deriver) union(t, owner reflect.Type, path string) (*node, error) {
	if t.NumMethod() == 0 {
		return object1(), nil
	}
	holds, err := heldBy(t, owner, d.root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	n := object1("anyOf", list(typed("null")))
	for _, h := range holds {
		one, err := d.of(h, owner, path, false)
		if err != nil {
			return nil, err
		}
		n.members[0].value.items = append(n.members[0].value.items, one)
	}
	return n, nil
}

// heldBy finds the closed list of an interface, pointers taken off.
func heldBy(t reflect.Type, owners ...reflect.Type) ([]reflect.Type, error) {
	for _, owner := range owners {
		says, ok := reflect.New(owner).Interface().(unions)
		if !ok {
			continue
		}
		for _, entry := range says.Unions() {
			v := reflect.ValueOf(entry)
			if v.Kind() != reflect.Slice || v.Type().Elem() != t {
				continue
			}
			var holds []reflect.Type
			for i := range v.Len() {
				h := v.Index(i).Elem().Type()
				if h.Kind() == reflect.Pointer {
					h = h.Elem()
				}
				holds = append(holds, h)
			}
			return holds, nil
		}
	}
	return nil, fmt.Errorf("nobody says what a %s may hold: give %s a method Unions() []any that returns []%s{...} with one value of each type", t, owners[0], t.Name())
}

func withNull(n *node, bare bool) *node {
	if bare {
		return nullable(n)
	}
	return n
}

// nullable lets null in.
func nullable(n *node) *node {
	if len(n.members) == 0 {
		return n // anything already
	}
	t := n.get("type")
	if t == nil {
		if any := n.get("anyOf"); any != nil && len(n.members) == 1 {
			return n // an interface
		}
		return object1("anyOf", list(n, typed("null")))
	}
	if t.kind == '[' {
		return n
	}
	null := &node{kind: 'n'}
	for i, m := range n.members {
		switch m.name {
		case "type":
			n.members[i].value = list(t, str("null"))
		case "enum":
			n.members[i].value = list(append(slices.Clone(m.value.items), null)...)
		}
	}
	return n
}
