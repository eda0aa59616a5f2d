package jsonschema

import (
	"github.com/leatdev/leat/schema"
)

// language is JSON Schema without Go values.
type language struct{}

// Type is JSON, the name that registries give it.
func (language) Type() schema.Type { return schema.JSONSchema }

// Parse reads a schema of draft 4, 6, 7, 2019-09 or 2020-12; draft 7 where $schema names none of
// them. Nothing is ever fetched: a $ref outside the text leads to one of the imports, by the name of
// its reference.
func (language) Parse(text string, imports []schema.Import) (schema.Schema, error) {
	return parse(text, imports)
}

// Compare tells why a reader with the one schema refuses what is written with the other, in the
// kinds, paths and words of Confluent's registry. The reader's schema is the new one in these words.
func (language) Compare(reader, writer schema.Schema, policy schema.Policy) []schema.Difference {
	new, ok := reader.(*Schema)
	old, alsoOK := writer.(*Schema)
	if !ok || !alsoOK {
		return []schema.Difference{told(difference{kind: kindOther, path: "#/"})}
	}
	fine := bearable(policy)
	var why []schema.Difference
	for _, d := range compareShapes(old.shape(), new.shape(), policy) {
		if !fine[d.kind] {
			why = append(why, told(d))
		}
	}
	return why
}

// Schema is a JSON Schema that was read and compiled.
type Schema struct {
	root      *node
	canonical string
	imports   []schema.Import
	program   program
	shape     func() *shape // the normal form, made when it is first asked for
}

// Type is JSON.
func (*Schema) Type() schema.Type { return schema.JSONSchema }

// Canonical is the text without spaces, its members in the order that they were written in.
func (s *Schema) Canonical() string { return s.canonical }

// Normalized is the text with the members of each object sorted.
func (s *Schema) Normalized() string { return string(s.root.append(nil, true)) }

// Name is the title.
func (s *Schema) Name() string {
	title, _ := s.root.str("title")
	return title
}

// As is the canonical text: JSON Schema has no other form.
func (s *Schema) As(string) (string, error) { return s.canonical, nil }
