package jsonschema

import (
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// opened is the schema as a reader takes it: what it does not name may be there too, so that data of
// a newer writer is read. Branches that are told apart by what they do not let in stay closed.
func (s *Schema) opened() (*validator.Schema, error) {
	imports := append(s.imports[:0:0], s.imports...)
	for i := range imports {
		n, err := read(imports[i].Text)
		if err != nil {
			return nil, err
		}
		imports[i].Text = string(n.open(false).append(nil, false))
	}
	p, err := compile(s.root.open(false), imports)
	return p.compiled, err
}

// open copies a schema without the keywords that close it; byName: its members are schemas, whatever
// they are called.
func (n *node) open(byName bool) *node {
	c := *n
	c.items, c.members = nil, nil
	for _, item := range n.items {
		c.items = append(c.items, item.open(false))
	}
	for _, m := range n.members {
		named := false
		if !byName {
			switch m.name {
			case "additionalProperties", "unevaluatedProperties":
				if m.value.kind == 'f' {
					continue
				}
			case "oneOf", "not", "if", "enum", "const", "default", "examples":
				c.members = append(c.members, m)
				continue
			case "properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies":
				named = true
			}
		}
		c.members = append(c.members, member{m.name, m.value.open(named)})
	}
	return &c
}
