package jsonschema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/jsonschema"
)

func TestLintTellsWhatVerdictsLetThrough(t *testing.T) {
	t.Parallel()
	of := func(a string) string {
		return fmt.Sprintf(`{"type":"object","properties":{"a":%s},"required":["a"],"additionalProperties":false}`, a)
	}
	object := func(properties string, required string, more string) string {
		return `{"type":"object","properties":{` + properties + `},"required":[` + required + `]` + more + `}`
	}
	closed := `,"additionalProperties":false`
	for _, c := range []struct {
		name, old, next string
		want            string // kinds and places
		policy          schema.Policy
		passes          string // BACKWARD, FORWARD, or "" where neither passes
	}{
		{"the same", of(`{"enum":["x"]}`), of(`{"enum":["x"]}`), "", "", "BACKWARD FORWARD"},
		{"a description", of(`{"type":"string"}`), of(`{"type":"string","description":"x","title":"y"}`), "", "", "BACKWARD FORWARD"},
		{"required removed", object(`"a":{"type":"string"}`, `"a"`, closed), object(`"a":{"type":"string"}`, ``, closed), "JSON_REQUIRED_REMOVED #/properties/a", "", "BACKWARD"},
		{"required with a default", object(`"a":{"type":"string","default":""}`, ``, closed), object(`"a":{"type":"string","default":""}`, `"a"`, closed), "JSON_REQUIRED_WITH_DEFAULT #/properties/a", "", "BACKWARD FORWARD"},
		{"new, required, with a default", object(``, ``, closed), object(`"a":{"type":"string","default":""}`, `"a"`, closed), "JSON_REQUIRED_WITH_DEFAULT #/properties/a", "", "BACKWARD"},
		{"new and optional", object(``, ``, closed), object(`"a":{"type":"string"}`, ``, closed), "", "", "BACKWARD"},
		{"removed from open", object(`"a":{"type":"string"}`, ``, ``), object(``, ``, ``), "JSON_PROPERTY_REMOVED #/properties/a", "", "BACKWARD"},
		{"removed from closed", object(`"a":{"type":"string"}`, ``, closed), object(``, ``, closed), "JSON_PROPERTY_REMOVED #/properties/a", schema.Lenient, "BACKWARD FORWARD"},
		{"renamed", object(`"a":{"type":"string"}`, ``, closed), object(`"b":{"type":"string"}`, ``, closed), "JSON_PROPERTY_REMOVED #/properties/a, JSON_PROPERTY_RENAMED #/properties/b", schema.Lenient, "BACKWARD FORWARD"},
		{"enum", of(`{"enum":["x"]}`), of(`{"enum":["x","y",1]}`), `JSON_ENUM_EXTENDED #/properties/a`, "", "BACKWARD"},
		{"enum with less", of(`{"enum":["x","y"]}`), of(`{"enum":["x"]}`), "", "", "FORWARD"},
		{"integer to number", of(`{"type":"integer"}`), of(`{"type":"number"}`), "JSON_TYPE_WIDENED #/properties/a", "", "BACKWARD"},
		{"number to integer", of(`{"type":"number"}`), of(`{"type":"integer"}`), "", "", "FORWARD"},
		{"null", of(`{"type":"string"}`), of(`{"type":["string","null"]}`), "JSON_TYPE_WIDENED #/properties/a", "", "BACKWARD"},
		{"null by anyOf", of(`{"type":"string"}`), of(`{"anyOf":[{"type":"string"},{"type":"null"}]}`), "JSON_TYPE_WIDENED #/properties/a", "", "BACKWARD"},
		{"format", of(`{"type":"string","format":"date-time"}`), of(`{"type":"string","format":"date"}`), "JSON_FORMAT_CHANGED #/properties/a", "", "BACKWARD FORWARD"},
		{"format added", of(`{"type":"string"}`), of(`{"type":"string","format":"date"}`), "JSON_FORMAT_CHANGED #/properties/a", "", "BACKWARD FORWARD"},
		{"bytes", of(`{"type":"string"}`), of(`{"type":"string","contentEncoding":"base64"}`), "JSON_FORMAT_CHANGED #/properties/a", "", "BACKWARD FORWARD"},
		{"default", of(`{"type":"integer","default":1}`), of(`{"type":"integer","default":2}`), "JSON_DEFAULT_CHANGED #/properties/a", "", "BACKWARD FORWARD"},
		{"closed", object(`"a":{}`, ``, ``), object(`"a":{}`, ``, closed), "JSON_MODEL_CLOSED #", schema.Lenient, "BACKWARD FORWARD"},
		{"closed under forward", object(`"a":{}`, ``, ``), object(`"a":{}`, ``, closed), "JSON_MODEL_CLOSED #", "", "FORWARD"},
		{"opened", object(`"a":{}`, ``, closed), object(`"a":{}`, ``, ``), "JSON_MODEL_OPENED #", "", "BACKWARD"},
		{
			"in a list, a map and by reference", `{"type":"object","properties":{"l":{"type":"array","items":{"$ref":"#/definitions/x"}},"m":{"type":"object","additionalProperties":{"type":"integer"}}},"definitions":{"x":{"type":"object","properties":{"y":{"type":"string","format":"date"},"again":{"$ref":"#/definitions/x"}}}}}`,
			`{"type":"object","properties":{"l":{"type":"array","items":{"$ref":"#/definitions/x"}},"m":{"type":"object","additionalProperties":{"type":"number"}}},"definitions":{"x":{"type":"object","properties":{"y":{"type":"string","format":"time"},"again":{"$ref":"#/definitions/x"}}}}}`,
			"JSON_FORMAT_CHANGED #/properties/l/items/properties/y, JSON_TYPE_WIDENED #/properties/m/additionalProperties", "", "BACKWARD",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			old, next := parsed(t, c.old), parsed(t, c.next)
			var got []string
			for _, d := range jsonschema.Lint(old, next) {
				got = append(got, d.Kind+" "+d.Path)
				if d.Message == "" || d.Breaks == "" || d.Mend == "" {
					t.Errorf("%s lacks words", d.Kind)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
				t.Error(diff)
			}
			var passes []string
			for _, level := range []schema.Level{schema.Backward, schema.Forward} {
				if at, _ := schema.Check(jsonschema.Format, level, c.policy, next, []schema.Schema{old}); at < 0 {
					passes = append(passes, string(level))
				}
			}
			if want := strings.Fields(c.passes); !slices.Equal(want, passes) {
				t.Errorf("passes at %v, want %v", passes, want)
			}
		})
	}
	if found := jsonschema.Lint(nil, parsed(t, of(`{}`))); found != nil {
		t.Errorf("of a first schema: %v", found)
	}
}

func parsed(t *testing.T, text string) schema.Schema {
	t.Helper()
	s, err := jsonschema.Format.Parse(text, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}
