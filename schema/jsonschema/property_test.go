package jsonschema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/schema"
)

// makeSchema makes a schema out of the keywords for which registries' rules promise that a reader
// reads. What they promise too much of is listed in TestWhereTheRulesAreWider.
func makeSchema(r *rand.Rand, depth int) map[string]any {
	s := map[string]any{}
	switch kind := r.IntN(9 - min(depth, 2)*2); kind {
	case 0:
		s["type"] = "string"
		maybe(r, func() { s["minLength"] = r.IntN(3) })
		maybe(r, func() { s["maxLength"] = 2 + r.IntN(3) })
	case 1:
		s["type"] = some(r, "integer", "number")
		maybe(r, func() { s["minimum"] = r.IntN(5) - 3 })
		maybe(r, func() { s["maximum"] = r.IntN(5) })
		maybe(r, func() { s["multipleOf"] = some[any](r, 1, 2, 0.5) })
	case 2:
		s["enum"] = some(r, []any{"a"}, []any{"a", 1}, []any{"a", 1, nil}, []any{"b"})
	case 3:
		s["type"] = some(r, "boolean", "null")
	case 4:
		if r.IntN(3) == 0 {
			s["anyOf"] = []any{makeSchema(r, depth+1), makeSchema(r, depth+1)}
		}
	case 5, 6:
		s["type"] = "array"
		maybe(r, func() { s["items"] = makeSchema(r, depth+1) })
		maybe(r, func() { s["maxItems"] = 1 + r.IntN(2) })
		maybe(r, func() { s["uniqueItems"] = true })
	default:
		s["type"] = "object"
		props := map[string]any{}
		for _, name := range []string{"a", "b", "c"} {
			maybe(r, func() { props[name] = makeSchema(r, depth+1) })
		}
		s["properties"] = props
		required := []string{}
		for name := range props {
			maybe(r, func() { required = append(required, name) })
		}
		s["required"] = required
		switch r.IntN(3) {
		case 0:
			s["additionalProperties"] = false
		case 1:
			s["additionalProperties"] = makeSchema(r, depth+1)
		}
	}
	return s
}

func maybe(r *rand.Rand, do func()) {
	if r.IntN(2) == 0 {
		do()
	}
}

// change takes a step that may break something, somewhere in the schema.
func change(r *rand.Rand, s map[string]any, depth int) {
	for _, keyword := range []string{"minLength", "maxLength", "minimum", "maximum", "maxItems"} {
		if n, ok := s[keyword].(int); ok && r.IntN(3) == 0 {
			s[keyword] = max(0, n+r.IntN(3)-1)
		}
	}
	for _, keyword := range []string{"minLength", "maximum", "multipleOf", "uniqueItems", "items"} {
		if r.IntN(6) == 0 {
			delete(s, keyword)
		}
	}
	if s["type"] == "integer" && r.IntN(3) == 0 {
		s["type"] = "number"
	}
	for _, keyword := range []string{"items", "additionalProperties"} {
		if inner, ok := s[keyword].(map[string]any); ok {
			change(r, inner, depth+1)
		}
	}
	if s["additionalProperties"] == false && r.IntN(4) == 0 {
		delete(s, "additionalProperties")
	}
	props, ok := s["properties"].(map[string]any)
	if !ok {
		return
	}
	for _, p := range props {
		change(r, p.(map[string]any), depth+1)
	}
	if r.IntN(3) == 0 {
		props["d"] = makeSchema(r, depth+1)
	}
	if r.IntN(3) == 0 {
		for name := range props {
			delete(props, name)
			kept := []string{}
			for _, n := range s["required"].([]string) {
				if n != name {
					kept = append(kept, n)
				}
			}
			s["required"] = kept
			break
		}
	}
	required := s["required"].([]string)
	if len(required) > 0 && r.IntN(4) == 0 {
		required = required[1:]
	}
	for name := range props {
		if r.IntN(8) == 0 && name != "d" && !slices.Contains(required, name) {
			required = append(required, name)
		}
	}
	s["required"] = required
}

// makeDocument makes a value that may or may not keep to the schema, and often does.
func makeDocument(r *rand.Rand, s map[string]any, depth int) any {
	if depth > 4 || r.IntN(12) == 0 {
		return some[any](r, nil, true, "a", "aaaa", 1, 2.5, -7, []any{}, map[string]any{"d": 1})
	}
	if values, ok := s["enum"].([]any); ok {
		return some(r, values...)
	}
	if parts, ok := s["anyOf"].([]any); ok {
		return makeDocument(r, some(r, parts...).(map[string]any), depth+1)
	}
	switch s["type"] {
	case "string":
		return strings.Repeat("x", r.IntN(5))
	case "integer":
		return r.IntN(9) - 4
	case "number":
		return float64(r.IntN(18)-8) / 2
	case "boolean":
		return r.IntN(2) == 0
	case "array":
		items, _ := s["items"].(map[string]any)
		list := []any{}
		for range r.IntN(3) {
			list = append(list, makeDocument(r, items, depth+1))
		}
		return list
	case "object":
		doc := map[string]any{}
		for name, p := range s["properties"].(map[string]any) {
			if r.IntN(4) > 0 {
				doc[name] = makeDocument(r, p.(map[string]any), depth+1)
			}
		}
		if more, _ := s["additionalProperties"].(map[string]any); r.IntN(3) == 0 {
			doc[some(r, "d", "e")] = makeDocument(r, more, depth+1)
		}
		return doc
	}
	return nil
}

func textOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What Strict calls compatible is read, on pairs of schemas of the keywords that it judges.
func TestWhatIsCompatibleIsRead(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	compatible, checked := 0, 0
	for range 600 {
		before := makeSchema(r, 0)
		oldText := textOf(t, before)
		old := mustParse(t, oldText)
		change(r, before, 0)
		new := mustParse(t, textOf(t, before))
		if len(Format.Compare(new, old, schema.Strict)) > 0 {
			continue
		}
		compatible++
		var again map[string]any
		if err := json.Unmarshal([]byte(oldText), &again); err != nil {
			t.Fatal(err)
		}
		for range 30 {
			doc := []byte(textOf(t, makeDocument(r, again, 0)))
			if old.validate(old.program.compiled, doc) != nil {
				continue
			}
			checked++
			if err := new.validate(new.program.compiled, doc); err != nil {
				t.Fatalf("old  %s\nnew  %s\ndoc  %s\n%v", oldText, new.Canonical(), doc, err)
			}
		}
	}
	if compatible < 100 || checked < 1000 {
		t.Errorf("%d compatible pairs and %d documents say little", compatible, checked)
	}
}

// Every keyword that Strict lets loose lets more in, and the way back is a break: the rules are monotone.
func TestLooseningIsCompatibleAndTighteningIsNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		base, keyword string
		tight, loose  int
	}{
		{`"type":"string"`, "minLength", 5, 2},
		{`"type":"string"`, "maxLength", 2, 5},
		{`"type":"number"`, "minimum", 5, 2},
		{`"type":"number"`, "maximum", 2, 5},
		{`"type":"number"`, "exclusiveMinimum", 5, 2},
		{`"type":"number"`, "exclusiveMaximum", 2, 5},
		{`"type":"number"`, "multipleOf", 6, 3},
		{`"type":"object"`, "minProperties", 5, 2},
		{`"type":"object"`, "maxProperties", 2, 5},
		{`"type":"array"`, "minItems", 5, 2},
		{`"type":"array"`, "maxItems", 2, 5},
	} {
		tight := mustParse(t, fmt.Sprintf(`{%s,%q:%d}`, c.base, c.keyword, c.tight))
		loose := mustParse(t, fmt.Sprintf(`{%s,%q:%d}`, c.base, c.keyword, c.loose))
		none := mustParse(t, fmt.Sprintf(`{%s}`, c.base))
		for _, pair := range [][2]*Schema{{loose, tight}, {none, loose}, {none, tight}, {tight, tight}} {
			if why := Format.Compare(pair[0], pair[1], schema.Strict); len(why) > 0 {
				t.Errorf("%s: %s does not read %s: %v", c.keyword, pair[0].Canonical(), pair[1].Canonical(), why)
			}
		}
		for _, pair := range [][2]*Schema{{tight, loose}, {loose, none}, {tight, none}} {
			if why := Format.Compare(pair[0], pair[1], schema.Lenient); len(why) == 0 {
				t.Errorf("%s: %s reads %s", c.keyword, pair[0].Canonical(), pair[1].Canonical())
			}
		}
	}
}

// Here registries say that a reader reads, and there is a document that it refuses. The verdicts stay
// theirs; each line is a fact to know.
func TestWhereTheRulesAreWider(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, doc string }{
		"a new requirement of what is not named":     {`{"type":"object"}`, `{"type":"object","required":["a"]}`, `{}`},
		"a default is taken for a value":             {`{"type":"object","properties":{"a":{"default":1}}}`, `{"type":"object","properties":{"a":{"default":1}},"required":["a"]}`, `{}`},
		"a new requirement of anything":              {`{"type":"object"}`, `{"type":"object","properties":{"a":{}},"required":["a"]}`, `{}`},
		"formats":                                    {`{"type":"string"}`, `{"type":"string","format":"date"}`, `"x"`},
		"if, then, else":                             {`{"if":true,"then":{"type":"string"}}`, `{"if":true,"then":{"type":"number"}}`, `"x"`},
		"contains":                                   {`{"type":"array"}`, `{"type":"array","contains":{"type":"string"}}`, `[]`},
		"propertyNames":                              {`{"type":"object"}`, `{"type":"object","propertyNames":{"maxLength":1}}`, `{"aa":1}`},
		"patternProperties":                          {`{"type":"object","patternProperties":{"a":{"type":"string"}}}`, `{"type":"object","patternProperties":{"a":{"type":"number"}}}`, `{"a":"x"}`},
		"a type beside keywords that name it":        {`{"minLength":0}`, `{"minLength":0,"type":"string"}`, `1`},
		"a oneOf branch that overlaps":               {`{"oneOf":[{"type":"integer"}]}`, `{"oneOf":[{"type":"integer"},{"type":"number"}]}`, `1`},
		"an empty property where others were judged": {`{"type":"object","additionalProperties":{"type":"string"}}`, `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":{"type":"string"},"patternProperties":{"a":{"type":"number"}}}`, `{"a":"x"}`},
	} {
		old, new := mustParse(t, c.old), mustParse(t, c.new)
		if why := Format.Compare(new, old, schema.Strict); len(why) > 0 {
			t.Errorf("%s: not wider: %v", name, why)
		}
		if err := old.validate(old.program.compiled, []byte(c.doc)); err != nil {
			t.Errorf("%s: the old schema refuses it too: %v", name, err)
		}
		if err := new.validate(new.program.compiled, []byte(c.doc)); err == nil {
			t.Errorf("%s: the new schema reads %s", name, c.doc)
		}
	}
}

// Here they refuse although every document is read.
func TestWhereTheRulesAreNarrower(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new string }{
		"const to an enum that has it": {`{"const":"a"}`, `{"enum":["a","b"]}`},
		"a typed enum of 2020-12":      {`{"$schema":"https://json-schema.org/draft/2020-12/schema","anyOf":[{"type":"string","enum":["a"]},{"type":"null"}]}`, `{"$schema":"https://json-schema.org/draft/2020-12/schema","anyOf":[{"type":"string"},{"type":"null"}]}`},
		"a pattern that says the same": {`{"type":"string","pattern":"a"}`, `{"type":"string","pattern":"(a)"}`},
		"an anyOf spelt out":           {`{"anyOf":[{"type":"integer"},{"type":"number"}]}`, `{"type":"number"}`},
	} {
		if why := Format.Compare(mustParse(t, c.new), mustParse(t, c.old), schema.Strict); len(why) == 0 {
			t.Errorf("%s: not narrower", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicRef":"#a","$dynamicAnchor":"a"}`, `{"$id":"a","$ref":"b#/c"}`, `true`, `{"items":[1e999]}`} {
		f.Add(text, `{"type":"string"}`)
	}
	f.Fuzz(func(t *testing.T, text, imported string) {
		s, err := parse(text, []schema.Import{{Reference: schema.Reference{Name: "b"}, Text: imported}})
		if err != nil {
			return
		}
		again, err := parse(s.Canonical(), s.imports)
		if err != nil || again.Canonical() != s.Canonical() || again.Normalized() != s.Normalized() {
			t.Fatalf("%s is read as %s, and that as %v %v", text, s.Canonical(), again, err)
		}
		if why := Format.Compare(s, s, schema.Strict); len(why) > 0 {
			t.Fatalf("%s does not read itself: %v", text, why)
		}
	})
}

func FuzzCompare(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"anyOf":[{"$ref":"#/anyOf/1"},{"type":"object"}]}`)
	f.Add(`{"oneOf":[{"$ref":"#"},{"$ref":"#/oneOf/0"}]}`, `{"allOf":[{"$ref":"#"}]}`)
	f.Add(`{"type":["string","null"],"not":{"$ref":"#"}}`, `{"not":{"not":{}}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		old, err := parse(a, nil)
		if err != nil {
			return
		}
		new, err := parse(b, nil)
		if err != nil {
			return
		}
		start := time.Now()
		strict, lenient := Format.Compare(new, old, schema.Strict), Format.Compare(new, old, schema.Lenient)
		if len(strict) == 0 && len(lenient) > 0 {
			t.Fatalf("LENIENT refuses what STRICT lets pass: %v", lenient)
		}
		if took := time.Since(start); took > time.Minute {
			t.Fatalf("took %s", took)
		}
	})
}
