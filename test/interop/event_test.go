package interop

import (
	_ "embed"
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

// placed is an event with all that a contract tends to have.
type placed struct {
	ID      string            `json:"order_id"`
	Number  int64             `json:"number"`
	At      time.Time         `json:"at"`
	Status  status            `json:"status"`
	Lines   []line            `json:"lines"`
	Price   schema.Decimal    `json:"price" decimal:"10,2"`
	Note    *string           `json:"note,omitempty"`
	Tags    map[string]string `json:"tags"`
	Seal    []byte            `json:"seal"`
	Payment payment           `json:"payment"`
	Rate    float64           `json:"rate" default:"1.5"`
	Express bool              `json:"express,omitempty"`
}

type line struct {
	SKU      string `json:"sku"`
	Quantity int32  `json:"quantity"`
}

type status string

func (status) Symbols() []string     { return []string{"NEW", "PAID"} }
func (status) DefaultSymbol() string { return "NEW" }

type payment interface{ pays() }

type card struct {
	Number string `json:"number"`
}

type transfer struct {
	IBAN string `json:"iban"`
	Days int32  `json:"days"`
}

func (card) pays()     {}
func (transfer) pays() {}

func (card) SchemaName() string     { return "interop.order.placed.Card" }
func (transfer) SchemaName() string { return "interop.order.placed.Transfer" }
func (line) SchemaName() string     { return "interop.order.placed.Line" }
func (status) SchemaName() string   { return "interop.order.placed.Status" }

func (placed) EventType() string  { return "interop.order.placed.v1" }
func (p placed) EventKey() string { return p.ID }
func (placed) Unions() []any      { return []any{[]payment{card{}, transfer{}}} }

// UnmarshalJSON tells the payments apart by their fields.
func (p *placed) UnmarshalJSON(data []byte) error {
	type plain placed
	doc := struct {
		*plain
		Payment json.RawMessage `json:"payment"`
	}{plain: (*plain)(p)}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	var c card
	var t transfer
	if err := errors.Join(json.Unmarshal(doc.Payment, &c), json.Unmarshal(doc.Payment, &t)); err != nil {
		return err
	}
	p.Payment = c
	if t.IBAN != "" {
		p.Payment = t
	}
	return nil
}

func anOrder() placed {
	note := "f\u00fcr dich \U0001f381"
	return placed{
		ID: "o-1", Number: 1 << 40, At: time.Date(2026, 2, 3, 4, 5, 6, 789123000, time.UTC), Status: "PAID",
		Lines: []line{{"tea", 2}, {"cup", -1}}, Price: schema.NewDecimal(-1250, 2), Note: &note,
		Tags: map[string]string{"a": "1", "": "2"}, Seal: []byte{0, 255, 7}, Payment: transfer{"DE02", 14}, Rate: 0.1, Express: true,
	}
}

// theirOrder is what leat makes of avroOrder and jsonOrder, the peers' event.
func theirOrder() placed {
	return placed{
		ID: "o-2", Number: -7, At: time.Date(2026, 2, 3, 4, 5, 6, 789000000, time.UTC), Status: "NEW",
		Lines: []line{{"tea", 2}}, Price: schema.NewDecimal(99, 2), Tags: map[string]string{"k": "v"},
		Seal: []byte{0, 255}, Payment: card{"42"}, Rate: 1.5,
	}
}

// The contracts of the peers: fields in another order, one that leat's type does not know, one that
// it lacks, an int for a long, milliseconds for microseconds, a symbol that is not known.
var (
	//go:embed testdata/placed.avsc
	placedAvro string
	//go:embed testdata/placed.schema.json
	placedJSON string
)

// avroOrder is theirOrder as the peers have it in Avro. A value that JSON has no word for is an
// object of one member; so is a branch of a union of records.
const avroOrder = `{"payment": {"interop.order.placed.Card": {"number": "42"}}, "coupon": "XMAS", "order_id": "o-2", "number": -7,
	"at": {"$micros": 1770091506789000}, "status": "LOST", "lines": [{"quantity": 2, "sku": "tea"}],
	"price": {"$decimal": "0.99"}, "note": null, "tags": {"k": "v"}, "seal": {"$bytes": "AP8="}}`

const jsonOrder = `{"payment": {"number": "42"}, "coupon": "XMAS", "order_id": "o-2", "number": -7, "at": "2026-02-03T04:05:06.789Z",
	"status": "NEW", "lines": [{"quantity": 2, "sku": "tea"}], "price": "0.99", "tags": {"k": "v"}, "seal": "AP8=", "rate": 1.5}`

// anOrder as the peers have to see it: by leat's schema, and by placed.avsc.
const (
	ourAvroOrder = `{"order_id": "o-1", "number": 1099511627776, "at": {"$micros": 1770091506789123}, "status": "PAID",
	"lines": [{"sku": "tea", "quantity": 2}, {"sku": "cup", "quantity": -1}], "price": {"$decimal": "-12.50"},
	"note": "f\u00fcr dich \ud83c\udf81", "tags": {"a": "1", "": "2"}, "seal": {"$bytes": "AP8H"},
	"payment": {"interop.order.placed.Transfer": {"iban": "DE02", "days": 14}}, "rate": 0.1, "express": true}`
	ourJSONOrder = `{"order_id": "o-1", "number": 1099511627776, "at": "2026-02-03T04:05:06.789123Z", "status": "PAID",
	"lines": [{"sku": "tea", "quantity": 2}, {"sku": "cup", "quantity": -1}], "price": "-12.50",
	"note": "f\u00fcr dich \ud83c\udf81", "tags": {"a": "1", "": "2"}, "seal": "AP8H",
	"payment": {"iban": "DE02", "days": 14}, "rate": 0.1, "express": true}`
)

func aPlaced() *Placed {
	return &Placed{
		OrderId: "o-1", Total: &Money{Amount: -1, Currency: "EUR"}, Items: []*Placed_Item{{Sku: "tea", Quantity: 2}, {Quantity: -3}},
		Labels: map[string]string{"a": "b"}, State: Placed_PAID, Pay: &Placed_CashCents{CashCents: 1 << 40},
		Retries: proto.Int32(0), Signature: []byte{0, 255},
	}
}

func aSent() *Sent {
	return &Sent{
		OrderId: "o-1", At: timestamppb.New(time.Date(2026, 2, 3, 4, 5, 6, 789123456, time.UTC)),
		Parcels: []*Sent_Parcel{{Tracking: "t", Weight: 0.1}},
	}
}

// carrying is a topic of one generated message.
func carrying[T proto.Message](name string) leat.Topic {
	return leat.Topic{Name: name, Encoding: leat.Protobuf, Carries: []any{leat.KindOf[T]("interop.message", nil)}}
}
