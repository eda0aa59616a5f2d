package avro

import (
	"fmt"
	"reflect"
	"unsafe"
)

// branchesOf splits a union into its null, -1 without one, and the number of its other branches,
// with the first of them.
func branchesOf(n *node) (null, first, others int) {
	null, first = -1, -1
	for i, b := range n.branches {
		switch {
		case b.kind == kindNull:
			null = i
		case first < 0:
			first = i
			others++
		default:
			others++
		}
	}
	return null, first, others
}

// union plans a union: of an interface any, of other types those of null and one more.
func (b *binder) union(n *node, t reflect.Type, sh shape, p place) (encodeFunc, error) {
	if sh == shapeUnion {
		return b.variants(n, t, p)
	}
	null, first, others := branchesOf(n)
	if others != 1 {
		return nil, p.fault("schema says a union of %d types, Go says %s: it takes an interface whose types a method Unions() []any lists", len(n.branches), t)
	}
	some := n.branches[first]
	switch {
	case sh == shapePointer && null < 0:
		return nil, p.differ(some, t, "the pointer may be nil, the schema has no null there: take the value itself")
	case sh == shapePointer:
		elem, err := b.encoder(some, t.Elem(), p)
		return optional2(byte(2*null), byte(2*first), isNil, func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
			return elem(dst, *(*unsafe.Pointer)(p), depth)
		}), err
	case null >= 0 && !p.empty && !nilable(sh):
		return nil, p.fault("schema says %s or null, Go says %s, which has no nil: take *%s, or tag it omitempty so that null is its zero", some.kind, t, t)
	}
	elem, err := b.encoder(some, t, place{path: p.path, owner: p.owner})
	if null < 0 || !p.empty && !nilable(sh) {
		return optional2(0, byte(2*first), func(unsafe.Pointer) bool { return false }, elem), err
	}
	return optional2(byte(2*null), byte(2*first), emptyOf(t, sh, p.empty), elem), err
}

func nilable(sh shape) bool { return sh == shapeList || sh == shapeMap || sh == shapeBytes }

// isNil is for a pointer, a slice and a map alike: their first word is.
func isNil(p unsafe.Pointer) bool { return *(*unsafe.Pointer)(p) == nil }

// emptyOf says which value of a Go type without a nil of its own is null.
func emptyOf(t reflect.Type, sh shape, omit bool) func(unsafe.Pointer) bool {
	if nilable(sh) && !omit {
		return isNil
	}
	return func(p unsafe.Pointer) bool {
		v := reflect.NewAt(t, p).Elem()
		return nilable(sh) && v.Len() == 0 || v.IsZero()
	}
}

// optional2 writes a union of null and another type. Its branches are few enough for one byte each.
func optional2(null, some byte, isNull func(unsafe.Pointer) bool, elem encodeFunc) encodeFunc {
	return func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		if isNull(p) {
			return append(dst, null), nil
		}
		return elem(append(dst, some), p, depth)
	}
}

// variantWriter writes one type that an interface may hold.
type variantWriter struct {
	branch  int
	pointer bool
	encode  encodeFunc
	rooms   *rooms
}

func (b *binder) variants(n *node, t reflect.Type, p place) (encodeFunc, error) {
	l, err := listOf(t, p.owner, b.root)
	if err != nil {
		return nil, p.fault("%v", err)
	}
	null, _, _ := branchesOf(n)
	if l.nullable && null < 0 {
		return nil, p.fault("Go lists nil among what %s may hold, the schema has no null there", t)
	}
	writers := map[reflect.Type]variantWriter{}
	for _, vt := range l.types {
		w := variantWriter{pointer: vt.Kind() == reflect.Pointer}
		under := vt
		if w.pointer {
			under = vt.Elem()
		}
		if w.branch, w.encode, err = b.branch(n, under, p); err != nil {
			return nil, err
		}
		w.rooms = roomsOf(under)
		writers[vt] = w
	}
	return func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		v := reflect.NewAt(t, p).Elem()
		if v.IsNil() {
			if null < 0 {
				return dst, errNil
			}
			return appendLong(dst, int64(null)), nil
		}
		v = v.Elem()
		w, ok := writers[v.Type()]
		if !ok {
			return dst, fmt.Errorf("a %s is none of the types that Unions lists for %s", v.Type(), t)
		}
		return w.append(appendLong(dst, int64(w.branch)), v, depth)
	}, nil
}

func (w *variantWriter) append(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if w.pointer {
		if v.IsNil() {
			return dst, errNil
		}
		return w.encode(dst, v.UnsafePointer(), depth)
	}
	return w.rooms.encode(w.encode, dst, v, depth)
}

// branch finds the branch of a type: the one of its name, or else the one that holds as much as it, or
// else the first that it goes with.
func (b *binder) branch(n *node, t reflect.Type, p place) (int, encodeFunc, error) {
	inside := place{path: p.path + "(" + t.String() + ")", owner: p.owner}
	var first error
	for _, wants := range []func(*node, reflect.Type) bool{isCalled, holds, goesWith} {
		for i, branch := range n.branches {
			if !wants(branch, t) {
				continue
			}
			encode, err := b.encoder(branch, t, inside)
			if err == nil {
				return i, encode, nil
			}
			if first == nil {
				first = err
			}
		}
	}
	if first == nil {
		first = inside.fault("Go lists it among what the interface may hold, the schema has no branch for it")
	}
	return 0, nil, first
}

// holds says whether a number of Avro is the one that the Go type derives: an int32 is no long where
// there is an int too. What is no number is told apart by its kind.
func holds(n *node, t reflect.Type) bool {
	wide := t.Size() == 8 || t.Kind() == reflect.Uint32
	switch n.kind {
	case kindInt, kindFloat:
		return !wide
	case kindLong, kindDouble:
		return wide
	}
	return n.kind != kindNull && !n.kind.named()
}

// goesWith leaves the question to the encoder.
func goesWith(n *node, _ reflect.Type) bool { return n.kind != kindNull }

// isCalled says whether a type of the schema has a name, that of the Go type.
func isCalled(n *node, t reflect.Type) bool {
	if !n.kind.named() {
		return false
	}
	if word, ok := says[named](t); ok {
		return n.name.full() == word.SchemaName()
	}
	return n.name.base == nameOf(t)
}
