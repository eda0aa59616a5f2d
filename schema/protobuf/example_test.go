package protobuf_test

import (
	"fmt"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/protobuf"
)

func Example() {
	format := protobuf.Format
	old, err := format.Parse(`syntax = "proto3";
package shop.v1;
message Order { string order_id = 1; int64 cents = 2; } // cents, not euros
`, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(old.Canonical())

	next, _ := format.Parse(`syntax = "proto3"; package shop.v1;
message Order { string order_id = 1; string cents = 2; string note = 3; }`, nil)
	for _, d := range format.Compare(next, old, schema.Strict) {
		fmt.Println(d.Kind, d.Path)
		fmt.Println("breaks:", d.Breaks)
		fmt.Println("mend:", d.Mend)
	}

	data, _ := format.FromJSON(old, nil, []byte(`{"orderId": "o-42", "cents": 1999}`))
	doc, err := format.ToJSON(old, nil, data)
	fmt.Println(len(data), string(doc), err)

	_, err = format.Parse("syntax = \"proto3\";\nmessage Order { Money total = 1; }", nil)
	fmt.Println(err)
	// Output:
	// syntax = "proto3";
	// package shop.v1;
	//
	// message Order {
	//   string order_id = 1;
	//   int64 cents = 2;
	// }
	// FIELD_SCALAR_KIND_CHANGED #/Order/2
	// breaks: the reader sees other values, or the field's default
	// mend: keep the field and add one of the new type under a new number
	// 9 {"orderId":"o-42","cents":"1999"} <nil>
	// 2:17: field Order.total: unknown type Money
}
