package redrive_test

import (
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
)

func ExampleStory_Plan() {
	d := consumer.DeadLetter{Source: leat.Position{Topic: "orders", Partition: 2, Offset: 17}, Group: "payment", Reason: consumer.ReasonExhausted}
	var s redrive.Story
	s.Apply(leat.Position{Topic: "orders.payment.dlq", Partition: 2}, []byte("order-42"), []byte(`{}`), d.Headers())
	for _, l := range s.Plan(redrive.Redriven, redrive.Filter{}, redrive.Guard{}).Letters {
		fmt.Println(l.Source, string(l.Key), l.State())
	}
	// Output: orders/2@17 order-42 open
}
