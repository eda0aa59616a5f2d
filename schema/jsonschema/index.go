package jsonschema

import (
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// index notes all compiled schemas by their places, so that references can be followed from the text.
func (p *program) index(from *validator.Schema) {
	open := []*validator.Schema{from}
	add := func(s *validator.Schema) {
		if s != nil && p.byPlace[s.Location] == nil {
			p.byPlace[s.Location] = s
			open = append(open, s)
		}
	}
	add(from)
	for len(open) > 0 {
		s := open[len(open)-1]
		open = open[:len(open)-1]
		parts(s, add)
	}
}

// parts calls add with all schemas that s is made of or refers to.
func parts(s *validator.Schema, add func(*validator.Schema)) {
	for _, one := range []*validator.Schema{
		s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.Contains,
		s.UnevaluatedProperties, s.UnevaluatedItems, s.Items2020, s.ContentSchema,
	} {
		add(one)
	}
	if s.DynamicRef != nil {
		add(s.DynamicRef.Ref)
	}
	for _, list := range [][]*validator.Schema{s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems} {
		for _, one := range list {
			add(one)
		}
	}
	for _, byName := range []map[string]*validator.Schema{s.Properties, s.DependentSchemas} {
		for _, one := range byName {
			add(one)
		}
	}
	for _, one := range s.PatternProperties {
		add(one)
	}
	for _, either := range []any{s.AdditionalProperties, s.AdditionalItems, s.Items} {
		switch either := either.(type) {
		case *validator.Schema:
			add(either)
		case []*validator.Schema:
			for _, one := range either {
				add(one)
			}
		}
	}
	for _, either := range s.Dependencies {
		if one, ok := either.(*validator.Schema); ok {
			add(one)
		}
	}
}

// target is where the schema at a place refers to, "" without a reference that was compiled.
func (p *program) target(place string) string {
	s := p.byPlace[place]
	switch {
	case s == nil:
		return ""
	case s.Ref != nil:
		return s.Ref.Location
	case s.RecursiveRef != nil:
		return s.RecursiveRef.Location
	case s.DynamicRef != nil:
		return s.DynamicRef.Ref.Location
	}
	return ""
}

// text is the schema's own text at a place, nil within a dialect's schema.
func (p *program) text(place string) *node {
	at, pointer, _ := strings.Cut(place, "#")
	if n := p.texts[at]; n != nil {
		return n.at(pointer)
	}
	return nil
}
