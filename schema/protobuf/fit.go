package protobuf

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fits checks that what a Go message writes means the same in a registered one: every field of the Go
// type is there by number, name and type, and nothing is required that the Go type lacks.
func fits(goType, registered protoreflect.MessageDescriptor) error {
	return fitting{}.message(string(goType.FullName()), goType, registered)
}

type fitting map[protoreflect.FullName]bool

func (f fitting) message(path string, g, s protoreflect.MessageDescriptor) error {
	if f[g.FullName()] {
		return nil
	}
	f[g.FullName()] = true
	if g.FullName() != s.FullName() {
		return fmt.Errorf("%s is a %s in Go and a %s in the schema", path, g.FullName(), s.FullName())
	}
	for i := range g.Fields().Len() {
		gf := g.Fields().Get(i)
		at := fmt.Sprintf("%s.%s (%d)", path, gf.Name(), gf.Number())
		sf := s.Fields().ByNumber(gf.Number())
		switch {
		case sf == nil:
			return fmt.Errorf("%s is not in the schema: register one that has it", at)
		case sf.Name() != gf.Name():
			return fmt.Errorf("%s is called %s in the schema", at, sf.Name())
		}
		if err := f.field(at, gf, sf); err != nil {
			return err
		}
	}
	for i := range s.Fields().Len() {
		sf := s.Fields().Get(i)
		if sf.Cardinality() == protoreflect.Required && g.Fields().ByNumber(sf.Number()) == nil {
			return fmt.Errorf("%s.%s (%d) is required by the schema and not in the Go type", path, sf.Name(), sf.Number())
		}
	}
	return nil
}

func (f fitting) field(at string, g, s protoreflect.FieldDescriptor) error {
	switch {
	case g.IsMap() && s.IsMap():
		if err := f.field(at+" key", g.MapKey(), s.MapKey()); err != nil {
			return err
		}
		return f.field(at+" value", g.MapValue(), s.MapValue())
	case g.IsMap() != s.IsMap() || g.IsList() != s.IsList() || g.Kind() != s.Kind():
		return fmt.Errorf("%s is %s in Go and %s in the schema", at, typeName(g), typeName(s))
	case g.Message() != nil:
		return f.message(at, g.Message(), s.Message())
	case g.Enum() != nil:
		for i := range g.Enum().Values().Len() {
			v := g.Enum().Values().Get(i)
			if s.Enum().Values().ByNumber(v.Number()) == nil {
				return fmt.Errorf("%s: the enum's value %s (%d) is not in the schema", at, v.Name(), v.Number())
			}
		}
	}
	return nil
}

func typeName(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "a map"
	case f.IsList():
		return "repeated " + f.Kind().String()
	}
	return f.Kind().String()
}

// misread are the rules that tell of values taken for something else, or lost although the reader has
// the field. The other rules tell of what a reader does without.
var misread = []string{fieldKindChanged, fieldScalarKindChanged, fieldNamedTypeChanged, fieldNumericLabelChanged}

// readable checks that a Go type takes no value of the writer's for another.
func readable(goType, written protoreflect.MessageDescriptor) error {
	c := &comparison{judged: map[[2]protoreflect.FullName]bool{}, apart: true}
	c.message([]string{localName(written)}, written, goType)
	for _, d := range c.found {
		if slices.Contains(misread, d.Kind) {
			return fmt.Errorf("the Go type would misread what was written: %s; %s", d, d.Breaks)
		}
	}
	return nil
}
