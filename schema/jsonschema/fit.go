package jsonschema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// fit tells the first place where what a Go type is can never be what a schema asks for. What depends
// on the value (bounds, patterns, enums, which branch) is left to the value.
type fit struct {
	reading bool // the type takes what the schema allows, not the other way round
	seen    map[pair]bool
}

// fits compares the shape of a type with the one of a schema.
func (f *fit) fits(path string, typ, want *shape) error {
	typ, want = typ.deref(), want.deref()
	if typ == nil || want == nil || f.seen[pair{typ, want}] {
		return nil
	}
	f.seen[pair{typ, want}] = true
	switch {
	case typ.kind == anything || want.kind == anything:
		return nil
	case want.kind == nothing:
		return fmt.Errorf("at %s: the schema lets nothing be there", path)
	case typ.kind == combined && typ.how == allOf:
		return f.all(typ.parts, func(part *shape) error { return f.fits(path, part, want) })
	case typ.kind == combined:
		return f.any(typ.parts, func(part *shape) error { return f.fits(path, part, want) })
	case want.kind == combined && want.how == allOf:
		return f.all(want.parts, func(part *shape) error { return f.fits(path, typ, part) })
	case want.kind == combined:
		return f.any(want.parts, func(part *shape) error { return f.fits(path, typ, part) })
	}
	return f.same(path, typ, want)
}

func (*fit) all(parts []*shape, fits func(*shape) error) error {
	for _, part := range parts {
		if err := fits(part); err != nil {
			return err
		}
	}
	return nil
}

// any is satisfied by one of the parts; null alone is not what a type is for.
func (*fit) any(parts []*shape, fits func(*shape) error) error {
	var errs []error
	good := false
	for _, part := range parts {
		err := fits(part)
		good = good || err == nil && part.deref().kind != null
		if err != nil && part.deref().kind != null {
			errs = append(errs, err)
		}
	}
	if good || len(errs) == 0 {
		return nil
	}
	return errs[0]
}

var kindNames = map[shapeKind]string{number: "a number", text: "a string", boolean: "a boolean", null: "null", object: "an object", array: "an array"}

func (f *fit) same(path string, typ, want *shape) error {
	if kindNames[typ.kind] == "" || kindNames[want.kind] == "" {
		return nil // enums, constants and the like: by the value
	}
	if typ.kind != want.kind {
		if want.loose {
			return nil // keywords of another type say nothing of this one
		}
		return fmt.Errorf("at %s: the schema has %s, the Go type %s", path, kindNames[want.kind], kindNames[typ.kind])
	}
	switch typ.kind {
	case object:
		return f.object(path, typ, want)
	case array:
		if err := f.fits(path+"/items", typ.each, want.each); err != nil {
			return err
		}
		for i, item := range want.tuple {
			if err := f.fits(path+"/items/"+strconv.Itoa(i), typ.each, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fit) object(path string, typ, want *shape) error {
	if len(typ.properties) == 0 && typ.more != nil { // a map
		for _, name := range slices.Sorted(maps.Keys(want.properties)) {
			if err := f.fits(path+"/properties/"+escape(name), typ.more, want.properties[name]); err != nil {
				return err
			}
		}
		return f.fits(path+"/additionalProperties", typ.more, want.more)
	}
	for _, name := range slices.Sorted(maps.Keys(typ.properties)) {
		at := path + "/properties/" + escape(name)
		to := want.properties[name]
		if to == nil && !want.open() {
			to = want.covering(name)
			if to == nil && !f.reading && typ.required[name] {
				return fmt.Errorf("at %s: the Go type writes it, and the schema has no such property and allows no others", at)
			}
		}
		if err := f.fits(at, typ.properties[name], to); err != nil {
			return err
		}
	}
	if f.reading {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(want.required)) {
		if typ.properties[name] == nil && typ.closed {
			return fmt.Errorf("at %s/properties/%s: the schema requires it, and the Go type has no such field", path, escape(name))
		}
	}
	return nil
}

// errNotOurs: the schema was parsed by another language.
var errNotOurs = errors.New("the schema is no JSON Schema of this package")
