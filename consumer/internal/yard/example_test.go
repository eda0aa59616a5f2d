package yard_test

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/yard"
	"github.com/leatdev/leat/consumer/park"
)

// An event comes out of the park partition as it went in.
func ExampleEventOf() {
	event := &kgo.Record{
		Topic: "shop.orders", Partition: 3, Offset: 42, Timestamp: time.UnixMilli(1_790_000_000_123).UTC(),
		Key: []byte("order-1"), Value: []byte("{}"), Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("7")}},
	}
	decision := park.Record{Kind: park.Park, Key: park.KeyOf(event.Key, event.Offset), Offset: event.Offset, Epoch: 1}
	parked := yard.Record("shop.orders.payment.park", 3, decision, event, nil)
	parked.Timestamp = time.Now() // the broker's

	back, err := yard.EventOf("shop.orders", 3, parked)
	fmt.Println(err)
	fmt.Printf("%s/%d@%d of %v, %d header\n", back.Topic, back.Partition, back.Offset, back.Timestamp.UTC(), len(back.Headers))
	// Output:
	// <nil>
	// shop.orders/3@42 of 2026-09-21 14:13:20.123 +0000 UTC, 1 header
}

// What is due happens in the order of its time.
func ExampleDues() {
	var dues yard.Dues
	begin := time.Unix(0, 0)
	for _, n := range []int{3, 1, 2} {
		dues.Add(begin.Add(time.Duration(n)*time.Second), func() { fmt.Println("after", n) })
	}
	wait, waits := dues.Fire(begin.Add(2*time.Second), func() bool { return true })
	fmt.Println(wait, waits)
	// Output:
	// after 1
	// after 2
	// 1s true
}
