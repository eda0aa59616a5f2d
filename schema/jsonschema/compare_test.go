package jsonschema

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/schema"
)

// verdict is one case of the table that other registries can be asked too: may New follow Old?
type verdict struct {
	Name     string          `json:"name"`
	Old      json.RawMessage `json:"old"`
	New      json.RawMessage `json:"new"`
	Level    string          `json:"level"` // BACKWARD everywhere: new reads old
	Policy   string          `json:"policy"`
	Expected bool            `json:"expected"`
	Changes  []string        `json:"changes"` // kind and path, the harmless ones too
}

func TestVerdictsByRule(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/verdicts.json")
	if err != nil {
		t.Fatal(err)
	}
	var table []verdict
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, v := range table {
		name := v.Name + " " + v.Policy
		if names[name] {
			t.Fatalf("%s stands twice", name)
		}
		names[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, new := mustParse(t, string(v.Old)), mustParse(t, string(v.New))
			got := changes(old, new, schema.Policy(v.Policy))
			slices.Sort(got)
			slices.Sort(v.Changes)
			if !slices.Equal(got, v.Changes) {
				t.Errorf("changes\n got %s\nwant %s", strings.Join(got, ", "), strings.Join(v.Changes, ", "))
			}
			why := Format.Compare(new, old, schema.Policy(v.Policy))
			if can := len(why) == 0; can != v.Expected {
				t.Errorf("new reads old: %v, want %v (%v)", can, v.Expected, why)
			}
			for _, d := range why {
				if d.Message == "" || d.Breaks == "" || d.Mend == "" || strings.Contains(d.Message, "%!") {
					t.Errorf("%s lacks words: %+v", d.Kind, d)
				}
			}
		})
	}
}

func changes(old, new *Schema, policy schema.Policy) []string {
	list := []string{}
	for _, d := range compareShapes(old.shape(), new.shape(), policy) {
		list = append(list, d.kind+" "+d.path)
	}
	return list
}

// twelve are products that refer to each other everywhere.
func twelve(t testing.TB, changed string) *Schema {
	names := strings.Fields("Asset Basket Swap Bond Option Future Forward Loan Repo Equity Index Leg")
	var refs, defs []string
	for _, n := range names {
		refs = append(refs, `{"$ref":"#/definitions/`+n+`"}`)
	}
	union := `{"oneOf":[` + strings.Join(refs, ",") + `]}`
	for _, n := range names {
		id := "string"
		if n == changed {
			id = "number"
		}
		defs = append(defs, `"`+n+`":{"type":"object","properties":{"id":{"type":"`+id+`"},"under":`+union+`,"refers":`+union+`}}`)
	}
	return mustParse(t, `{"type":"object","definitions":{`+strings.Join(defs, ",")+`},"properties":{"product":`+union+`}}`)
}

func TestARecursiveOneOfIsComparedInTime(t *testing.T) {
	t.Parallel()
	start := time.Now()
	if why := Format.Compare(twelve(t, ""), twelve(t, ""), schema.Strict); len(why) > 0 {
		t.Errorf("equal schemas differ: %v", why)
	}
	if why := Format.Compare(twelve(t, ""), twelve(t, "Asset"), schema.Strict); len(why) == 0 {
		t.Error("a change deep in the circle is not seen")
	}
	if took := time.Since(start); took > 5*time.Minute {
		t.Errorf("took %s", took)
	}
}

// T0.ref leads to T2 and T2.ref to T0; what was taken for granted of (T0, T0) while it was open must
// not outlive the proof that it is wrong.
func TestACircleHidesNoBreak(t *testing.T) {
	t.Parallel()
	build := func(t0, t1 string) *Schema {
		object := func(id, ref string) string {
			return `{"type":"object","additionalProperties":true,"properties":{"id":{"type":"` + id + `"},"ref":{"oneOf":[{"$ref":"#/definitions/` + ref + `"}]}}}`
		}
		return mustParse(t, `{"type":"object","definitions":{"T0":`+object(t0, "T2")+`,"T1":`+object(t1, "T2")+`,"T2":`+object("integer", "T0")+
			`},"properties":{"root":{"oneOf":[{"$ref":"#/definitions/T0"},{"$ref":"#/definitions/T1"}]}}}`)
	}
	if why := Format.Compare(build("boolean", "number"), build("integer", "boolean"), schema.Strict); len(why) == 0 {
		t.Error("the circle hides that no old branch is read")
	}
}

// Each level refers to the next one twice: 2^30 paths lead to the change.
func TestManyPathsToOneChangeAreBounded(t *testing.T) {
	t.Parallel()
	build := func(leaf string) *Schema {
		defs := []string{`"l30":{"type":"` + leaf + `"}`}
		for i := range 30 {
			ref := `{"$ref":"#/definitions/l` + itoa(i+1) + `"}`
			defs = append(defs, `"l`+itoa(i)+`":{"type":"object","properties":{"a":`+ref+`,"b":`+ref+`}}`)
		}
		return mustParse(t, `{"$ref":"#/definitions/l00","definitions":{`+strings.Join(defs, ",")+`}}`)
	}
	if n := len(Format.Compare(build("string"), build("number"), schema.Strict)); n == 0 || n > maxFindings {
		t.Errorf("%d differences", n)
	}
}

func itoa(i int) string { return string(rune('0'+i/10)) + string(rune('0'+i%10)) }

func TestTooLargeAComparisonIsAnsweredAsOne(t *testing.T) {
	t.Parallel()
	e := &engine{fine: strict, memo: map[pair][]difference{}, open: map[pair]bool{}, assumed: map[pair]bool{}, steps: maxSteps}
	s := &scope{engine: e}
	s.compare(&shape{kind: text}, &shape{kind: number})
	if !e.gaveUp {
		t.Error("a comparison goes on for ever")
	}
	if d := told(difference{kind: kindTooLarge, path: "#/"}); d.Message == "" || d.Mend == "" || strict[d.Kind] || lenient[d.Kind] {
		t.Errorf("got %+v", d)
	}
}

func TestOtherSchemasAreNotCompared(t *testing.T) {
	t.Parallel()
	if why := Format.Compare(mustParse(t, `{}`), nil, schema.Strict); len(why) != 1 || why[0].Kind != kindOther || strings.Contains(why[0].Message, "%") {
		t.Errorf("got %v", why)
	}
}

func TestWordsAreThoseOfTheRegistry(t *testing.T) {
	t.Parallel()
	for _, c := range [][4]string{
		{
			`{"type":"object","properties":{"a":{"type":"string"}}}`, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`, "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b",
			"The new schema has an open content model and has a property or item at path '#/properties/b' which is missing in the old schema",
		},
		{`{"type":"string"}`, `{"type":"number"}`, "TYPE_CHANGED #/", "A type at path '#/' is different between the new schema and the old schema"},
		{`{"type":"string","maxLength":3}`, `{"type":"string","maxLength":2}`, "MAX_LENGTH_DECREASED #/maxLength", "The value at path '#/maxLength' in the new schema is less than its value in the old schema"},
		{`{"type":"number"}`, `{"type":"number","minimum":2}`, "MINIMUM_ADDED #/minimum", "The keyword at path '#/minimum' in the new schema is not present in the old schema"},
		{`{"enum":["a","b"]}`, `{"enum":["a"]}`, "ENUM_ARRAY_NARROWED #/enum", "An array or combined type at path '#/enum' has fewer elements in the new schema than the old schema"},
	} {
		got := Format.Compare(mustParse(t, c[1]), mustParse(t, c[0]), schema.Strict)
		if len(got) != 1 || got[0].Message != c[3] || got[0].Kind+" "+got[0].Path != c[2] {
			t.Errorf("got %+v, want %s: %s", got, c[2], c[3])
		}
	}
}

func TestAMatchingIsAsLargeAsCanBe(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	var best func(fits [][]int, taken int) int
	best = func(fits [][]int, taken int) int {
		if len(fits) == 0 {
			return 0
		}
		most := best(fits[1:], taken)
		for _, j := range fits[0] {
			if taken&(1<<j) == 0 {
				most = max(most, 1+best(fits[1:], taken|1<<j))
			}
		}
		return most
	}
	for range 500 {
		left, right := 1+r.IntN(6), 1+r.IntN(6)
		fits := make([][]int, left)
		for i := range fits {
			for j := range right {
				if r.IntN(3) == 0 {
					fits[i] = append(fits[i], j)
				}
			}
		}
		partner, size := match(fits, right)
		used := map[int]bool{}
		for i, j := range partner {
			if j >= 0 && (used[j] || !slices.Contains(fits[i], j)) {
				t.Fatalf("%v: %v is no matching", fits, partner)
			}
			used[j] = j >= 0
		}
		if want := best(fits, 0); size != want {
			t.Fatalf("%v: %d pairs, want %d", fits, size, want)
		}
	}
}
