package protobuf

import (
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

func mustParse(t testing.TB, text string, imports ...schema.Import) schema.Schema {
	t.Helper()
	s, err := Format.Parse(text, imports)
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, text)
	}
	return s
}

func imported(name, text string) schema.Import {
	return schema.Import{Reference: schema.Reference{Name: name, Subject: name, Version: 1}, Text: text}
}

// form is the schema in one of its forms.
func form(t testing.TB, s schema.Schema, name string) string {
	t.Helper()
	switch name {
	case "canonical":
		return s.Canonical()
	case "normalized":
		return s.Normalized()
	}
	text, err := s.As(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The golden files hold the text by which a registry finds a schema again: no change of it is
// harmless. Each form is read again and comes out as itself.
func TestFormsAreTheGoldenOnes(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("testdata/forms/*.proto")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	base := imported("shop/base.proto", `syntax = "proto3"; package shop.base; message Address { string city = 1; }`)
	for _, path := range sources {
		name := strings.TrimSuffix(filepath.Base(path), ".proto")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := mustParse(t, string(text), base)
			for _, f := range []string{"canonical", "normalized", "ignore_extensions", "described"} {
				got := ""
				if f == "described" { // what a client sends that has nothing but the descriptor
					got = mustParse(t, form(t, s, "serialized"), base).Canonical()
				} else {
					got = form(t, s, f)
				}
				golden(t, filepath.Join("testdata/forms", name+"."+f), got)
				again := mustParse(t, got, base)
				if diff := cmp.Diff(got, again.Canonical()); diff != "" {
					t.Errorf("%s is not its own canonical text (-want +got):\n%s", f, diff)
				}
				if f == "normalized" {
					if diff := cmp.Diff(got, again.Normalized()); diff != "" {
						t.Errorf("normalized twice (-want +got):\n%s", diff)
					}
				}
			}
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestADescriptorIsTheSameSchemaAsItsText(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/forms/order.proto")
	if err != nil {
		t.Fatal(err)
	}
	base := imported("shop/base.proto", `syntax = "proto3"; package shop.base; message Address { string city = 1; }`)
	s := mustParse(t, string(text), base)
	base.Text = form(t, mustParse(t, base.Text), "serialized")
	d := mustParse(t, form(t, s, "serialized"), base)
	if diff := cmp.Diff(s.Normalized(), d.Normalized()); diff != "" {
		t.Errorf("normalized (-text +descriptor):\n%s", diff)
	}
	want := form(t, mustParse(t, s.Canonical(), base), "serialized") // messages before enums, as printed
	if diff := cmp.Diff(want, form(t, d, "serialized")); diff != "" {
		t.Errorf("serialized (-text +descriptor):\n%s", diff)
	}
	if got := d.Name(); got != "shop.order.v1.Order" {
		t.Errorf("name %q", got)
	}
}

func TestWhatIsKnownWithoutAReference(t *testing.T) {
	t.Parallel()
	for path := range builtins {
		mustParse(t, `syntax = "proto3"; import "`+path+`";`)
	}
	for _, name := range []string{
		"any", "api", "descriptor", "duration", "empty", "field_mask", "source_context", "struct", "timestamp", "type", "wrappers",
	} {
		mustParse(t, `syntax = "proto3"; import "google/protobuf/`+name+`.proto";`)
	}
	mustParse(t, `edition = "2023"; message A { int32 n = 1 [features.field_presence = IMPLICIT]; reserved gone; }`)
}

func TestAnImportThatNoTypeNeedsMayBeMissing(t *testing.T) {
	t.Parallel()
	text := `syntax = "proto3";

import "validate/rules.proto";

option (rules.file) = true;

message M {
  option (rules.message) = "x";

  string a = 1 [
    (rules.field).min = 3,
    deprecated = true
  ];

  oneof o {
    option (rules.oneof) = true;

    int32 b = 2;
  }

  enum E {
    option (rules.enum) = 1;
    Z = 0 [(rules.value) = "z"];
  }
}

service S {
  option (rules.service) = true;

  rpc Get (M) returns (M) {
    option (rules.method) = true;
  };
}
`
	s := mustParse(t, text)
	if got := strings.ReplaceAll(s.Canonical(), "  \n", "\n"); got != text {
		t.Errorf("(-want +got):\n%s", cmp.Diff(text, got))
	}
	d := mustParse(t, form(t, s, "serialized"))
	if got := d.Canonical(); strings.Contains(got, "rules") || !strings.Contains(got, "string a = 1 [deprecated = true]") {
		t.Errorf("the descriptor:\n%s", got)
	}
}

func TestAnErrorSaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	head := "syntax = \"proto3\";\n"
	deep := strings.Repeat("message M {", 100)
	for name, c := range map[string]struct {
		text    string
		imports []schema.Import
		want    string
	}{
		"empty":            {" \n", nil, "the schema is empty"},
		"syntax":           {head + "message A {\n  string a = ;\n}", nil, "3:14: syntax error"},
		"unknown type":     {head + "message A {\n  strin a = 1;\n}", nil, "3:3: field A.a: unknown type strin"},
		"import missing":   {head + "import \"a.proto\";\nmessage M { a.N n = 1; }", nil, `3:13: field M.n: unknown type a.N; not among the references are: a.proto`},
		"in an import":     {head + `import "a.proto";`, []schema.Import{imported("a.proto", "syntax = \"proto3\";\nmessage {")}, "a.proto: 2:9: syntax error"},
		"circle":           {head + `import "a.proto";`, []schema.Import{imported("a.proto", `import "a.proto";`)}, "cycle found in imports"},
		"twice":            {head + "message A {}\nmessage A {}", nil, `3:9: symbol "A" already defined`},
		"two of a name":    {head, []schema.Import{imported("a", ""), imported("a", "")}, "two imports have the same name"},
		"no descriptor":    {"Zm9vYmFy", nil, "neither a .proto file nor the base64"},
		"nested too deep":  {head + deep, nil, "more than 64 brackets"},
		"message too deep": {head + strings.Repeat("message M {", 40) + strings.Repeat("}", 40), nil, "nesting depth must be less than 32"},
		"too long":         {head + strings.Repeat("//comment\n", 110_000), nil, "at most 1048576 are read"},
		"too many imports": {head, make([]schema.Import, 501), "at most 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Format.Parse(c.text, c.imports)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v and %v, want an error with %q", s, err, c.want)
			}
			if s != nil {
				t.Error("a schema with an error is not nil")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	sources, _ := filepath.Glob("testdata/forms/*.proto")
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
		if s, err := Format.Parse(string(text), nil); err == nil {
			serialized, _ := s.As("serialized")
			f.Add(serialized)
		}
	}
	f.Add(base64.StdEncoding.EncodeToString([]byte{0x0a, 0x01, 'x', 0x22, 0x02, 0x0a, 0x00}))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Format.Parse(text, nil)
		if err != nil {
			return
		}
		again := mustParse(t, s.Canonical())
		if got := again.Canonical(); got != s.Canonical() {
			t.Errorf("the canonical text is not its own:\n%s\n%s", s.Canonical(), got)
		}
		normal := mustParse(t, s.Normalized())
		if got := normal.Normalized(); got != s.Normalized() {
			t.Errorf("the normalized text is not its own:\n%s\n%s", s.Normalized(), got)
		}
		serialized, err := s.As("serialized")
		if err != nil {
			t.Fatal(err)
		}
		if got := mustParse(t, serialized).Normalized(); got != s.Normalized() {
			t.Errorf("the descriptor is another schema:\n%s\n%s", s.Normalized(), got)
		}
		if d := Format.Compare(s, s, schema.Strict); len(d) > 0 {
			t.Errorf("not compatible with itself: %v", d)
		}
	})
}
