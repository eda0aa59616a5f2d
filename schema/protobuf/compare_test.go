package protobuf

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leatdev/leat/schema"
)

// verdict is one case of testdata/verdicts.json: what a reader of the new schema makes of data of the
// old one. Imports are "i.proto", its versions 1 and 2.
type verdict struct {
	Name      string   `json:"name"`
	Old       string   `json:"old"`
	New       string   `json:"new"`
	OldImport string   `json:"old_import"`
	NewImport string   `json:"new_import"`
	Expected  []string `json:"expected"`
}

func (v verdict) schemas(t testing.TB) (old, next schema.Schema) {
	t.Helper()
	load := func(text, imp string, version int) schema.Schema {
		if imp == "" {
			return mustParse(t, text)
		}
		i := imported("i.proto", imp)
		i.Version = version
		return mustParse(t, text, i)
	}
	return load(v.Old, v.OldImport, 1), load(v.New, v.NewImport, 2)
}

func verdicts(t testing.TB) []verdict {
	t.Helper()
	data, err := os.ReadFile("testdata/verdicts.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []verdict
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func kinds(found []schema.Difference) []string {
	var all []string
	for _, d := range found {
		all = append(all, d.Kind+" "+d.Path)
	}
	return all
}

// Each rule in each direction, and what is no rule.
func TestVerdictsAreConfluents(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range verdicts(t) {
		for _, kind := range v.Expected {
			seen[strings.Fields(kind)[0]] = true
		}
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			old, next := v.schemas(t)
			found := Format.Compare(next, old, schema.Strict)
			if diff := cmp.Diff(v.Expected, kinds(found), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("old %s\nnew %s\n(-want +got):\n%s", v.Old, v.New, diff)
			}
			for _, d := range found {
				if d.Breaks == "" || d.Mend == "" || !strings.Contains(d.Message, "'"+d.Path+"'") {
					t.Errorf("not all is said: %+v", d)
				}
			}
		})
	}
	for rule := range words {
		if !seen[rule] {
			t.Errorf("no case of %s", rule)
		}
	}
}

func TestVerdictsOfDescriptorsAreThoseOfTexts(t *testing.T) {
	t.Parallel()
	for _, v := range verdicts(t) {
		if v.OldImport != "" {
			continue
		}
		old, next := v.schemas(t)
		old = mustParse(t, form(t, old, "serialized"))
		if diff := cmp.Diff(v.Expected, kinds(Format.Compare(next, old, schema.Strict)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", v.Name, diff)
		}
	}
}

func TestLintFindsWhatVerdictsLetPass(t *testing.T) {
	t.Parallel()
	head := `syntax = "proto3"; message M { `
	for name, c := range map[string]struct{ old, next, want string }{
		"renumbered":          {"int32 a = 1; }", "int32 a = 2; }", "FIELD_RENUMBERED #/M/1"},
		"name reused":         {"int32 a = 1; int32 b = 2; }", "int32 b = 1; int32 a = 2; }", "FIELD_RENUMBERED #/M/1 FIELD_RENUMBERED #/M/2"},
		"renamed":             {"int32 a = 1; }", "int32 b = 1; }", "FIELD_RENAMED #/M/1"},
		"removed":             {"int32 a = 1; }", "}", "FIELD_REMOVED_NOT_RESERVED #/M/1"},
		"removed, reserved":   {"int32 a = 1; }", "reserved 1; }", ""},
		"json name":           {"int32 a_b = 1; }", `int32 a_b = 1 [json_name = "a_b"]; }`, "JSON_NAME_CHANGED #/M/1"},
		"list":                {"int32 a = 1; }", "repeated int32 a = 1; }", "FIELD_LABEL_CHANGED #/M/1"},
		"narrowed":            {"int64 a = 1; }", "int32 a = 1; }", "FIELD_TYPE_CHANGED #/M/1"},
		"enum value removed":  {"} enum E { Z = 0; Y = 1; }", "} enum E { Z = 0; }", "ENUM_VALUE_REMOVED #/E/1"},
		"enum value renamed":  {"enum E { Z = 0; Y = 1; } }", "enum E { Z = 0; X = 1; } }", "ENUM_VALUE_RENAMED #/M/E/1"},
		"nested":              {"message N { int32 a = 1; } }", "message N { } }", "FIELD_REMOVED_NOT_RESERVED #/M/N/1"},
		"nothing that hurts":  {"int32 a = 1; }", "int32 a = 1; string b = 2; }", ""},
		"a message that went": {"} message N { int32 a = 1; }", "}", ""}, // the verdict says so
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := Lint(mustParse(t, head+c.old), mustParse(t, head+c.next))
			if got := strings.Join(kinds(found), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, d := range found {
				if d.Message == "" || d.Breaks == "" || d.Mend == "" {
					t.Errorf("not all is said: %+v", d)
				}
			}
		})
	}
	proto2 := `syntax = "proto2"; message M { `
	found := Lint(mustParse(t, proto2+"optional string a = 1; }"), mustParse(t, proto2+"required string a = 1; }"))
	if got := kinds(found); !slices.Equal(got, []string{"FIELD_NOW_REQUIRED #/M/1"}) {
		t.Errorf("got %q", got)
	}
}
