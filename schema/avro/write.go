package avro

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/leatdev/leat/schema"
)

// encodeFunc appends the value at p, which is of the Go type that the plan was made for: reflection
// is for making plans, and costs too much per value. depth counts the records around it.
type encodeFunc func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error)

// binder plans how values of a Go type are written by a schema, once.
type binder struct {
	root    reflect.Type
	records map[bound]*recordWriter
	moved   bool // something must not be written where it lies: its MarshalText has a pointer
}

// bound is a type of the schema with the Go type that it meets, and where its unions are listed.
type bound struct {
	n *node
	t reflect.Type
}

type writerOf struct {
	t      reflect.Type // never a pointer
	name   string
	encode encodeFunc
	rooms  *rooms // nil: values are written where they lie
}

// rooms are where values lie that have no address of their own.
type rooms struct{ sync.Pool }

func roomsOf(t reflect.Type) *rooms {
	return &rooms{sync.Pool{New: func() any { v := reflect.New(t).Elem(); return &v }}}
}

func (r *rooms) encode(encode encodeFunc, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	room := r.Get().(*reflect.Value)
	room.Set(v)
	dst, err := encode(dst, room.Addr().UnsafePointer(), depth)
	room.SetZero() // the pool must not hold on to what the value points to
	r.Put(room)
	return dst, err
}

// inside is where the value in an interface lies. That of one word may be the interface's own.
func inside(v *any) unsafe.Pointer { return (*[2]unsafe.Pointer)(unsafe.Pointer(v))[1] }

// boxed says whether an interface points to its value.
func boxed(t reflect.Type) bool { return t.Size() > unsafe.Sizeof(uintptr(0)) }

func newWriter(t reflect.Type, n *node) (schema.Writer, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	b := &binder{root: t}
	encode, err := b.encoder(n, t, place{path: nameOf(t)})
	if err != nil {
		return nil, fmt.Errorf("write %s by the schema %s: %w", t, n.fullName(), err)
	}
	w := &writerOf{t: t, name: n.fullName(), encode: encode}
	if b.moved || !boxed(t) {
		w.rooms = roomsOf(t)
	}
	return w, nil
}

// Index is nil: only Protobuf has one.
func (*writerOf) Index() []int { return nil }

// Append appends the encoding of v, a value of the writer's type or a pointer to one. After an error
// dst is what it was.
func (w *writerOf) Append(dst []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	var out []byte
	var err error
	switch {
	case rv.IsValid() && rv.Type() == w.t && w.rooms != nil:
		out, err = w.rooms.encode(w.encode, dst, rv, 0)
	case rv.IsValid() && rv.Type() == w.t:
		out, err = w.encode(dst, inside(&v), 0)
	case rv.Kind() == reflect.Pointer && rv.Type().Elem() == w.t && !rv.IsNil():
		out, err = w.encode(dst, rv.UnsafePointer(), 0)
	default:
		err = fmt.Errorf("the value is a %T, the writer is for %s", v, w.t)
	}
	if err != nil {
		return dst, fmt.Errorf("write %s as Avro: %w", w.name, err)
	}
	return out, nil
}

func appendLong(dst []byte, n int64) []byte {
	u := uint64(n)<<1 ^ uint64(n>>63)
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

func appendText8(dst []byte, s string) []byte { return append(appendLong(dst, int64(len(s))), s...) }

// encoder plans one type.
func (b *binder) encoder(n *node, t reflect.Type, p place) (encodeFunc, error) {
	sh := shapeOf(t)
	switch {
	case n.kind == kindUnion:
		return b.union(n, t, sh, p)
	case sh == shapePointer:
		return nil, p.differ(n, t, "the pointer may be nil, the schema has no null there: take the value itself, or a union with null")
	case n.kind == kindRecord && sh == shapeStruct:
		return b.record(n, t, p)
	case n.kind == kindArray && (sh == shapeList || sh == shapeArray):
		elem, err := b.encoder(n.elem, t.Elem(), place{path: p.path + "[]", owner: p.owner})
		if sh == shapeArray {
			return arrayEncoder(elem, t), err
		}
		return listEncoder(elem, t.Elem().Size()), err
	case n.kind == kindMap && sh == shapeMap:
		elem, err := b.encoder(n.elem, t.Elem(), place{path: p.path + "{}", owner: p.owner})
		if t == stringMapType && n.elem.kind == kindString {
			return encodeStringMap, err
		}
		return mapEncoder(t, elem), err
	}
	if encode := scalarEncoder(n, t, sh); encode != nil {
		b.moved = b.moved || sh == shapeText && !t.Implements(marshalText)
		return encode, nil
	}
	if n.kind == kindEnum {
		return enumEncoder(n, t, sh, p)
	}
	return nil, p.differ(n, t, hint(n))
}

// hint says what Go types a type of the schema goes with.
func hint(n *node) string {
	l, _ := logicalOf(n)
	switch {
	case l.name == "decimal":
		return "it takes a schema.Decimal"
	case times[l.name] != 0:
		return "it takes a time.Time or an integer"
	}
	return "it takes " + [...]string{
		"nothing in Go", "a bool", "an integer", "an integer", "a float32", "a float64", "a []byte",
		"a string, or a type with MarshalText and UnmarshalText", "a struct",
		"a string type, or an integer type with a method Symbols() []string",
		fmt.Sprintf("a [%d]byte", n.size), "a slice or an array", "a map with strings for keys", "", "",
	}[n.kind]
}

// sliceHead is how Go holds a slice.
type sliceHead struct {
	data unsafe.Pointer
	len  int
	cap  int
}

func listEncoder(elem encodeFunc, stride uintptr) encodeFunc {
	return func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		head := (*sliceHead)(p)
		return appendItems(dst, head.data, head.len, elem, stride, depth)
	}
}

func arrayEncoder(elem encodeFunc, t reflect.Type) encodeFunc {
	n, stride := t.Len(), t.Elem().Size()
	return func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		return appendItems(dst, p, n, elem, stride, depth)
	}
}

func appendItems(dst []byte, p unsafe.Pointer, n int, elem encodeFunc, stride uintptr, depth int) ([]byte, error) {
	if n == 0 {
		return append(dst, 0), nil
	}
	dst = appendLong(dst, int64(n))
	var err error
	for i := range n {
		if dst, err = elem(dst, unsafe.Add(p, uintptr(i)*stride), depth); err != nil {
			return dst, at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return append(dst, 0), nil
}

// encodeStringMap writes in the order of the keys: the same value gives the same bytes.
func encodeStringMap(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	m := *(*map[string]string)(p)
	if len(m) == 0 {
		return append(dst, 0), nil
	}
	var few [16]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = appendLong(dst, int64(len(m)))
	for _, k := range keys {
		dst = appendText8(appendText8(dst, k), m[k])
	}
	return append(dst, 0), nil
}

func mapEncoder(t reflect.Type, elem encodeFunc) encodeFunc {
	return func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		v := reflect.NewAt(t, p).Elem()
		if v.Len() == 0 {
			return append(dst, 0), nil
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		dst = appendLong(dst, int64(len(keys)))
		item := reflect.New(t.Elem()).Elem()
		var err error
		for _, k := range keys {
			item.Set(v.MapIndex(k))
			if dst, err = elem(appendText8(dst, k.String()), item.Addr().UnsafePointer(), depth); err != nil {
				return dst, at(fmt.Sprintf("{%q}", k.String()), err)
			}
		}
		return append(dst, 0), nil
	}
}

// recordWriter writes the fields of a record in the order of the schema.
type recordWriter struct{ fields []fieldWriter }

type fieldWriter struct {
	name   string
	offset uintptr // in the struct
	encode encodeFunc
	fixed  []byte // the default of a field that Go does not have
}

func (b *binder) record(n *node, t reflect.Type, p place) (encodeFunc, error) {
	key := bound{n, t}
	if r := b.records[key]; r != nil {
		return r.encode, nil
	}
	if b.records == nil {
		b.records = map[bound]*recordWriter{}
	}
	r := &recordWriter{}
	b.records[key] = r
	fields := schema.Fields(t)
	for _, gf := range fields {
		if n.byName[fieldName(gf)] == nil {
			delete(b.records, key)
			return nil, p.in("."+fieldName(gf)).fault("Go has the field %s, the schema does not, so it would be lost: add it to the schema, or tag it `json:\"-\"`", gf.Go)
		}
	}
	for _, f := range n.fields {
		w, err := b.field(f, fields, t, p.in("."+f.name))
		if err != nil {
			delete(b.records, key)
			return nil, err
		}
		r.fields = append(r.fields, w)
	}
	return r.encode, nil
}

func (b *binder) field(f *field, fields []schema.Field, t reflect.Type, p place) (w fieldWriter, err error) {
	w.name = f.name
	i := slices.IndexFunc(fields, func(gf schema.Field) bool { return fieldName(gf) == f.name })
	if i < 0 {
		if f.fallback == nil {
			return w, p.fault("schema says %s and no default, Go has no such field: add it to %s, or give it a default in the schema", f.typ.kind, t)
		}
		if w.fixed, err = appendDefault(nil, f.typ, f.fallback); err != nil {
			return w, p.fault("its default does not fit: %v", err)
		}
		return w, nil
	}
	gf := fields[i]
	if gf.Indirect {
		return w, p.fault("%s lies in a struct that is embedded by pointer: embed the struct itself", gf.Go)
	}
	p.owner, p.empty = t, gf.OmitEmpty || gf.OmitZero
	w.offset = offsetOf(t, gf.Index)
	w.encode, err = b.encoder(f.typ, gf.Type, p)
	return w, err
}

// offsetOf is where a field lies in a struct, itself or in one that is embedded.
func offsetOf(t reflect.Type, index []int) (offset uintptr) {
	for _, i := range index {
		f := t.Field(i)
		offset += f.Offset
		t = f.Type
	}
	return offset
}

func (r *recordWriter) encode(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
	if depth++; depth > maxNesting {
		return dst, fmt.Errorf("%w: does the value point to itself?", errDeep)
	}
	var err error
	for i := range r.fields {
		f := &r.fields[i]
		if f.encode == nil {
			dst = append(dst, f.fixed...)
			continue
		}
		if dst, err = f.encode(dst, unsafe.Add(p, f.offset), depth); err != nil {
			return dst, at("."+f.name, err)
		}
	}
	return dst, nil
}

var errNil = errors.New("it is nil, and the schema has no null there")
