package schema

import (
	"encoding"
	stdjson "encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"
)

var (
	marshalerType = reflect.TypeFor[stdjson.Marshaler]()
	textType      = reflect.TypeFor[encoding.TextMarshaler]()
	numberType    = reflect.TypeFor[stdjson.Number]()
	timeType      = reflect.TypeFor[time.Time]()
	stringMapType = reflect.TypeFor[map[string]string]()
)

// errStandard says that the value is one for the standard library.
var errStandard = errors.New("left to encoding/json")

// encodeFunc appends an addressable value.
type encodeFunc func(dst []byte, v reflect.Value) ([]byte, error)

// plan is how values of one type become JSON.
type plan struct {
	encode encodeFunc
	rooms  sync.Pool // *room
}

// room is where an event lies while it is encoded: its parts are addressable there, and so are read
// without copies of their own.
type room struct{ v reflect.Value }

// newPlan plans a type. What encodes differently where it is not addressable, or points to itself, is
// left to the standard library as a whole.
func newPlan(t reflect.Type) *plan {
	p := &plan{encode: standard}
	if recursive(t, nil, encodesItself) || holds(t, map[reflect.Type]bool{}, pointerMarshals) {
		p.encode = func([]byte, reflect.Value) ([]byte, error) { return nil, errStandard }
	} else {
		p.encode = encoderOf(t)
	}
	p.rooms.New = func() any { return &room{reflect.New(t).Elem()} }
	return p
}

func (p *plan) append(dst []byte, v any) ([]byte, error) {
	r := p.rooms.Get().(*room)
	r.v.Set(reflect.ValueOf(v))
	out, err := p.encode(dst, r.v)
	r.v.SetZero() // the pool must not hold on to what the event points to
	p.rooms.Put(r)
	return out, err
}

// encodesItself says whether what t is made of does not matter.
func encodesItself(t reflect.Type) bool {
	return t == numberType || t.Implements(marshalerType) || t.Implements(textType)
}

// pointerMarshals says whether only a pointer to t encodes itself.
func pointerMarshals(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	return p.Implements(marshalerType) && !t.Implements(marshalerType) ||
		p.Implements(textType) && !t.Implements(textType)
}

// recursive says whether a value of t can hold a value of t. What leaf says ends the walk.
func recursive(t reflect.Type, above []reflect.Type, leaf func(reflect.Type) bool) bool {
	for _, a := range above {
		if a == t {
			return true
		}
	}
	if leaf(t) {
		return false
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return recursive(t.Elem(), above, leaf)
	case reflect.Struct:
		for i := range t.NumField() {
			if recursive(t.Field(i).Type, above, leaf) {
				return true
			}
		}
	}
	return false
}

// encoderOf is how a part of an event is encoded. What is rare is left to the standard library, part
// by part.
func encoderOf(t reflect.Type) encodeFunc {
	switch {
	case t == timeType:
		return appendTime
	case t == stringMapType:
		return appendStringMap
	case encodesItself(t):
		return standard
	}
	switch t.Kind() {
	case reflect.String:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return appendString(dst, v.String()), nil }
	case reflect.Bool:
		return appendBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return appendInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return appendUint
	case reflect.Float32, reflect.Float64:
		return appendFloat(t.Bits())
	case reflect.Pointer:
		return pointer(encoderOf(t.Elem()))
	case reflect.Array:
		return list(encoderOf(t.Elem()))
	case reflect.Slice:
		return sliceOf(t)
	case reflect.Struct:
		return structOf(t)
	}
	return standard
}

func pointer(elem encodeFunc) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return elem(dst, v.Elem())
	}
}

func sliceOf(t reflect.Type) encodeFunc {
	e := t.Elem()
	if e.Kind() == reflect.Uint8 && !e.Implements(marshalerType) && !e.Implements(textType) {
		return appendBytes
	}
	all := list(encoderOf(e))
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return all(dst, v)
	}
}

func list(elem encodeFunc) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		dst = append(dst, '[')
		var err error
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = elem(dst, v.Index(i)); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
}

// field is one member of an object.
type field struct {
	index     int
	first     []byte // `"name":`
	later     []byte // `,"name":`
	encode    encodeFunc
	omitEmpty bool
	omitZero  bool
}

// structOf plans an object. Embedding, the option string, names that stand twice, and zeros that say
// so themselves are left to the standard library.
func structOf(t reflect.Type) encodeFunc {
	var fields []field
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous {
			return standard
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !validName(name) {
			name = f.Name
		}
		plain := field{index: i, encode: encoderOf(f.Type)}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "omitempty":
				plain.omitEmpty = true
			case "omitzero":
				plain.omitZero = true
			case "string":
				return standard
			}
		}
		if names[name] || plain.omitZero && f.Type != timeType && saysZero(f.Type) {
			return standard
		}
		names[name] = true
		plain.first = append(appendString(nil, name), ':')
		plain.later = append([]byte{','}, plain.first...)
		fields = append(fields, plain)
	}
	return object(fields)
}

func object(fields []field) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		dst = append(dst, '{')
		empty := true
		var err error
		for i := range fields {
			f := &fields[i]
			fv := v.Field(f.index)
			if f.omitEmpty && isEmpty(fv) || f.omitZero && isZero(fv) {
				continue
			}
			if empty {
				dst, empty = append(dst, f.first...), false
			} else {
				dst = append(dst, f.later...)
			}
			if dst, err = f.encode(dst, fv); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
}

// saysZero says whether the type has its own idea of zero.
func saysZero(t reflect.Type) bool {
	_, byValue := t.MethodByName("IsZero")
	_, byPointer := reflect.PointerTo(t).MethodByName("IsZero")
	return byValue || byPointer || t.Kind() == reflect.Interface
}

func isZero(v reflect.Value) bool {
	if v.Type() == timeType {
		return v.Addr().Interface().(*time.Time).IsZero()
	}
	return v.IsZero()
}

// isEmpty is what omitempty leaves out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct, reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128:
		return false
	}
	return v.IsZero()
}

// validName is what the standard library takes for a name in a tag.
func validName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// standard leaves one part to the standard library.
func standard(dst []byte, v reflect.Value) ([]byte, error) {
	data, err := stdjson.Marshal(v.Addr().Interface())
	if err != nil {
		return dst, errStandard
	}
	return append(dst, data...), nil
}
