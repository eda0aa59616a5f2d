package kafka_test

import (
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// A message becomes a record in CloudEvents' binary mode, and is read back on use.
func Example() {
	r := kafka.Record(&leat.Message{
		ID: "019aa7c2-5b6e-7c1a-9d0e-3f2b1a4c5d6e", Type: "shop.order.created.v1", Source: "order",
		Topic: "shop.orders", Key: []byte("o-42"), ContentType: "application/json", Data: []byte(`{"order_id":"o-42"}`),
	})
	w, err := kafka.WireOf(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Attribute("type"), "by", w.Attribute("source"), "key", string(w.Key()))
	fmt.Println("partition", kafka.PartitionOf(r.Key, 6), "of 6, as Java's producer chooses")
	// Output:
	// shop.order.created.v1 by order key o-42
	// partition 0 of 6, as Java's producer chooses
}

// What can't have its effect is refused, with what to write instead.
func ExampleConfig_Validate() {
	cfg := kafka.Config{Properties: map[string]string{"acks": "1", "sasl.user": "ann"}}
	fmt.Println(cfg.Validate())
	// Output:
	// property acks: "1" can't be had, only all: less than all in-sync replicas would lose acknowledged events
	// property sasl.user: not known; is it sasl.username?
}
