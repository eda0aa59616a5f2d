package gen_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	twmb "github.com/twmb/avro"
	"golang.org/x/tools/txtar"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/gen"
	"github.com/leatdev/leat/schema/jsonschema"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	seeds  = flag.Int("seeds", 40, "how many generated schemas go through the compiler")
)

// made is how many schemas are made up: the compiler takes its time.
func made() int {
	if testing.Short() {
		return min(*seeds, 8)
	}
	return *seeds
}

// subject is a schema on its way through generator and compiler.
type subject struct {
	name  string
	s     schema.Schema
	code  []byte
	event string // "": the first in the code
	task
}

type task struct {
	Encoding leat.Encoding
	Data     [][]byte
}

type answer struct {
	Text string
	Err  string
	Data [][]byte
	Pin  bool
}

func parse(t testing.TB, lang schema.Language, text string) schema.Schema {
	t.Helper()
	s, err := lang.Parse(text, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

var eventReceiver = regexp.MustCompile(`func \((\w+)\) EventType\(\)`)

// compiled runs the generated types of all subjects in one program.
func compiled(t *testing.T, subjects []subject) []answer {
	t.Helper()
	program, err := os.ReadFile("testdata/roundtrip.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"main.go": program}
	imports, types := "package main\n\nimport (\n", "var types = []any{\n"
	var tasks []task
	for i, s := range subjects {
		pkg := fmt.Sprintf("c%03d", i)
		files[pkg+"/c.go"] = s.code
		imports += fmt.Sprintf("\t%s \"github.com/leatdev/leat/schema/gen/roundtrip/%s\"\n", pkg, pkg)
		types += fmt.Sprintf("\t%s.%s{},\n", pkg, cmp.Or(s.event, string(eventReceiver.FindSubmatch(s.code)[1])))
		tasks = append(tasks, s.task)
	}
	files["types.go"] = []byte(imports + ")\n\n" + types + "}\n")
	stdin, err := json.Marshal(tasks)
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := json.Unmarshal(run(t, files, stdin), &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

func corpus(t *testing.T, name string) map[string]string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range a.Files {
		all[f.Name] = string(f.Data)
	}
	return all
}

// The contract of a generated type is the schema that it came from, and what another implementation
// writes by that schema goes through the type and back without a change.
func TestGeneratedTypesAreTheirSchemas(t *testing.T) {
	t.Parallel()
	var subjects []subject
	total, theirs := 0, 0
	add := func(name, text string, r *rand.Rand) {
		s := parse(t, avro.Language, text)
		var o gen.Options
		if name == "bare.avsc" {
			o.EventType = "shop.bare.seen.v1" // the record keeps its name
		}
		code, err := gen.Go(s, o)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		sub := subject{name: name, s: s, code: code, task: task{Encoding: leat.Avro}}
		other, err := twmb.Parse(s.Canonical())
		if err != nil && name != "one_name.avsc" { // only Java takes such names
			t.Fatalf("%s: twmb: %v\n%s", name, err, text)
		}
		for range 5 {
			data := randomData(r, s.Canonical())
			total++
			if other != nil && bytes.Equal(data, written(t, other, data)) {
				theirs++
			}
			sub.Data = append(sub.Data, data)
		}
		subjects = append(subjects, sub)
	}
	for name, text := range corpus(t, "avro.txtar") {
		add(name, text, rand.New(rand.NewPCG(1, 2)))
	}
	derived, err := os.ReadFile("../avro/testdata/derived.avsc")
	if err != nil {
		t.Fatal(err)
	}
	add("derived.avsc", string(derived), rand.New(rand.NewPCG(1, 2)))
	for seed := range made() {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		add(fmt.Sprintf("seed %d", seed), randomAvro(r), r)
	}
	pinned, generated := 0, 0
	for i, a := range compiled(t, subjects) {
		s := subjects[i]
		if a.Err != "" || a.Text != s.s.Canonical() {
			t.Errorf("%s: %s\nschema   %s\ncontract %s\n%s", s.name, a.Err, s.s.Canonical(), a.Text, s.code)
			continue
		}
		if a.Pin {
			pinned++
			if strings.HasPrefix(s.name, "seed") {
				generated++
			}
		}
		for j := range s.Data {
			if !bytes.Equal(a.Data[j], s.Data[j]) {
				t.Errorf("%s: % x comes back as % x\n%s", s.name, s.Data[j], a.Data[j], s.s.Canonical())
			}
		}
	}
	t.Logf("%d of %d types bring their schema; %d of %d data are as another implementation writes them", pinned, len(subjects), theirs, total)
	if theirs*10 < total*8 {
		t.Error("the data is not what another implementation writes")
	}
	if pinned < 20 || generated > made()/2 {
		t.Errorf("%d of %d types bring their schema, %d of them made up: want those of the corpus, and fewer than half of the others", pinned, len(subjects), generated)
	}
}

// written is data as another implementation, which must be able to read it, writes it again. It has
// its own ways with decimals in unions.
func written(t *testing.T, other *twmb.Schema, data []byte) []byte {
	t.Helper()
	var any any
	if rest, err := other.Decode(data, &any); err != nil || len(rest) > 0 {
		t.Fatalf("twmb: %v, %d bytes left of % x\n%s", err, len(rest), data, other.String())
	}
	out, err := other.Encode(any)
	if err != nil {
		t.Fatalf("twmb: %v", err)
	}
	return out
}

// What is valid by a JSON Schema goes through the generated type and back without a change.
func TestGeneratedTypesTakeTheirDocuments(t *testing.T) {
	t.Parallel()
	var subjects []subject
	for name, text := range corpus(t, "json.txtar") {
		schemaText, docs, _ := strings.Cut(text, "\n---\n")
		s := parse(t, jsonschema.Format, schemaText)
		code, err := gen.Go(s, gen.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sub := subject{name: name, s: s, code: code, task: task{Encoding: leat.JSONSchema}}
		for doc := range strings.SplitSeq(strings.TrimSpace(docs), "\n") {
			if _, err := jsonschema.Format.FromJSON(s, nil, []byte(doc)); err != nil {
				t.Fatalf("%s: the document is none of the schema: %v\n%s", name, err, doc)
			}
			sub.Data = append(sub.Data, []byte(doc))
		}
		subjects = append(subjects, sub)
	}
	for seed := range made() {
		r := rand.New(rand.NewPCG(uint64(seed), 4))
		text, docs := randomJSON(r)
		s := parse(t, jsonschema.Format, text)
		code, err := gen.Go(s, gen.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		subjects = append(subjects, subject{name: fmt.Sprintf("seed %d", seed), s: s, code: code, task: task{Encoding: leat.JSONSchema, Data: docs}})
	}
	for i, a := range compiled(t, subjects) {
		s := subjects[i]
		if a.Err != "" || a.Text != s.s.Canonical() {
			t.Errorf("%s: %s\nschema   %s\ncontract %s\n%s", s.name, a.Err, s.s.Canonical(), a.Text, s.code)
			continue
		}
		for j := range s.Data {
			var was, is any
			if err := json.Unmarshal(s.Data[j], &was); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(a.Data[j], &is); err != nil || !reflect.DeepEqual(was, is) {
				t.Errorf("%s: %s comes back as %s, %v\n%s\n%s", s.name, s.Data[j], a.Data[j], err, s.s.Canonical(), s.code)
			}
		}
	}
}

// What is generated is a contract with those who use it: it changes only where the schema does.
func TestGeneratedCodeIsStable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		corpus, name, golden string
		lang                 schema.Language
	}{
		{"avro.txtar", "order.avsc", "order_avro.go.golden", avro.Language},
		{"json.txtar", "order.json", "order_json.go.golden", jsonschema.Format},
	} {
		text, _, _ := strings.Cut(corpus(t, c.corpus)[c.name], "\n---\n")
		got, err := gen.Go(parse(t, c.lang, text), gen.Options{Package: "order", Key: "id", From: c.name})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", c.golden)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is generated, %v; -update writes it anew:\n%s", path, err, got)
		}
	}
}

// What no Go type can hold is an error that says where.
func TestWhatGoCantHoldIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang       schema.Language
		text, want string
	}{
		{avro.Language, `{"type":"record","name":"a.B","fields":[{"name":"x","type":"null"}]}`, "at /fields/0/type: null alone"},
		{avro.Language, `{"type":"record","name":"a.B","fields":[{"name":"x","type":["null"]}]}`, "at /fields/0/type: a union of nothing, or of null alone"},
		{avro.Language, `{"type":"record","name":"a.B","fields":[{"name":"x","type":"B"}]}`, "at /fields/0/type: it holds itself without end"},
		{avro.Language, `"string"`, "at #: an event is a record"},
		{avro.Language, `{"type":"record","name":"a.B","fields":[{"name":"x","type":[{"type":"int","logicalType":"date"},{"type":"long","logicalType":"timestamp-millis"}]}]}`, "date and timestamp-millis are both time.Time"},
		{avro.Language, `{"type":"record","name":"a.B","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":[]}}]}`, "an enum without symbols"},
		{jsonschema.Format, `{"type":"object","properties":{"a":{}}}`, "no title"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{"type":"null"}}}`, "at #/properties/a: null alone"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":false}}`, "at #/properties/a: nothing may be here"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{"type":"array","items":[{},{}]}}}`, "at #/properties/a/items: a list with a type for each place"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{}},"patternProperties":{"^x":{}}}`, "at #/patternProperties: properties and patterns"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{}},"additionalProperties":{"type":"string"}}`, "at #/additionalProperties: a struct has no place"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{"$ref":"#/definitions/a"}},"required":["a"],"definitions":{"a":{"type":"object","properties":{"b":{"$ref":"#"}},"required":["b"]}}}`, "holds itself without end"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{"oneOf":[{"type":"object","properties":{"x":{}}},{"type":"object","properties":{"y":{}}}]}}}`, "at #/properties/a: nothing tells AA1 from AA2"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{"oneOf":[{"type":"integer"},{"type":"number"}]}}}`, "at #/properties/a: int64 and float64 are both written as number"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{}},"required":["b"]}`, `at #/required: "b" is required`},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a":{}},"if":{"required":["a"]},"then":{"properties":{"b":{}}}}`, "at #: if has no counterpart"},
		{jsonschema.Format, `{"title":"a","type":"object","properties":{"a\"b":{}}}`, `can't be the name of a field`},
		{jsonschema.Format, `{"title":"a","type":"array"}`, "at #: an event is an object"},
	} {
		_, err := gen.Go(parse(t, c.lang, c.text), gen.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.text, err, c.want)
		}
	}
	s := parse(t, avro.Language, `{"type":"record","name":"a.B","fields":[{"name":"x","type":"int"}]}`)
	for _, o := range []gen.Options{{Key: "x"}, {Key: "y"}, {Package: "a-b"}} {
		if _, err := gen.Go(s, o); err == nil {
			t.Errorf("%+v: want an error", o)
		}
	}
}

// Whatever is a schema becomes a Go file or an error.
func FuzzGo(f *testing.F) {
	for _, name := range []string{"avro.txtar", "json.txtar"} {
		a, err := txtar.ParseFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			text, _, _ := strings.Cut(string(file.Data), "\n---\n")
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, lang := range []schema.Language{avro.Language, jsonschema.Format} {
			s, err := lang.Parse(text, nil)
			if err != nil {
				continue
			}
			code, err := gen.Go(s, gen.Options{EventType: "a.b"})
			if (err == nil) != (len(code) > 0) || err != nil && strings.Contains(err.Error(), "no Go:") {
				t.Errorf("%v\n%s", err, text)
			}
		}
	})
}
