package avro_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

// TestGoldenTexts reads the files of testdata/golden: a text, its imports ("import NAME") and what
// becomes of them.
func TestGoldenTexts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			golden, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := &txtar.Archive{Comment: golden.Comment}
			var text string
			var imports []schema.Import
			for _, f := range golden.Files {
				if name, ok := strings.CutPrefix(f.Name, "import "); ok {
					imports = append(imports, schema.Import{Reference: schema.Reference{Name: name}, Text: string(f.Data)})
				} else if f.Name == "text" {
					text = string(f.Data)
				} else {
					continue
				}
				got.Files = append(got.Files, f)
			}
			s := parse(t, text, imports...)
			resolved, err := s.As("resolved")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range [][2]string{
				{"canonical", s.Canonical()},
				{"normalized", s.Normalized()},
				{"resolved", resolved},
				{"parsing form", s.ParsingForm()},
				{"fingerprints", fmt.Sprintf("%016x %x", s.Fingerprint64(), s.FingerprintSHA256())},
			} {
				got.Files = append(got.Files, txtar.File{Name: f[0], Data: []byte(f[1] + "\n")})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(txtar.Format(golden)), string(txtar.Format(got))); diff != "" && !*update {
				t.Error(diff)
			}
			again := parse(t, s.Canonical(), imports...)
			if again.Canonical() != s.Canonical() || again.ParsingForm() != s.ParsingForm() {
				t.Errorf("the canonical text reads as\n%s", again.Canonical())
			}
			if normal := parse(t, s.Normalized(), imports...); normal.Normalized() != s.Normalized() {
				t.Errorf("the normal form of the normal form is\n%s", normal.Normalized())
			}
		})
	}
}

// TestFingerprintsOfTheSpecification holds the fingerprints that Avro's own tests share between
// languages.
func TestFingerprintsOfTheSpecification(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, form string
		crc        int64
	}{
		{`"null"`, `"null"`, 7195948357588979594},
		{`{"type":"null"}`, `"null"`, 7195948357588979594},
		{`"boolean"`, `"boolean"`, -6970731678124411036},
		{`"int"`, `"int"`, 8247732601305521295},
		{`"long"`, `"long"`, -3434872931120570953},
		{`"float"`, `"float"`, 5583340709985441680},
		{`"double"`, `"double"`, -8181574048448539266},
		{`"bytes"`, `"bytes"`, 5746618253357095269},
		{`"string"`, `"string"`, -8142146995180207161},
		{`[  ]`, `[]`, -1241056759729112623},
		{`[ "int" ]`, `["int"]`, -5232228896498058493},
		{`[ "int" , {"type":"boolean"} ]`, `["int","boolean"]`, 5392556393470105090},
		{`{"fields":[], "type":"record", "name":"foo"}`, `{"name":"foo","type":"record","fields":[]}`, -4824392279771201922},
	} {
		s := parse(t, c.text)
		if s.ParsingForm() != c.form || int64(s.Fingerprint64()) != c.crc {
			t.Errorf("%s: %s %d, want %s %d", c.text, s.ParsingForm(), int64(s.Fingerprint64()), c.form, c.crc)
		}
	}
}

func FuzzParse(f *testing.F) {
	for seed := range uint64(50) {
		g := newGenerator(seed)
		f.Add(g.typ(4, "").text())
	}
	f.Add(`/* a comment */ {"type":"record","name":"a.B","fields":[{"name":"b","type":["null","B"],"default":null}]} // end`)
	f.Add(`{"type":"record","name":"A","fields":[{"name":"a","type":"A","default":{}}]}`)
	f.Add(`{"type":"fixed","name":"F","size":9999999999}`)
	f.Add("{\"type\":\"enum\",\"name\":\"E\\ud800\",\"symbols\":[\"\xff\"]}")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := avro.Language.Parse(text, nil)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		again, err := avro.Language.Parse(s.Canonical(), nil)
		if err != nil {
			t.Fatalf("the canonical text can't be read: %v\n%s", err, s.Canonical())
		}
		if again.Canonical() != s.Canonical() {
			// What has no namespace inside of one that has is written as Java writes it: with an empty
			// one, which reads as it was. Aliases are not: there Java's own text loses the dot.
			if !strings.Contains(text, "aliases") {
				t.Errorf("canonical\n%s\nand again\n%s", s.Canonical(), again.Canonical())
			}
		}
		_ = s.Normalized()
		_ = s.(*avro.Schema).Validate()
		_ = avro.Lint(nil, s)
		if found := avro.Language.Compare(s, s, ""); len(found) > 0 && found[0].Kind != "AMBIGUOUS_FIELD" && found[0].Kind != "TOO_LARGE" {
			t.Errorf("it can't read itself: %v\n%s", found, s.Canonical())
		}
	})
}
