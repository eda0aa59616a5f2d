package mail_test

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/letter"
)

// An event that came back by a redrive topic is what it was at its source.
func ExampleAtSource() {
	back := letter.Returned{Source: leat.Position{Topic: "shop.orders", Partition: 3, Offset: 42}, Timestamp: time.UnixMilli(0), Round: 1}.Header()
	record := &kgo.Record{
		Topic: "shop.orders.payment.redrive", Key: []byte("order-1"),
		Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("7")}, kgo.RecordHeader(back)},
	}
	event := mail.AtSource(record, "shop.orders")
	fmt.Printf("%s/%d@%d, %d header of its own\n", event.Topic, event.Partition, event.Offset, len(event.Headers))
	// Output: shop.orders/3@42, 1 header of its own
}
