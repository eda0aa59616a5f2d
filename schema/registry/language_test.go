package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// tiny is a language for tests: a text is a JSON object of field names, each required or not, for
// example {"name":"o","a":true,"b":false}. A field "ref:x" needs the import x. A reader can't do
// without its required fields.
type tiny struct{ kind schema.Type }

type tinySchema struct {
	kind    schema.Type
	name    string
	fields  map[string]bool
	imports map[string]string
}

func (l tiny) Type() schema.Type { return l.kind }

func (l tiny) Parse(text string, imports []schema.Import) (schema.Schema, error) {
	s := tinySchema{kind: l.kind, fields: map[string]bool{}, imports: map[string]string{}}
	var raw map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	for _, i := range imports {
		s.imports[i.Name] = i.Text
	}
	for name, v := range raw {
		switch v := v.(type) {
		case bool:
			s.fields[name] = v
		case string:
			s.name = v
		default:
			return nil, fmt.Errorf("field %s is neither required nor not", name)
		}
		if ref, ok := strings.CutPrefix(name, "ref:"); ok && s.imports[ref] == "" {
			return nil, fmt.Errorf("%s is not known", ref)
		}
	}
	return s, nil
}

func (l tiny) Compare(reader, writer schema.Schema, _ schema.Policy) (why []schema.Difference) {
	r, w := reader.(tinySchema), writer.(tinySchema)
	for name, required := range r.fields {
		if _, ok := w.fields[name]; required && !ok {
			why = append(why, schema.Difference{Kind: "MISSING", Path: "/" + name, Message: "reader needs " + name})
		}
	}
	slices.SortFunc(why, func(a, b schema.Difference) int { return strings.Compare(a.Path, b.Path) })
	return why
}

func (s tinySchema) Type() schema.Type  { return s.kind }
func (s tinySchema) Name() string       { return s.name }
func (s tinySchema) Normalized() string { return strings.ToLower(s.Canonical()) }

func (s tinySchema) Canonical() string {
	doc := map[string]any{}
	for name, required := range s.fields {
		doc[name] = required
	}
	if s.name != "" {
		doc["name"] = s.name
	}
	return string(compactJSON(doc))
}

func (s tinySchema) As(form string) (string, error) {
	if form != "resolved" {
		return s.Canonical(), nil
	}
	whole := tinySchema{kind: s.kind, name: s.name, fields: map[string]bool{}}
	for name, required := range s.fields {
		if _, ok := strings.CutPrefix(name, "ref:"); !ok {
			whole.fields[name] = required
		}
	}
	for _, text := range s.imports {
		var fields map[string]bool
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			return "", err
		}
		for name, required := range fields {
			whole.fields[name] = required
		}
	}
	return whole.Canonical(), nil
}

func tinyLanguages() []schema.Language {
	return []schema.Language{tiny{schema.JSONSchema}, tiny{schema.Protobuf}, tiny{schema.Avro}}
}
