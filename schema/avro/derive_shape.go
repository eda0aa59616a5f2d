package avro

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/leatdev/leat/schema"
)

// shape is what a Go type is to Avro.
type shape uint8

const (
	shapeNone shape = iota
	shapeBool
	shapeInt
	shapeUint
	shapeFloat
	shapeString
	shapeBytes
	shapeFixed    // [N]byte
	shapeUUID     // [16]byte that is a text
	shapeText     // MarshalText and UnmarshalText
	shapeTime     // time.Time
	shapeDuration // time.Duration
	shapeDecimal  // schema.Decimal, or a struct of nothing but one that is embedded
	shapeEnum     // Symbols
	shapeList     // a slice
	shapeArray    // of a fixed length
	shapeMap      // with strings for keys
	shapeStruct
	shapePointer
	shapeUnion // an interface
)

// What Go types say of themselves.
type (
	symbols   interface{ Symbols() []string }
	fallbacks interface{ DefaultSymbol() string }
	unions    interface{ Unions() []any }
	sized     interface {
		DecimalSize() (precision, scale int)
	}
	named interface{ SchemaName() string }
)

var (
	timeType      = reflect.TypeFor[time.Time]()
	durationType  = reflect.TypeFor[time.Duration]()
	decimalType   = reflect.TypeFor[schema.Decimal]()
	stringMapType = reflect.TypeFor[map[string]string]()
	byteType      = reflect.TypeFor[byte]()
	marshalText   = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshalText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// says is the type's own word: a method on it or on a pointer to it, asked of the zero value.
func says[T any](t reflect.Type) (T, bool) {
	var none T
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return none, false
	}
	word, ok := reflect.New(t).Interface().(T)
	return word, ok
}

func isText(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshalText) && p.Implements(unmarshalText)
}

// isUUID says whether the text of 16 bytes is that of a UUID; others, ULIDs for one, have another.
func isUUID(t reflect.Type) bool {
	v := reflect.New(t)
	sample := [16]byte{0x01, 0x9a, 0xa7, 0xc2, 0x5b, 0x6e, 0x7c, 0x1a, 0x9d, 0x0e, 0x3f, 0x2b, 0x1a, 0x4c, 0x5d, 0x6e}
	v.Elem().Set(reflect.ValueOf(sample).Convert(t))
	text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	return err == nil && string(text) == string(appendUUID(nil, sample))
}

// embedsDecimal says whether t is a struct of one embedded decimal.
func embedsDecimal(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Anonymous && t.Field(0).Type == decimalType
}

func shapeOf(t reflect.Type) shape {
	switch {
	case t == timeType:
		return shapeTime
	case t == durationType:
		return shapeDuration
	case t == decimalType || embedsDecimal(t):
		return shapeDecimal
	}
	k := t.Kind()
	if _, is := says[symbols](t); is && (k == reflect.String || isInt(k) || isUint(k)) {
		return shapeEnum
	}
	bytes := (k == reflect.Slice || k == reflect.Array) && t.Elem() == byteType
	if k != reflect.Interface && k != reflect.Pointer && isText(t) {
		if bytes && k == reflect.Array && t.Len() == 16 && isUUID(t) {
			return shapeUUID
		}
		return shapeText
	}
	return shapeOfKind(t, bytes)
}

func shapeOfKind(t reflect.Type, bytes bool) shape {
	k := t.Kind()
	switch {
	case bytes && k == reflect.Slice:
		return shapeBytes
	case bytes:
		return shapeFixed
	case isInt(k):
		return shapeInt
	case isUint(k):
		return shapeUint
	case k == reflect.Map && t.Key().Kind() == reflect.String:
		return shapeMap
	}
	return map[reflect.Kind]shape{
		reflect.Bool: shapeBool, reflect.Float32: shapeFloat, reflect.Float64: shapeFloat, reflect.String: shapeString,
		reflect.Slice: shapeList, reflect.Array: shapeArray, reflect.Struct: shapeStruct, reflect.Pointer: shapePointer,
		reflect.Interface: shapeUnion,
	}[k]
}

func isInt(k reflect.Kind) bool  { return k >= reflect.Int && k <= reflect.Int64 }
func isUint(k reflect.Kind) bool { return k >= reflect.Uint && k <= reflect.Uint64 }

// nameOf is what a type is called where it is not called otherwise. Type arguments become part of it.
func nameOf(t reflect.Type) string {
	name := t.Name()
	if i := strings.IndexByte(name, '['); i >= 0 {
		args := strings.Split(strings.Trim(name[i:], "[]"), ",")
		name = name[:i]
		for _, a := range args {
			name += "_" + a[strings.LastIndexAny(a, "./*[]")+1:]
		}
	}
	return plainName(name)
}

// plainName puts an underscore in the place of what no name may hold.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		s = "_" + s
	}
	return s
}

// list are the types that an interface may hold.
type list struct {
	types    []reflect.Type
	nullable bool
}

// listOf finds the list of an interface: in the struct that has the field, or else in the event.
func listOf(iface, owner, root reflect.Type) (list, error) {
	for _, t := range []reflect.Type{owner, root} {
		if t == nil {
			continue
		}
		u, ok := says[unions](t)
		if !ok {
			continue
		}
		for _, entry := range u.Unions() {
			v := reflect.ValueOf(entry)
			if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Interface {
				return list{}, fmt.Errorf("%s.Unions returns a %T: each entry is a slice of an interface, for example []Payment{Card{}, Transfer{}}", t, entry)
			}
			if v.Type().Elem() != iface {
				continue
			}
			var l list
			for i := range v.Len() {
				if v.Index(i).IsNil() {
					l.nullable = true
					continue
				}
				l.types = append(l.types, v.Index(i).Elem().Type())
			}
			return l, nil
		}
	}
	return list{}, fmt.Errorf("what the interface %s may hold is not said: give %s a method Unions() []any { return []any{[]%s{...}} } that lists a value of each type", iface, owner, iface.Name())
}
