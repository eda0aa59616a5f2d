package avro_test

import (
	"fmt"
	"reflect"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

func Example() {
	type placed struct {
		OrderID string         `json:"order_id"`
		Cents   int64          `json:"cents" doc:"in minor units"`
		Rate    schema.Decimal `json:"rate" decimal:"6,4" default:"1"`
		Note    *string        `json:"note,omitempty"`
	}
	t := reflect.TypeFor[placed]()
	text, _, err := avro.Format.Derive(t, "shop.order.placed.v1")
	fmt.Println(text, err)
	s, _ := avro.Format.Parse(text, nil)
	w, _ := avro.Format.Writer(t, s)
	data, err := w.Append(nil, placed{OrderID: "o-42", Cents: 1999, Rate: schema.NewDecimal(95, 2)})
	fmt.Printf("% x %v\n", data, err)
	doc, _ := avro.Format.ToJSON(s, nil, data)
	fmt.Println(string(doc))

	// The schema of the first version, which had a string too many and no rate.
	old, _ := avro.Format.Parse(`{"type":"record","name":"v1","fields":[{"name":"shop","type":"string"},{"name":"order_id","type":"string"},{"name":"cents","type":"int"}]}`, nil)
	r, err := avro.Format.Reader(t, s, old, nil)
	fmt.Println(err)
	var got placed
	err = r.Decode([]byte("\x02x\x08o-41\x0e"), &got)
	fmt.Println(got.OrderID, got.Cents, got.Rate, err)
	// Output:
	// {"type":"record","name":"v1","namespace":"shop.order.placed","fields":[{"name":"order_id","type":"string"},{"name":"cents","type":"long","doc":"in minor units"},{"name":"rate","type":{"type":"bytes","logicalType":"decimal","precision":6,"scale":4},"default":"'\u0010"},{"name":"note","type":["null","string"],"default":null}]} <nil>
	// 08 6f 2d 34 32 9e 1f 04 25 1c 00 <nil>
	// {"order_id":"o-42","cents":1999,"rate":"0.9500","note":null}
	// <nil>
	// o-41 7 1.0000 <nil>
}
