package avro_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

// found compares two texts and renders the findings.
func found(t testing.TB, reader, writer string) (all []string) {
	t.Helper()
	for _, d := range avro.Language.Compare(parse(t, reader), parse(t, writer), "") {
		all = append(all, d.Kind+" "+d.Path)
		if d.Message == "" || d.Breaks == "" || d.Mend == "" {
			t.Errorf("%s lacks words: %+v", d.Kind, d)
		}
	}
	return all
}

// TestRules has one case per rule and direction, of a table that other registries can be asked too:
// what is allowed one way is mostly not the other way.
func TestRules(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/verdicts.json")
	if err != nil {
		t.Fatal(err)
	}
	var table []struct {
		Name           string
		Reader, Writer json.RawMessage
		Want, Back     []string // the reader reads the writer's; the other way round
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	for _, c := range table {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.Want, found(t, string(c.Reader), string(c.Writer)), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.Back, found(t, string(c.Writer), string(c.Reader)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the other way: %s", diff)
			}
		})
	}
}

func TestMessagesAreThoseOfConfluentsRegistry(t *testing.T) {
	t.Parallel()
	first := func(reader, writer string) schema.Difference {
		return avro.Language.Compare(parse(t, reader), parse(t, writer), "")[0]
	}
	for _, c := range []struct{ reader, writer, message, info string }{
		{rec(`{"name":"a","type":"int","default":1},{"name":"x","type":"int"}`), rec(``), "The field 'x' at path '/fields/1' in the new schema has no default value and is missing in the old schema", "x"},
		{`"int"`, `"string"`, "The type (path '/') of a field in the new schema does not match with the old schema", "reader type: INT not compatible with writer type: STRING"},
		{`{"type":"fixed","name":"A","size":1}`, `{"type":"fixed","name":"A","size":2}`, "The size of FIXED type field at path '/size' in the new schema does not match with the old schema", "expected: 2, found: 1"},
		{`{"type":"fixed","name":"A","size":1}`, `{"type":"fixed","name":"n.B","size":1}`, "The name of the schema has changed (path '/name')", "expected: n.B"},
		{`{"type":"enum","name":"E","symbols":["B"]}`, `{"type":"enum","name":"E","symbols":["C","B","A"]}`, "The new schema is missing enum symbols '[A, C]' at path '/symbols' in the old schema", "[A, C]"},
		{`["null","int"]`, `"string"`, "The new schema is missing a type inside a union field at path '/' in the old schema", "reader union lacking writer type: STRING"},
	} {
		if d := first(c.reader, c.writer); d.Message != c.message || d.Info != c.info {
			t.Errorf("got  %s (%s)\nwant %s (%s)", d.Message, d.Info, c.message, c.info)
		}
	}
}

// TestComparisonIsBounded compares what would take for ever if each use of a type were compared again.
func TestComparisonIsBounded(t *testing.T) {
	t.Parallel()
	ladder := func(last string) string { // each type uses the next one twice
		text := `{"type":"fixed","name":"L","size":` + last + `}`
		for i := 60; i >= 0; i-- {
			next := "L"
			if i < 60 {
				next = fmt.Sprintf("R%d", i+1)
			}
			text = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s},{"name":"b","type":"%s"},{"name":"c","type":["null","%s"]}]}`, i, text, next, next)
		}
		return text
	}
	start := time.Now()
	if got := found(t, ladder("1"), ladder("2")); len(got) == 0 || len(got) > 500 || !strings.HasPrefix(got[0], "FIXED_SIZE_MISMATCH ") {
		t.Errorf("%d findings: %.3q", len(got), got)
	}
	wide := func(letter string) string {
		var all []string
		for i := range 1100 {
			all = append(all, fmt.Sprintf(`{"type":"fixed","name":"%s%d","size":1}`, letter, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	if got := found(t, wide("A"), wide("B")); len(got) != 1 || got[0] != "TOO_LARGE /" {
		t.Errorf("1,210,000 pairs: %d findings", len(got))
	}
	if took := time.Since(start); took > 5*time.Minute {
		t.Errorf("took %v", took)
	}
}
