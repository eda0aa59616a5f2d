package transact_test

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/transact"
	"github.com/leatdev/leat/kafka"
)

type Placed struct{ OrderID string }

func (Placed) EventType() string { return "shop.order.placed.v1" }

type Invoiced struct{ OrderID string }

func (Invoiced) EventType() string  { return "shop.invoice.made.v1" }
func (e Invoiced) EventKey() string { return e.OrderID }

// An output of an event has the same id each time.
func ExampleOutputs() {
	invoices := leat.Topic{Name: "shop.invoices", Carries: []any{Invoiced{}}}
	catalog, err := leat.NewCatalog(invoices)
	if err != nil {
		panic(err)
	}
	o := transact.Outputs{Group: "billing", Encoder: &leat.Encoder{Catalog: catalog, Codec: leat.JSON, Source: "billing"}}

	record := kafka.Record(&leat.Message{Topic: "shop.orders", ID: "7", Type: "shop.order.placed.v1", Source: "order"})
	record.Timestamp = time.UnixMilli(1_790_000_000_123)
	wire, err := kafka.WireOf(record)
	if err != nil {
		panic(err)
	}
	kind := leat.Kind{Type: "shop.order.placed.v1"}
	event := leat.NewEnvelope(wire, &kind, leat.JSON, 1)
	first, err := o.Encode(context.Background(), event, []any{Invoiced{OrderID: "order-1"}})
	if err != nil {
		panic(err)
	}
	again, _ := o.Encode(context.Background(), event, []any{Invoiced{OrderID: "order-1"}})
	m := first.Messages[0]
	fmt.Println(m.Topic, m.Type, m.ID == again.Messages[0].ID)
	// Output: shop.invoices shop.invoice.made.v1 true
}
