package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leatdev/leat/schema"
)

// TestAFileHasTheImportsThatItUses gives many files the same --import, and directories.
func TestAFileHasTheImportsThatItUses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		"alone-value.proto":   `syntax = "proto3"; message Alone { string id = 1; }`,
		"common.proto":        `syntax = "proto3"; import "deep/base.proto"; message Common { Base b = 1; }`,
		"deep/base.proto":     `syntax = "proto3"; import "google/protobuf/timestamp.proto"; message Base { google.protobuf.Timestamp at = 1; }`,
		"deep/in-value.proto": `syntax = "proto3"; import "base.proto"; import "common.proto"; message In { Base b = 1; Common c = 2; }`,
		"out-value.proto":     `syntax = "proto3"; import "common.proto"; import "given.proto"; message Out { Common c = 1; Given g = 2; }`,
		"elsewhere/g.proto":   `syntax = "proto3"; message Given { string id = 1; }`,
		"alone.avsc":          `{"type":"record","name":"Alone","namespace":"a","fields":[{"name":"Money","type":"string"}]}`,
		"order.avsc":          `{"type":"record","name":"Order","namespace":"a","fields":[{"name":"total","type":["null","Money"]}]}`,
		"money.avsc":          `{"type":"record","name":"Money","namespace":"a","fields":[{"name":"in","type":"Currency"}]}`,
		"currency.avsc":       `{"type":"enum","name":"Currency","namespace":"a","symbols":["EUR"]}`,
		"alone.json":          `{"type":"object","properties":{"money.json":{"type":"string"}}}`,
		"bill.json":           `{"$id":"https://shop/bill.json","properties":{"total":{"$ref":"money.json#/$defs/money"}}}`,
		"elsewhere/m.json":    `{"$defs":{"money":{"properties":{"in":{"$ref":"currency.json"}}}}}`,
		"elsewhere/c.json":    `{"type":"string"}`,
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := contractSource{imports: []string{
		"given.proto=" + filepath.Join(dir, "elsewhere/g.proto"),
		"a.Currency=" + filepath.Join(dir, "currency.avsc"), "a.Money=" + filepath.Join(dir, "money.avsc"),
		"currency.json=" + filepath.Join(dir, "elsewhere/c.json"), "money.json=" + filepath.Join(dir, "elsewhere/m.json"),
	}}
	ref := func(name, subject string) schema.Reference { return schema.Reference{Name: name, Subject: subject} }
	// Those of the subject g, m and c are contracts of the directory too.
	base := schema.Import{Reference: ref("deep/base.proto", "base")}
	common := schema.Import{Reference: ref("common.proto", "common"), References: []schema.Reference{ref("deep/base.proto", "base")}}
	hidden := func(im schema.Import) schema.Import { im.Indirect = true; return im }
	want := map[string][]schema.Import{
		"alone-value": nil, "common": {base}, "base": nil,
		"in-value":  {{Reference: ref("base.proto", "base")}, hidden(base), common},
		"out-value": {hidden(base), common, {Reference: ref("given.proto", "g")}},
		"g":         nil, "alone": nil,
		"order":    {hidden(schema.Import{Reference: ref("a.Currency", "currency")}), {Reference: ref("a.Money", "money"), References: []schema.Reference{ref("a.Currency", "currency")}}},
		"money":    {{Reference: ref("a.Currency", "currency")}},
		"currency": nil, "alone-json": nil,
		"bill": {hidden(schema.Import{Reference: ref("currency.json", "c")}), {Reference: ref("money.json", "m"), References: []schema.Reference{ref("currency.json", "c")}}},
		"m":    {{Reference: ref("currency.json", "c")}}, "c": nil,
	}
	s.subjects = []string{filepath.Join(dir, "alone.json") + "=alone-json"}
	contracts, err := s.files([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]schema.Import{}
	for _, c := range contracts {
		got[c.subject] = c.imports
		if c.subject == "in-value" {
			continue // base.proto by two names is no schema
		}
		if _, err := languageOf(c.typ).Parse(c.text, c.imports); err != nil {
			t.Errorf("%s: %v", c.subject, err)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(schema.Import{}, "Text"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	one, err := contractSource{}.files([]string{filepath.Join(dir, "common.proto")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]schema.Import{base}, one[0].imports, cmpopts.IgnoreFields(schema.Import{}, "Text")); diff != "" {
		t.Error(diff)
	}
}
