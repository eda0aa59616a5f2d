package consumer_test

import (
	"context"
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
)

func ExampleOn() {
	orders := leat.Topic{Name: "shop.orders", Carries: []any{Placed{}}}
	bill := func(_ context.Context, e *leat.Event[Placed]) error {
		fmt.Println("bill", e.Data.Key)
		return nil
	}
	c, err := consumer.New(consumer.Config{
		Group:    "billing",
		Handlers: []leat.Handler{consumer.On(orders, bill, consumer.Parallel(16))},
	})
	fmt.Println(c != nil, err)
	// Run(ctx) joins the group; until then nothing is connected.
	fmt.Println(c.Ready())
	// Output:
	// true <nil>
	// consumer group billing: not running yet
}
