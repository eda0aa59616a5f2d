package route_test

import (
	"fmt"
	"hash/maphash"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/route"
)

type Placed struct{}

func (Placed) EventType() string { return "shop.order.placed.v1" }

// Of a topic's events a group takes those that it has handlers for; a key has one lane.
func Example() {
	table := route.Table{}
	h := leat.NewHandler[Placed](leat.Topic{Name: "shop.orders", Carries: []any{Placed{}}}, nil)
	table.Add("payment", &route.Handler{Handler: h, Class: 1}, nil)
	orders, seed := table["shop.orders"], maphash.MakeSeed()

	var first, second route.Record
	record := func(typ string) *kgo.Record {
		return &kgo.Record{Topic: "shop.orders", Key: []byte("order-1"), Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte("7")},
			{Key: "ce_source", Value: []byte("order")},
			{Key: "ce_type", Value: []byte(typ)},
		}}
	}
	fmt.Println(orders.Take(&first, record("shop.order.placed.v1"), false) == route.Runs)
	fmt.Println(orders.Take(&second, record("shop.order.placed.v1"), false) == route.Runs)
	fmt.Println(orders.Key(&first, seed) == orders.Key(&second, seed))
	fmt.Println(orders.Take(&second, record("shop.order.shipped.v1"), false) == route.Unhandled)
	// Output:
	// true
	// true
	// true
	// true
}
