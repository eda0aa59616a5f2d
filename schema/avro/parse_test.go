package avro_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

// parse reads a text that must be a schema.
func parse(t testing.TB, text string, imports ...schema.Import) *avro.Schema {
	t.Helper()
	s, err := avro.Language.Parse(text, imports)
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return s.(*avro.Schema)
}

func TestParseTellsWhereATextIsWrong(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"type":"array","items":`, 1001) + `"int"` + strings.Repeat("}", 1001)
	for _, c := range []struct{ name, text, path, says string }{
		{"empty", ``, "", "empty"},
		{"broken", `{"type":`, "", "not JSON"},
		{"more", `"int" "int"`, "", "something follows"},
		{"number", `7`, "", "a type is"},
		{"no type", `{"name":"A"}`, "", `"type" must be there`},
		{"type of a type", `{"type":{"type":"int"}}`, "", `"type" must be there`},
		{"no name", `{"type":"record","fields":[]}`, "", `"name" of a record`},
		{"bad name", `{"type":"record","name":"A-B","fields":[]}`, "", "A-B"},
		{"digit first", `{"type":"record","name":"1A","fields":[]}`, "", "1A"},
		{"bad namespace", `{"type":"record","name":"A","namespace":"a..b","fields":[]}`, "", "namespace"},
		{"primitive's name", `{"type":"fixed","name":"int","size":1}`, "", "may not be called int"},
		{"no fields", `{"type":"record","name":"A"}`, "", `"fields" must be there`},
		{"no field name", `{"type":"record","name":"A","fields":[{"type":"int"}]}`, "/fields/0", `"name" must be there`},
		{"bad field name", `{"type":"record","name":"A","fields":[{"name":"a b","type":"int"}]}`, "/fields/0", "a b"},
		{"no field type", `{"type":"record","name":"A","fields":[{"name":"a"}]}`, "/fields/0", `"type" is missing`},
		{"field twice", `{"type":"record","name":"A","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, "/fields/1", `"a" twice`},
		{"bad order", `{"type":"record","name":"A","fields":[{"name":"a","type":"int","order":"up"}]}`, "/fields/0", "order"},
		{"bad float", `{"type":"record","name":"A","fields":[{"name":"a","type":"double","default":"x"}]}`, "/fields/0", "no number"},
		{"bad aliases", `{"type":"record","name":"A","aliases":"B","fields":[]}`, "", "aliases"},
		{"unknown", `{"type":"record","name":"A","fields":[{"name":"a","type":["null",{"type":"map","values":"x.B"}]}]}`, "/fields/0/type/1/values", `"x.B" is not defined`},
		{"twice", `["int",{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2}]`, "/2", "defined twice"},
		{"twice in a union", `["int","string","int"]`, "/2", `"int" twice`},
		{"twice before its definition", `{"type":"record","name":"A","fields":[{"name":"a","type":["null","A","A"]}]}`, "/fields/0/type/2", `"A" twice`},
		{"union in union", `["int",["string"]]`, "/1", "union directly"},
		{"no symbols", `{"type":"enum","name":"E"}`, "", `"symbols" must be there`},
		{"bad symbol", `{"type":"enum","name":"E","symbols":["A","b-c"]}`, "/symbols/1", "b-c"},
		{"symbol twice", `{"type":"enum","name":"E","symbols":["A","A"]}`, "/symbols/1", `"A" twice`},
		{"no such default", `{"type":"enum","name":"E","symbols":["A"],"default":"B"}`, "", `"B" is none`},
		{"no size", `{"type":"fixed","name":"F"}`, "", `"size" must be there`},
		{"less than nothing", `{"type":"fixed","name":"F","size":-1}`, "", `"size" must be there`},
		{"no items", `{"type":"array"}`, "", `"items" is missing`},
		{"no values", `{"type":"map"}`, "", `"values" is missing`},
		{"deep", deep, "", "more than 1000 deep"},
		{"large", `"` + strings.Repeat(" ", 16<<20) + `"`, "", "bytes with all references"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := avro.Language.Parse(c.text, nil)
			var e *avro.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *avro.Error", err)
			}
			if !strings.HasPrefix(e.Path, c.path) || c.path == "" && e.Path != "" && c.says != "not JSON" && c.says != "more than 1000 deep" {
				t.Errorf("path %q, want %q (%v)", e.Path, c.path, err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

func TestImportsDefineTypes(t *testing.T) {
	t.Parallel()
	imports := []schema.Import{
		{Reference: schema.Reference{Name: "shop.Money"}, Text: `{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"cents","type":"long"}]}`},
		{Reference: schema.Reference{Name: "shop.Item"}, Text: `{"type":"record","name":"Item","namespace":"shop","fields":[{"name":"price","type":"Money"}]}`},
	}
	s := parse(t, `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"items","type":{"type":"array","items":"Item"}},{"name":"sum","type":"shop.Money"}]}`, imports...)
	if got, want := s.Canonical(), `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"items","type":{"type":"array","items":"Item"}},{"name":"sum","type":"Money"}]}`; got != want {
		t.Errorf("canonical\n%s, want\n%s", got, want)
	}
	resolved, err := s.As("resolved")
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, resolved); got.Canonical() != resolved || !strings.Contains(resolved, `"cents"`) {
		t.Errorf("resolved: %s", resolved)
	}
	if other, err := s.As("serialized"); err != nil || other != s.Canonical() {
		t.Errorf("a form that Avro does not have: %s, %v", other, err)
	}
	if s.Name() != "shop.Order" {
		t.Errorf("name %q", s.Name())
	}
	_, err = avro.Language.Parse(`"shop.Item"`, imports[1:])
	if err == nil || !strings.Contains(err.Error(), "reference shop.Item: at /fields/0/type") {
		t.Errorf("a reference that is missing: %v", err)
	}
}

func TestValidateHoldsDefaultsAgainstTheirTypes(t *testing.T) {
	t.Parallel()
	field := func(typ, value string) string {
		return `{"type":"record","name":"R","fields":[{"name":"before","type":"int"},{"name":"f","type":` + typ + `,"default":` + value + `}]}`
	}
	inner := `{"type":"record","name":"I","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":1}]}`
	for _, c := range []struct {
		typ, value string
		ok         bool
	}{
		{`"null"`, `null`, true},
		{`"null"`, `0`, false},
		{`"boolean"`, `true`, true},
		{`"boolean"`, `"true"`, false},
		{`"int"`, `2147483647`, true},
		{`"int"`, `2147483648`, false},
		{`"int"`, `1.0`, false},
		{`"int"`, `"1"`, false},
		{`"long"`, `9223372036854775807`, true},
		{`"long"`, `9223372036854775808`, false},
		{`"double"`, `1`, true},
		{`"double"`, `"NaN"`, true},
		{`"float"`, `1e3`, true},
		{`"float"`, `null`, false},
		{`"string"`, `""`, true},
		{`"string"`, `null`, false},
		{`"bytes"`, `"x"`, true},
		{`"bytes"`, `[1]`, false},
		{`{"type":"enum","name":"E","symbols":["A"]}`, `"Z"`, true},
		{`{"type":"fixed","name":"F","size":2}`, `"x"`, true},
		{`{"type":"array","items":"int"}`, `[1,2]`, true},
		{`{"type":"array","items":"int"}`, `[1,"2"]`, false},
		{`{"type":"array","items":"int"}`, `{}`, false},
		{`{"type":"map","values":"int"}`, `{"a":1}`, true},
		{`{"type":"map","values":"int"}`, `{"a":"1"}`, false},
		{`{"type":"map","values":"int"}`, `[]`, false},
		{`["null","string"]`, `null`, true},
		{`["null","string"]`, `"x"`, true},
		{`["null","string"]`, `1`, false},
		{inner, `{"a":1}`, true},
		{inner, `{"a":1,"b":2}`, true},
		{inner, `{"b":2}`, false},
		{inner, `{"a":1,"b":"2"}`, false},
		{inner, `[]`, false},
		{`"R"`, `{"before":1}`, false}, // a record that holds itself for ever
		{`["null","R"]`, `null`, true},
	} {
		s := parse(t, field(c.typ, c.value))
		err := s.Validate()
		if (err == nil) != c.ok {
			t.Errorf("default %s of %s: %v", c.value, c.typ, err)
		}
		var e *avro.Error
		if err != nil && (!errors.As(err, &e) || e.Path != "/fields/1/default") {
			t.Errorf("default %s of %s: told as %v", c.value, c.typ, err)
		}
	}
}
