package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema"
)

const (
	jsonOrder     = `{"type":"object","title":"order","properties":{"id":{"type":"string"}},"required":["id"],"additionalProperties":false}`
	jsonOrderMore = `{"type":"object","title":"order","properties":{"id":{"type":"string"},"note":{"type":"string"}},"required":["id"],"additionalProperties":false}`
)

// A new optional field of a Go type breaks nobody at FULL; of a text by hand it does, unless the
// subject's policy says otherwise. The registry's own policy is foreseen where it will judge.
func TestContractsOfGoTypesAreJudgedLeniently(t *testing.T) {
	t.Parallel()
	live := []earlier{{Type: schema.JSONSchema, Schema: jsonOrder, name: "version 1"}}
	for _, c := range []struct {
		name           string
		derived, plain bool
		rules          schema.Rules
		level          schema.Level
		want           string
	}{
		{"a Go type", true, false, schema.Rules{}, schema.Full, contractOK},
		{"a Go type and a strict registry", true, false, schema.Rules{Level: schema.Full}, "", contractRefused},
		{"a Go type and a strict registry that does not look forward", true, false, schema.Rules{Level: schema.Backward}, "", contractOK},
		{"a Go type and a registry that says so", true, false, schema.Rules{Level: schema.Full, Policy: schema.Strict}, schema.Full, contractRefused},
		{"a Go type and a lenient registry", true, false, schema.Rules{Level: schema.Full, Policy: schema.Lenient}, "", contractOK},
		{"a Go type where nobody is to judge", true, false, schema.Rules{Level: schema.Full}, schema.None, contractOK},
		{"plain JSON, which no registry sees", true, true, schema.Rules{Level: schema.Full}, "", contractOK},
		{"by hand", false, false, schema.Rules{Level: schema.Full}, "", contractBreak},
		{"by hand and lenient", false, false, schema.Rules{Level: schema.Full, Policy: schema.Lenient}, "", contractOK},
	} {
		got, err := judge(contract{subject: "order", typ: schema.JSONSchema, text: jsonOrderMore, derived: c.derived, plain: c.plain}, live, c.rules, c.level, true)
		if err != nil || got.Verdict != c.want || got.bad() != (c.want != contractOK) {
			t.Errorf("%s: %+v, %v, want %s", c.name, got, err, c.want)
		}
		if c.want == contractRefused && (len(got.Breaks) == 0 || got.Breaks[0].Mend != "leat schema config order --policy LENIENT --yes") {
			t.Errorf("%s: no way out: %+v", c.name, got.Breaks)
		}
	}
}

func TestJudgeLooksAtTheVersionsOfTheLevel(t *testing.T) {
	t.Parallel()
	live := []earlier{
		{Type: schema.Avro, Schema: `{"type":"record","name":"R","fields":[{"name":"b","type":"long"}]}`, name: "version 2"},
		{Type: schema.Avro, Schema: `{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}`, name: "version 1"},
	}
	next := contract{subject: "r", typ: schema.Avro, text: live[0].Schema}
	for level, want := range map[schema.Level]string{"": "ok version 2", schema.Backward: "ok version 2", schema.BackwardTransitive: "break version 1", schema.None: "ok version 2"} {
		got, err := judge(next, live, schema.Rules{}, level, false)
		if err != nil || got.Verdict+" "+got.Against != want {
			t.Errorf("at %q: %s %s, %v, want %s", level, got.Verdict, got.Against, err, want)
		}
	}
	got, err := judge(next, live, schema.Rules{Level: schema.BackwardTransitive}, "", false)
	if err != nil || got.Verdict != contractBreak {
		t.Errorf("at the subject's own level: %+v, %v", got, err)
	}
	next.typ, next.text = schema.JSONSchema, jsonOrder
	if got, err := judge(next, live, schema.Rules{}, "", false); err != nil || got.Verdict != contractBreak || got.Breaks[0].Kind != schema.TypeChanged {
		t.Errorf("another language: %+v, %v", got, err)
	}
}

func TestSnapshotFilesStayInTheirDirectory(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, subject := range []string{"orders-value", "..", ".", "../x", "a/b", ":.ctx:a", "%2E", "a\\b"} {
		name := snapshotFile(subject)
		if strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") || seen[name] {
			t.Errorf("the file of subject %q is %q", subject, name)
		}
		seen[name] = true
	}
}

// What a schema says can't end an annotation and begin another.
func TestAnnotationsStayOnTheirLine(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := writeAnnotations(&b, []checkView{{Subject: "a,b::c", Verdict: contractBreak, File: "x:y", Breaks: []breakView{{Kind: "K", Message: "100%\n::error::forged\r"}}}})
	if err != nil || strings.Count(b.String(), "\n") != 1 || !strings.HasPrefix(b.String(), "::error file=x%3Ay,title=contract a%2Cb%3A%3Ac::K at : 100%25%0A::error::forged%0D") {
		t.Errorf("got %q, %v", b.String(), err)
	}
}

// Each language has its warnings.
func TestJudgeWarns(t *testing.T) {
	t.Parallel()
	for typ, texts := range map[schema.Type][3]string{
		schema.Avro:       {`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":1}]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":2}]}`, "AVRO_DEFAULT_CHANGED"},
		schema.JSONSchema: {jsonOrder, strings.Replace(jsonOrder, `["id"]`, `[]`, 1), "JSON_REQUIRED_REMOVED"},
		schema.Protobuf:   {`syntax = "proto3"; message M { string a = 1; }`, `syntax = "proto3"; message M { string b = 1; }`, "FIELD_RENAMED"},
	} {
		live := []earlier{{Type: typ, Schema: texts[0], name: "version 1"}}
		for _, lint := range []bool{true, false} {
			got, err := judge(contract{subject: "s", typ: typ, text: texts[1]}, live, schema.Rules{}, "", lint)
			if err != nil || got.Verdict != contractOK || lint != (len(got.Warnings) == 1 && got.Warnings[0].Kind == texts[2]) {
				t.Errorf("%s, lint %v: %+v, %v, want %s", typ, lint, got, err, texts[2])
			}
		}
	}
}

// A registry keeps more than texts: fields that are reserved, groups of versions, rules.
func TestJudgeSeesWhatIsKeptBesideTheSchema(t *testing.T) {
	t.Parallel()
	text := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	a, b := `{"name":"a","type":"int"}`, `{"name":"b","type":"int","default":0}`
	for name, c := range map[string]struct {
		live  []earlier
		next  string
		rules schema.Rules
		want  string
	}{
		"reserved":            {[]earlier{{Schema: text(a), Properties: map[string]string{"confluent:reserved": "x, b"}}}, text(a + "," + b), schema.Rules{ValidateFields: true}, "break [RESERVED_FIELD_USED] []"},
		"reserved, not held":  {[]earlier{{Schema: text(a), Properties: map[string]string{"confluent:reserved": "x,b"}}}, text(a + "," + b), schema.Rules{}, "ok [] [RESERVED_FIELD_USED]"},
		"reserved, not used":  {[]earlier{{Schema: text(a), Properties: map[string]string{"confluent:reserved": "x"}}}, text(a + "," + b), schema.Rules{ValidateFields: true}, "ok [] []"},
		"rules":               {[]earlier{{Schema: text(a), RuleNames: []string{"mask"}}}, text(a), schema.Rules{}, "ok [] [RULES_NOT_RUN]"},
		"the group":           {[]earlier{{Schema: text(`{"name":"c","type":"string"}`), Properties: map[string]string{"major": "2"}}, {Schema: text(a)}}, text(a), schema.Rules{Group: "major"}, "ok [] []"},
		"without a group":     {[]earlier{{Schema: text(`{"name":"c","type":"string"}`), Properties: map[string]string{"major": "2"}}, {Schema: text(a)}}, text(a), schema.Rules{}, "break [READER_FIELD_MISSING_DEFAULT_VALUE] []"},
		"a group of its own":  {[]earlier{{Schema: text(`{"name":"c","type":"string"}`), Properties: map[string]string{"major": "2"}}}, text(a), schema.Rules{Group: "major"}, "new [] []"},
		"breaks in the group": {[]earlier{{Schema: text(a), Properties: map[string]string{"major": "2"}}, {Schema: text(`{"name":"c","type":"string"}`)}}, text(a), schema.Rules{Group: "major"}, "break [READER_FIELD_MISSING_DEFAULT_VALUE] []"},
	} {
		for i := range c.live {
			c.live[i].Type = schema.Avro
		}
		got, err := judge(contract{subject: "s", typ: schema.Avro, text: c.next}, c.live, c.rules, "", true)
		kinds := func(all []breakView) (kinds []string) {
			for _, v := range all {
				kinds = append(kinds, v.Kind)
			}
			return kinds
		}
		if have := fmt.Sprint(got.Verdict, " ", kinds(got.Breaks), " ", kinds(got.Warnings)); err != nil || have != c.want {
			t.Errorf("%s: %s, %v, want %s", name, have, err, c.want)
		}
	}
}
