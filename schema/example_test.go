package schema_test

import (
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

func Example() {
	type paid struct {
		OrderID string `json:"order_id"`
		Cents   int64  `json:"cents"`
	}
	kind := leat.KindOf[paid]("shop.payment.succeeded.v1", nil)
	data, err := schema.JSON.Append(nil, &kind, paid{"o-42", 1999})
	fmt.Println(string(data), err)
	var got paid
	fmt.Println(schema.JSON.Decode(data, &kind, &got), got.Cents)
	// Output:
	// {"order_id":"o-42","cents":1999} <nil>
	// <nil> 1999
}
