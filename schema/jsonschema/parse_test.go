package jsonschema

import (
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/schema"
)

func mustParse(t testing.TB, text string, imports ...schema.Import) *Schema {
	t.Helper()
	s, err := parse(text, imports)
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return s
}

func TestCanonicalTextKeepsTheOrderAndNormalizedSortsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, canonical, normalized string }{
		"order":          {` { "b" : 1 , "a" : [ true , null ] } `, `{"b":1,"a":[true,null]}`, `{"a":[true,null],"b":1}`},
		"nested":         {`{"z":{"y":1,"x":2},"a":[{"d":1,"c":2}]}`, `{"z":{"y":1,"x":2},"a":[{"d":1,"c":2}]}`, `{"a":[{"c":2,"d":1}],"z":{"x":2,"y":1}}`},
		"twice":          {`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`, `{"a":3,"b":2}`},
		"utf-16 order":   {"{\"\uff61\":1,\"\U0001f600\":2}", "{\"\uff61\":1,\"\U0001f600\":2}", "{\"\U0001f600\":2,\"\uff61\":1}"},
		"escapes":        {`{"title":"\u00e4\/\u001f\"\\\b\u007f<"}`, "{\"title\":\"\u00e4/\\u001F\\\"\\\\\\b\x7f<\"}", "{\"title\":\"\u00e4/\\u001F\\\"\\\\\\b\x7f<\"}"},
		"numbers":        {`{"examples":[1.0,0.50,1e3,1E-2,1.5e3,-0,-0.0,0.0000001,1e-7,12e0,100,1.10e1,0e5]}`, `{"examples":[1.0,0.50,1E+3,0.01,1.5E+3,0,0.0,1E-7,1E-7,12,100,11.0,0E+5]}`, `{"examples":[1.0,0.50,1E+3,0.01,1.5E+3,0,0.0,1E-7,1E-7,12,100,11.0,0E+5]}`},
		"true":           {` true `, `true`, `true`},
		"long integers":  {`{"maximum":123456789012345678901234567890}`, `{"maximum":123456789012345678901234567890}`, `{"maximum":123456789012345678901234567890}`},
		"long fractions": {`{"maximum":0.1234567890123456789012345678901}`, `{"maximum":0.1234567890123456789012345678901}`, `{"maximum":0.1234567890123456789012345678901}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, c.text)
			if got := s.Canonical(); got != c.canonical {
				t.Errorf("canonical:\n got %s\nwant %s", got, c.canonical)
			}
			if got := s.Normalized(); got != c.normalized {
				t.Errorf("normalized:\n got %s\nwant %s", got, c.normalized)
			}
			if got := mustParse(t, s.Canonical()).Canonical(); got != c.canonical {
				t.Errorf("canonical of canonical: %s", got)
			}
		})
	}
}

func TestASchemaIsRefusedWithTheReasonAndThePlace(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"not":`, maxDepth+1) + "true" + strings.Repeat("}", maxDepth+1)
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":           {`{"type":}`, "at #/type: no JSON"},
		"cut":               {`{"type":"string"`, "no JSON"},
		"empty":             {``, "the text is empty"},
		"more":              {`{} {}`, "goes on behind"},
		"a string":          {`"string"`, "a schema is an object, true or false"},
		"unknown type":      {`{"properties":{"a":{"type":"decimal"}}}`, "at #/properties/a/type: value must be one of"},
		"wrong keyword":     {`{"properties":{"a/b":{"minLength":-1}}}`, "at #/properties/a~1b/minLength: "},
		"look-ahead":        {`{"pattern":"(?=a)b"}`, "at #/pattern: the pattern \"(?=a)b\" is no RE2 expression"},
		"pattern's name":    {`{"patternProperties":{"(?<!a)b":{}}}`, "RE2"},
		"http":              {`{"properties":{"a":{"$ref":"http://example.com/a.json"}}}`, "at #/properties/a/$ref: a $ref leads to http://example.com/a.json: nothing is fetched"},
		"file":              {`{"items":[{"$ref":"file:///etc/passwd"}]}`, "at #/items/0/$ref: a $ref leads to file:///etc/passwd: nothing is fetched"},
		"relative":          {`{"$ref":"customer.json"}`, "at #/$ref: a $ref leads to customer.json: nothing is fetched"},
		"no such place":     {`{"$ref":"#/definitions/a"}`, "#/definitions/a"},
		"too deep":          {deep, "more than 200 levels"},
		"too long":          {`{"title":"` + strings.Repeat("x", maxText) + `"}`, "bytes are more than"},
		"too many":          {`{"enum":[` + strings.Repeat("1,", maxNodes) + `1]}`, "values: split the schema"},
		"too many schemas":  {`{"anyOf":[` + strings.Repeat("{},", maxSchemas) + `{}]}`, "split it"},
		"huge in two parts": {`{"maximum":10e999}`, "exponent"},
		"long number":       {`{"maximum":` + strings.Repeat("1", maxDigits+1) + `}`, "a number of 2001 characters"},
		"huge exponent":     {`{"maximum":1e1000000}`, "exponent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(c.text, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestReferencesLeadToImports(t *testing.T) {
	t.Parallel()
	im := func(name, text string) schema.Import {
		return schema.Import{Reference: schema.Reference{Name: name}, Text: text}
	}
	for name, c := range map[string]struct {
		text    string
		imports []schema.Import
	}{
		"by name":         {`{"$ref":"customer.json"}`, []schema.Import{im("customer.json", `{"type":"integer"}`)}},
		"a place within":  {`{"$ref":"customer.json#/definitions/x"}`, []schema.Import{im("customer.json", `{"definitions":{"x":{"type":"integer"}}}`)}},
		"below the id":    {`{"$id":"http://example.com/s/order.json","allOf":[{"$ref":"customer.json"}]}`, []schema.Import{im("customer.json", `{"type":"integer"}`)}},
		"by url":          {`{"$ref":"http://example.com/customer.json"}`, []schema.Import{im("http://example.com/customer.json", `{"type":"integer"}`)}},
		"by the id's url": {`{"$id":"http://example.com/s/order.json","allOf":[{"$ref":"http://example.com/s/customer.json"}]}`, []schema.Import{im("customer.json", `{"type":"integer"}`)}},
		"of imports":      {`{"$ref":"a.json"}`, []schema.Import{im("b.json", `{"type":"integer"}`), im("a.json", `{"$ref":"b.json"}`)}},
		"imports with id": {`{"$ref":"a.json"}`, []schema.Import{im("b.json", `{"type":"integer"}`), im("a.json", `{"$id":"http://example.com/a.json","allOf":[{"$ref":"b.json"}]}`)}},
		"2020-12":         {`{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"./a.json"}`, []schema.Import{im("a.json", `{"type":"integer"}`)}},
		"a bare word":     {`{"$ref":"customer"}`, []schema.Import{im("customer", `{"type":"integer"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, c.text, c.imports...)
			if err := s.program.compiled.Validate("x"); err == nil {
				t.Error("a string passes as an integer")
			}
			if err := s.program.compiled.Validate(1); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAllDraftsAreRead(t *testing.T) {
	t.Parallel()
	for _, draft := range []string{
		"http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-04/schema", "http://json-schema.org/draft-06/schema#",
		"http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft-07/schema", "https://json-schema.org/draft/2019-09/schema",
		"https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-03/schema#", "urn:acme:dialect",
	} {
		s := mustParse(t, `{"$schema":"`+draft+`","title":"Order","type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`)
		if s.Name() != "Order" {
			t.Errorf("%s: name %q", draft, s.Name())
		}
		if err := s.program.compiled.Validate(map[string]any{}); err == nil {
			t.Errorf("%s: an object without its required member passes", draft)
		}
	}
	if mustParse(t, `{"contains":{"type":"string"}}`).program.compiled.Validate([]any{1}) == nil {
		t.Error("a text without $schema is not read as draft 7")
	}
}

func TestAHugeSchemaIsReadInTime(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"allOf":[true`)
	for range maxSchemas - 2 {
		b.WriteString(`,{}`)
	}
	b.WriteString(`]}`)
	start := time.Now()
	mustParse(t, b.String())
	if took := time.Since(start); took > 5*time.Minute {
		t.Errorf("took %s", took)
	}
}
