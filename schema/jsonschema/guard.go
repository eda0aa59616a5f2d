package jsonschema

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"

	"github.com/leatdev/leat/schema"
)

// guard checks of a value what its type leaves open of the schema that was derived from it: that
// enums hold one of their values and interfaces one of their types. All else is so by the way that
// the encoder writes the type.
type guard func(v reflect.Value) error

// guards makes them. ok is false for what only the document can tell: types that encode themselves
// by pointer do so depending on where they lie.
type guards struct {
	root   reflect.Type
	made   map[reflect.Type]*guard
	unsure bool
}

// guardOf is the guard of t, nil where nothing is open.
func guardOf(t reflect.Type) (g guard, ok bool) {
	gs := &guards{root: t, made: map[reflect.Type]*guard{}}
	g = gs.of(t, t)
	return g, !gs.unsure
}

func (gs *guards) of(t, owner reflect.Type) guard {
	p := reflect.PointerTo(t)
	byPointer := t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface &&
		(p.Implements(marshalerType) && !t.Implements(marshalerType) || p.Implements(textType) && !t.Implements(textType))
	switch {
	case byPointer:
		gs.unsure = true
		return nil
	case t.Kind() == reflect.Interface:
		return gs.union(t, owner)
	case t.Kind() == reflect.Pointer:
		return behind(gs.of(t.Elem(), owner))
	case isEnum(t):
		return oneOfValues(t)
	case t == numberType:
		return nil
	case encodesItself(t):
		return nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return each(gs.of(t.Elem(), owner))
	case reflect.Map:
		return eachValue(gs.of(t.Elem(), owner))
	case reflect.Struct:
		return gs.object(t)
	}
	return nil
}

func behind(g guard) guard {
	if g == nil {
		return nil
	}
	return func(v reflect.Value) error {
		if v.IsNil() {
			return nil
		}
		return g(v.Elem())
	}
}

func each(g guard) guard {
	if g == nil {
		return nil
	}
	return func(v reflect.Value) error {
		for i := range v.Len() {
			if err := g(v.Index(i)); err != nil {
				return fmt.Errorf("/%d%w", i, err)
			}
		}
		return nil
	}
}

func eachValue(g guard) guard {
	if g == nil {
		return nil
	}
	return func(v reflect.Value) error {
		for it := v.MapRange(); it.Next(); {
			if err := g(it.Value()); err != nil {
				return fmt.Errorf("/%v%w", it.Key(), err)
			}
		}
		return nil
	}
}

func oneOfValues(t reflect.Type) guard {
	values := reflect.New(t).Interface().(symbols).Symbols()
	isText := t.Implements(textType)
	return func(v reflect.Value) error {
		got := ""
		if isText {
			data, err := v.Interface().(encoding.TextMarshaler).MarshalText()
			if err != nil {
				return fmt.Errorf(": %w", err)
			}
			got = string(data)
		} else {
			got = v.String()
		}
		if !slices.Contains(values, got) {
			return fmt.Errorf(": value must be one of %q", values)
		}
		return nil
	}
}

func (gs *guards) union(t, owner reflect.Type) guard {
	if t.NumMethod() == 0 {
		return nil
	}
	holds, err := heldBy(t, owner, gs.root)
	if err != nil {
		gs.unsure = true
		return nil
	}
	inner := make([]guard, len(holds))
	for i, h := range holds {
		inner[i] = gs.of(h, owner)
	}
	return func(v reflect.Value) error {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return nil // null, as the interface itself may be
			}
			v = v.Elem()
		}
		i := slices.Index(holds, v.Type())
		if i < 0 {
			return fmt.Errorf(": %s is not in the list of what a %s may hold", v.Type(), t)
		}
		if inner[i] == nil {
			return nil
		}
		return inner[i](v)
	}
}

// object guards the fields that leave something open, where they are written.
func (gs *guards) object(t reflect.Type) guard {
	if g := gs.made[t]; g != nil { // a circle: found out when it is walked
		return func(v reflect.Value) error {
			if *g == nil {
				return nil
			}
			return (*g)(v)
		}
	}
	made := new(guard)
	gs.made[t] = made
	type open struct {
		schema.Field
		guard guard
	}
	var fields []open
	for _, f := range schema.Fields(t) {
		if f.Quoted && quotable(f.Type) {
			continue
		}
		if g := gs.of(f.Type, t); g != nil {
			fields = append(fields, open{f, g})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	*made = func(v reflect.Value) error {
		for _, f := range fields {
			fv, err := v.FieldByIndexErr(f.Index)
			if err != nil || f.OmitEmpty && empty(fv) || f.OmitZero && zero(fv) {
				continue
			}
			if err := f.guard(fv); err != nil {
				return fmt.Errorf("/%s%w", escape(f.Name), err)
			}
		}
		return nil
	}
	return *made
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// zero is what omitzero leaves out.
func zero(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer && v.IsNil() || v.Kind() == reflect.Interface && v.IsNil() {
		return true
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	if z, ok := p.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return v.IsZero()
}
