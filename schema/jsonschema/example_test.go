package jsonschema_test

import (
	"fmt"
	"reflect"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/jsonschema"
)

type Status string

func (Status) Symbols() []string { return []string{"open", "paid"} }

type Placed struct {
	ID     string `json:"id" doc:"of the order"`
	Status Status `json:"status"`
}

type PlacedWithNote struct {
	ID     string  `json:"id" doc:"of the order"`
	Status Status  `json:"status"`
	Note   *string `json:"note,omitempty"`
}

// The schema of an event comes from its Go type; what the type can't say is checked on each write.
func Example() {
	text, _, err := jsonschema.Format.Derive(reflect.TypeFor[Placed](), "shop.order.placed.v1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)
	s, err := jsonschema.Format.Parse(text, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := jsonschema.Format.Writer(reflect.TypeFor[Placed](), s)
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := w.Append(nil, Placed{ID: "o-1", Status: "paid"})
	fmt.Println(string(data), err)
	_, err = w.Append(nil, Placed{ID: "o-1", Status: "lost"})
	fmt.Println(err)
	// Output:
	// {"$schema":"http://json-schema.org/draft-07/schema#","title":"shop.order.placed.v1","type":"object","properties":{"id":{"type":"string","description":"of the order"},"status":{"type":"string","enum":["open","paid"]}},"required":["id","status"],"additionalProperties":false}
	// {"id":"o-1","status":"paid"} <nil>
	// shop.order.placed.v1 does not keep to its schema: at #/status: value must be one of ["open" "paid"]
}

// A change is judged as a registry would, with what it breaks and what to do about it.
func Example_compare() {
	parse := func(t reflect.Type) schema.Schema {
		text, _, err := jsonschema.Format.Derive(t, "shop.order.placed.v1")
		if err != nil {
			panic(err)
		}
		s, err := jsonschema.Format.Parse(text, nil)
		if err != nil {
			panic(err)
		}
		return s
	}
	old, next := parse(reflect.TypeFor[Placed]()), parse(reflect.TypeFor[PlacedWithNote]())
	fmt.Println("next reads old:", jsonschema.Format.Compare(next, old, schema.Strict))
	fmt.Println("old reads next, readers passing over what they do not know:", jsonschema.Format.Compare(old, next, schema.Lenient))
	for _, d := range jsonschema.Format.Compare(old, next, schema.Strict) {
		fmt.Println(d)
		fmt.Println("breaks:", d.Breaks)
		fmt.Println("mend:", d.Mend)
	}
	// Output:
	// next reads old: []
	// old reads next, readers passing over what they do not know: []
	// PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL at #/properties/note: The new schema has a closed content model and is missing a property or item present at path '#/properties/note' in the old schema
	// breaks: readers refuse old data that has it
	// mend: keep it, and do not require it; or let anything be there under LENIENT
}
