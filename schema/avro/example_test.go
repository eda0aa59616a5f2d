package avro_test

import (
	"fmt"

	"github.com/leatdev/leat/schema/avro"
)

func Example_compare() {
	old, _ := avro.Language.Parse(`{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}`, nil)
	next, _ := avro.Language.Parse(`{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"note","type":"string"}]}`, nil)
	for _, d := range avro.Language.Compare(next, old, "") {
		fmt.Println(d)
		fmt.Println("breaks:", d.Breaks)
	}
	fmt.Println("the other way:", len(avro.Language.Compare(old, next, "")))
	// Output:
	// READER_FIELD_MISSING_DEFAULT_VALUE at /fields/1: The field 'note' at path '/fields/1' in the new schema has no default value and is missing in the old schema
	// breaks: who reads fails on every record: nothing fills the field "note"
	// the other way: 0
}
