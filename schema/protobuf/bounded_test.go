package protobuf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/schema"
)

// The cost of half a megabyte grows with its length and not with the square of it, however it is made up.
func TestTheLargestSchemasAreBounded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("reads megabytes")
	}
	head := `syntax = "proto3"; import "x.proto"; `
	for name, c := range map[string]struct{ before, line, after string }{ // no oneofs: the compiler looks at all fields for each
		"messages":     {head, "message A# {}\n", ""},
		"nested":       {head + "message M {", "message A# {}\n", "}"},
		"fields":       {head + "message M {", "M f# = #;\n", "}"},
		"enums":        {head, "enum E# { Z# = 0; }\n", ""},
		"values":       {head + "enum E {", "V# = #;\n", "Z = 0; }"},
		"option keys":  {head + "option (x) = {", "k#: 1\n", "};"},
		"option lists": {head + "option (x) = {", "k: #\n", "};"},
		"options":      {head, "option (x#).y = 1;\n", ""},
		"reserved":     {head + "message M { reserved ", "#,", "536870911; }"},
		"maps":         {head + "message M {", "map<int32, M> f# = #;\n", "}"},
		"groups":       {"message M {", "optional group G# = # { }\n", "}"},
	} {
		t.Run(name, func(t *testing.T) {
			costs := func(bytes int) time.Duration {
				var b strings.Builder
				b.WriteString(c.before)
				for i := 1; b.Len() < bytes; i++ {
					fmt.Fprintf(&b, strings.ReplaceAll(c.line, "#", "%[1]d"), i)
				}
				b.WriteString(c.after)
				return takesWhole(t, b.String())
			}
			for try := 1; ; try++ {
				small, large := costs(maxText/32), costs(maxText/2)
				if large <= time.Second+80*small { // were the cost the square of the length, 256
					return
				}
				t.Logf("%v, and %v for a sixteenth of it", large, small)
				if try == 10 { // each time, and not because the machine was busy once
					t.Fatal("the cost grows with the square of the length")
				}
			}
		})
	}
}

// takesWhole does with a text all that is done with one, and returns how long it took.
func takesWhole(t *testing.T, text string) time.Duration {
	t.Helper()
	start := time.Now()
	s, err := Format.Parse(text, nil)
	if err == nil {
		s.Normalized()
		if _, err := s.As("serialized"); err != nil {
			t.Error(err)
		}
		Format.Compare(s, mustParse(t, text), schema.Strict)
		Lint(s, s)
	}
	return time.Since(start)
}
