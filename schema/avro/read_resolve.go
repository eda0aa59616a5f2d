package avro

import (
	"reflect"
	"slices"
	"unsafe"

	"github.com/leatdev/leat/schema"
)

// resolution plans how data of a writer's schema is read into values of a Go type, as a reader's
// schema sees them, once.
type resolution struct {
	root    reflect.Type
	records map[resolved]*recordReader
	skips   map[*node]*recordSkipper
}

type resolved struct {
	w, r *node
	t    reflect.Type
}

// decoder plans one type.
func (c *resolution) decoder(w, r *node, t reflect.Type, p place) (decodeFunc, error) {
	sh := shapeOf(t)
	switch {
	case w.kind == kindUnion:
		return c.writerUnion(w, r, t, p)
	case r.kind == kindUnion:
		return c.readerUnion(w, r, t, sh, p)
	case sh == shapePointer:
		return nil, p.differ(r, t, "the pointer may be nil, the schema has no null there: take the value itself, or a union with null")
	case r.kind == kindRecord && w.kind == kindRecord && sh == shapeStruct:
		return c.record(w, r, t, p)
	case r.kind == kindArray && w.kind == kindArray && (sh == shapeList || sh == shapeArray):
		elem, err := c.decoder(w.elem, r.elem, t.Elem(), place{path: p.path + "[]", owner: p.owner})
		if sh == shapeArray {
			return arrayDecoder(elem, t, size(w.elem)), err
		}
		return listDecoder(elem, t, size(w.elem)), err
	case r.kind == kindMap && w.kind == kindMap && sh == shapeMap:
		elem, err := c.decoder(w.elem, r.elem, t.Elem(), place{path: p.path + "{}", owner: p.owner})
		if t == stringMapType && w.elem.kind == kindString && r.elem.kind == kindString {
			return decodeStringMap, err
		}
		return mapDecoder(t, elem, size(w.elem)), err
	}
	if !promotes(w, r) {
		return nil, p.fault("the writer's schema says %s, the reader's says %s, which can't be read from it", w.fullName(), r.fullName())
	}
	if r.kind == kindEnum {
		return enumDecoder(w, r, t, sh, p)
	}
	if decode := scalarDecoder(w, r, t, sh); decode != nil {
		return decode, nil
	}
	return nil, p.differ(r, t, hint(r))
}

// promotes says whether a value of w is one of r, or becomes one. What is inside of records, lists
// and maps is not looked at.
func promotes(w, r *node) bool {
	switch {
	case w.kind == r.kind:
		return w.kind != kindFixed && w.kind != kindEnum || w.name.base == r.name.base && w.size == r.size || slices.Contains(r.aliasNames(), w.name.full()) && w.size == r.size
	case r.kind == kindLong:
		return w.kind == kindInt
	case r.kind == kindFloat:
		return w.kind == kindInt || w.kind == kindLong
	case r.kind == kindDouble:
		return w.kind == kindInt || w.kind == kindLong || w.kind == kindFloat
	case r.kind == kindString:
		return w.kind == kindBytes
	case r.kind == kindBytes:
		return w.kind == kindString
	}
	return false
}

// writerUnion plans each branch; one that can't be read is told when it is met.
func (c *resolution) writerUnion(w, r *node, t reflect.Type, p place) (decodeFunc, error) {
	decode, faults := make([]decodeFunc, len(w.branches)), make([]error, len(w.branches))
	var first error
	some := len(w.branches) == 0
	for i, b := range w.branches {
		decode[i], faults[i] = c.decoder(b, r, t, p)
		some = some || faults[i] == nil && b.kind != kindNull
		if b.kind != kindNull && first == nil {
			first = faults[i]
		}
	}
	if !some && first != nil {
		return nil, first
	}
	return func(d *decoder, p unsafe.Pointer) error {
		i, err := d.branch(len(decode))
		if err != nil {
			return err
		}
		if faults[i] != nil {
			return faults[i]
		}
		return decode[i](d, p)
	}, nil
}

// readerUnion finds the branch that a value of w becomes: of its own type and name, or else of its
// type, or else the first that it can be promoted to.
func (c *resolution) readerUnion(w, r *node, t reflect.Type, sh shape, p place) (decodeFunc, error) {
	var first error
	for _, closeness := range []func(b *node) bool{
		func(b *node) bool { return b.kind == w.kind && (!b.kind.named() || b.name.base == w.name.base) },
		func(b *node) bool { return b.kind == w.kind },
		func(b *node) bool { return promotes(w, b) },
	} {
		for _, b := range r.branches {
			if !closeness(b) {
				continue
			}
			decode, err := c.intoBranch(w, b, r, t, sh, p)
			if err == nil {
				return decode, nil
			}
			if first == nil {
				first = err
			}
		}
	}
	if first == nil {
		first = p.fault("the writer's schema says %s, which is none of the reader's branches", w.fullName())
	}
	return nil, first
}

func (c *resolution) intoBranch(w, b, r *node, t reflect.Type, sh shape, p place) (decodeFunc, error) {
	null, _, others := branchesOf(r)
	switch {
	case sh == shapeUnion:
		return c.variant(w, b, r, t, p)
	case others != 1:
		return nil, p.fault("schema says a union of %d types, Go says %s: it takes an interface whose types a method Unions() []any lists", len(r.branches), t)
	case null >= 0 && sh != shapePointer && !p.empty && !nilable(sh):
		return nil, p.fault("schema says a union with null, Go says %s, which has no nil: take *%s, or tag it omitempty so that null is its zero", t, t)
	case b.kind == kindNull:
		return func(*decoder, unsafe.Pointer) error { return nil }, nil // it is zero
	case sh != shapePointer:
		return c.decoder(w, b, t, place{path: p.path, owner: p.owner})
	}
	elem, err := c.decoder(w, b, t.Elem(), place{path: p.path, owner: p.owner})
	return func(d *decoder, p unsafe.Pointer) error {
		item := reflect.New(t.Elem()).UnsafePointer()
		*(*unsafe.Pointer)(p) = item
		return elem(d, item)
	}, err
}

// variant reads one branch into the type that the interface has for it.
func (c *resolution) variant(w, b, r *node, t reflect.Type, p place) (decodeFunc, error) {
	l, err := listOf(t, p.owner, c.root)
	if err != nil {
		return nil, p.fault("%v", err)
	}
	if b.kind == kindNull {
		if !l.nullable {
			return nil, p.fault("schema says it may be null, Go does not list nil among what %s may hold", t)
		}
		return func(*decoder, unsafe.Pointer) error { return nil }, nil // it is zero
	}
	writer := &binder{root: c.root}
	for _, vt := range l.types {
		under := vt
		if vt.Kind() == reflect.Pointer {
			under = vt.Elem()
		}
		if i, _, err := writer.branch(r, under, p); err != nil || r.branches[i] != b {
			continue
		}
		elem, err := c.decoder(w, b, under, place{path: p.path + "(" + under.String() + ")", owner: p.owner})
		return func(d *decoder, p unsafe.Pointer) error {
			item := reflect.New(under)
			if err := elem(d, item.UnsafePointer()); err != nil {
				return err
			}
			v := reflect.NewAt(t, p).Elem()
			if vt != under {
				v.Set(item)
			} else {
				v.Set(item.Elem())
			}
			return nil
		}, err
	}
	return nil, p.fault("schema says it may be %s, Go lists no such type among what %s may hold", b.fullName(), t)
}

// recordReader reads the writer's fields in their order, then sets what only the reader knows.
type recordReader struct {
	fields []fieldReader
}

type fieldReader struct {
	name     string
	offset   uintptr    // in the struct
	decode   decodeFunc // nil: nobody wants it
	skip     skipFunc
	missing  bool // the writer does not know it: decode reads the default
	fallback []byte
}

func (c *resolution) record(w, r *node, t reflect.Type, p place) (decodeFunc, error) {
	key := resolved{w, r, t}
	if rec := c.records[key]; rec != nil {
		return rec.decode, nil
	}
	if c.records == nil {
		c.records = map[resolved]*recordReader{}
	}
	rec := &recordReader{}
	c.records[key] = rec
	if err := c.fields(rec, w, r, t, p); err != nil {
		delete(c.records, key)
		return nil, err
	}
	return rec.decode, nil
}

func (c *resolution) fields(rec *recordReader, w, r *node, t reflect.Type, p place) error {
	own := map[string]schema.Field{}
	for _, gf := range schema.Fields(t) {
		name := fieldName(gf)
		if r.byName[name] == nil {
			return p.in("."+name).fault("Go has the field %s, the schema does not, so it would never be filled: add it to the schema, or tag it `json:\"-\"`", gf.Go)
		}
		if gf.Indirect {
			return p.in("."+name).fault("%s lies in a struct that is embedded by pointer: embed the struct itself", gf.Go)
		}
		own[name] = gf
	}
	known := map[string]bool{}
	for _, wf := range w.fields {
		f := fieldReader{name: wf.name}
		rf := readerField(w, r, wf.name)
		gf, wanted := schema.Field{}, false
		if rf != nil {
			known[rf.name] = true
			gf, wanted = own[rf.name]
		}
		if !wanted {
			f.skip = c.skip(wf.typ)
		} else {
			var err error
			f.offset = offsetOf(t, gf.Index)
			inside := place{path: p.path + "." + rf.name, owner: t, empty: gf.OmitEmpty || gf.OmitZero}
			if f.decode, err = c.decoder(wf.typ, rf.typ, gf.Type, inside); err != nil {
				return err
			}
		}
		rec.fields = append(rec.fields, f)
	}
	return c.missing(rec, r, known, own, t, p)
}

// readerField is the reader's field for one of the writer's: of its name, or with that for an alias.
func readerField(w, r *node, name string) *field {
	if f := r.byName[name]; f != nil {
		return f
	}
	for _, f := range r.fields {
		if w.byName[f.name] == nil && slices.Contains(f.aliases, name) {
			return f
		}
	}
	return nil
}

// missing plans the fields that the writer does not know.
func (c *resolution) missing(rec *recordReader, r *node, known map[string]bool, own map[string]schema.Field, t reflect.Type, p place) error {
	for _, rf := range r.fields {
		if known[rf.name] {
			continue
		}
		inside := p.in("." + rf.name)
		if rf.fallback == nil {
			return inside.fault("the writer's schema has no such field, and the reader's gives it no default: give it one, `default:\"...\"` in Go")
		}
		gf, wanted := own[rf.name]
		if !wanted {
			continue
		}
		data, err := appendDefault(nil, rf.typ, rf.fallback)
		if err != nil {
			return inside.fault("its default does not fit: %v", err)
		}
		inside.owner, inside.empty = t, gf.OmitEmpty || gf.OmitZero
		f := fieldReader{name: rf.name, offset: offsetOf(t, gf.Index), missing: true, fallback: data}
		if f.decode, err = c.decoder(rf.typ, rf.typ, gf.Type, inside); err != nil {
			return err
		}
		rec.fields = append(rec.fields, f)
	}
	return nil
}

func (rec *recordReader) decode(d *decoder, p unsafe.Pointer) error {
	if err := d.enter(); err != nil {
		return err
	}
	for i := range rec.fields {
		f := &rec.fields[i]
		var err error
		switch {
		case f.decode == nil:
			err = f.skip(d)
		case f.missing:
			err = f.decode(&decoder{data: f.fallback, depth: d.depth}, unsafe.Add(p, f.offset))
		default:
			err = f.decode(d, unsafe.Add(p, f.offset))
		}
		if err != nil {
			return at("."+f.name, err)
		}
	}
	d.depth--
	return nil
}
