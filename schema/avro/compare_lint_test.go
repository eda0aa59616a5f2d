package avro_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

// rec is a record of the one field f.
func rec(field string) string {
	return `{"type":"record","name":"R","fields":[` + field + `]}`
}

func TestLintTellsWhatVerdictsLetThrough(t *testing.T) {
	t.Parallel()
	decimal := func(precision, scale int) string {
		return fmt.Sprintf(`{"type":"bytes","logicalType":"decimal","precision":%d,"scale":%d}`, precision, scale)
	}
	of := func(typ string) string { return rec(`{"name":"f","type":` + typ + `}`) }
	for _, c := range []struct {
		name, old, next string
		want            []string
	}{
		{"the same", of(decimal(9, 2)), of(decimal(9, 2)), nil},
		{"scale", of(decimal(9, 2)), of(decimal(9, 3)), []string{"AVRO_DECIMAL_CHANGED /fields/0/type"}},
		{"precision", of(decimal(9, 2)), of(decimal(12, 2)), []string{"AVRO_DECIMAL_CHANGED /fields/0/type"}},
		{"decimal becomes optional and another", of(decimal(9, 2)), of(`["null",` + decimal(9, 3) + `]`), []string{"AVRO_DECIMAL_CHANGED /fields/0/type/1"}},
		{"unit of time", of(`{"type":"long","logicalType":"timestamp-millis"}`), of(`{"type":"long","logicalType":"timestamp-micros"}`), []string{"AVRO_LOGICAL_TYPE_CHANGED /fields/0/type"}},
		{"decimal becomes bytes", of(decimal(9, 2)), of(`"bytes"`), []string{"AVRO_LOGICAL_TYPE_CHANGED /fields/0/type"}},
		{"in an array", of(`{"type":"array","items":` + decimal(9, 2) + `}`), of(`{"type":"array","items":` + decimal(9, 4) + `}`), []string{"AVRO_DECIMAL_CHANGED /fields/0/type/items"}},
		{"in a map", of(`{"type":"map","values":` + decimal(9, 2) + `}`), of(`{"type":"map","values":` + decimal(9, 4) + `}`), []string{"AVRO_DECIMAL_CHANGED /fields/0/type/values"}},
		{"new enum", rec(``), of(`{"type":"enum","name":"E","symbols":["A"]}`), []string{"AVRO_ENUM_WITHOUT_DEFAULT /fields/0/type"}},
		{"first schema", ``, of(`{"type":"enum","name":"E","symbols":["A"]}`), []string{"AVRO_ENUM_WITHOUT_DEFAULT /fields/0/type"}},
		{"enum as it was", of(`{"type":"enum","name":"E","symbols":["A"]}`), of(`{"type":"enum","name":"E","symbols":["A"]}`), nil},
		{"enum with a default", rec(``), of(`{"type":"enum","name":"E","symbols":["A"],"default":"A"}`), nil},
		{"renamed", rec(`{"name":"a","type":"string"}`), rec(`{"name":"b","type":"string","default":""}`), []string{"AVRO_FIELD_RENAMED /fields/0"}},
		{"renamed with an alias", rec(`{"name":"a","type":"string"}`), rec(`{"name":"b","type":"string","default":"","aliases":["a"]}`), nil},
		{"another type", rec(`{"name":"a","type":"string"}`), rec(`{"name":"b","type":"int","default":0}`), nil},
		{"default", rec(`{"name":"a","type":"int","default":1}`), rec(`{"name":"a","type":"int","default":2}`), []string{"AVRO_DEFAULT_CHANGED /fields/0"}},
		{"default added", rec(`{"name":"a","type":"int"}`), rec(`{"name":"a","type":"int","default":2}`), nil},
		{"order", of(`["null","int","string"]`), of(`["int","null","string"]`), []string{"AVRO_UNION_ORDER_CHANGED /fields/0/type"}},
		{"branch in between", of(`["null","int"]`), of(`["null","string","int"]`), nil},
		{"alias gone", rec(`{"name":"a","type":"int","aliases":["b","c"]}`), rec(`{"name":"a","type":"int","aliases":["c"]}`), []string{"AVRO_ALIAS_REMOVED /fields/0"}},
		{"alias becomes the name", rec(`{"name":"a","type":"int","aliases":["b"]}`), rec(`{"name":"b","type":"int","aliases":["a"]}`), nil},
		{"alias of a type gone", `{"type":"record","name":"n.R","aliases":["Q"],"fields":[]}`, `{"type":"record","name":"n.R","fields":[]}`, []string{"AVRO_ALIAS_REMOVED "}},
		{"recursion", rec(`{"name":"r","type":["null","R"]},{"name":"d","type":` + decimal(4, 1) + `}`), rec(`{"name":"r","type":["null","R"]},{"name":"d","type":` + decimal(4, 2) + `}`), []string{"AVRO_DECIMAL_CHANGED /fields/1/type"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var old schema.Schema
			if c.old != "" {
				old = parse(t, c.old)
			}
			var got []string
			next := parse(t, c.next)
			for _, d := range avro.Lint(old, next) {
				got = append(got, d.Kind+" "+d.Path)
				if d.Message == "" || d.Breaks == "" || d.Mend == "" {
					t.Errorf("%s lacks words", d.Kind)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
