package letter_test

import (
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
)

// A dead letter is the record as it was, with its story behind.
func Example() {
	story := letter.DeadLetter{
		Source: leat.Position{Topic: "shop.orders", Partition: 3, Offset: 42}, Group: "payment",
		Reason: letter.ReasonExhausted, Error: "card declined", Attempts: 3,
	}
	headers := append([]leat.Header{{Key: "ce_id", Value: []byte("7")}}, story.Headers()...)

	d, err := letter.ParseDeadLetter(headers)
	fmt.Println(d.ID(), d.Reason, d.Attempts, err)
	// Output: payment:shop.orders/3@42 exhausted 3 <nil>
}
