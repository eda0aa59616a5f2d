package docs_test

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

// The code of docs/guides/contracts.md and evolving-an-event.md.

var Bookings = leat.Topic{
	Name:     "hotel.bookings",
	Carries:  []any{Booked{}},
	Encoding: leat.Avro, // or JSONSchema, Protobuf, PlainJSON
}

type Booked struct {
	ID    string         `json:"id" doc:"of the booking"`
	Room  Room           `json:"room"`
	From  time.Time      `json:"from"`
	Price schema.Decimal `json:"price" decimal:"12,2"`
	Note  *string        `json:"note"`             // optional: null where it is absent
	Beds  int32          `json:"beds" default:"1"` // came later: older records read as 1
}

func (Booked) EventType() string  { return "hotel.room.booked.v1" }
func (e Booked) EventKey() string { return e.ID }

type Room string

func (Room) Symbols() []string     { return []string{"single", "double", "suite"} }
func (Room) DefaultSymbol() string { return "single" } // what a reader takes an unknown one for

//go:embed guest.avsc
var guestSchema string

type Guest struct {
	Name string `json:"name"`
	Age  int32  `json:"age"`
}

func (Guest) EventType() string   { return "hotel.guest.registered.v1" }
func (Guest) EventSchema() string { return guestSchema }

var Bills = leat.Topic{Name: "hotel.bills", Encoding: leat.Protobuf, Carries: []any{
	leat.KindOf("hotel.bill.drawn.v1", func(b *wrapperspb.StringValue) string { return b.GetValue() }),
}}

var Routed = leat.Topic{Name: "hotel.bills", Encoding: leat.Protobuf, Carries: []any{
	leat.KindOf[*dynamicpb.Message]("hotel.bill.drawn.v1", nil),
}}

func archive(context.Context, string) error { return nil }

var archiving = consumer.On(Bills, func(ctx context.Context, e *leat.Event[*wrapperspb.StringValue]) error {
	return archive(ctx, e.Data.GetValue())
})

type Cleaned struct {
	Room string `json:"room"`
}

func (Cleaned) EventType() string  { return "hotel.room.cleaned.v1" }
func (Cleaned) SchemaName() string { return "hotel.RoomCleaned" }

type PriceSetV1 struct {
	Room  string `json:"room"`
	Euros int64  `json:"euros"`
}

func (PriceSetV1) EventType() string  { return "hotel.price.set.v1" }
func (e PriceSetV1) EventKey() string { return e.Room }

type PriceSet struct {
	Room     string `json:"room"`
	Cents    int64  `json:"cents"`
	Currency string `json:"currency"`
}

func (PriceSet) EventType() string  { return "hotel.price.set.v2" }
func (e PriceSet) EventKey() string { return e.Room }

var Prices = leat.Topic{
	Name:    "hotel.prices",
	Carries: []any{PriceSet{}, PriceSetV1{}},
	Upcasts: []leat.Upcast{leat.UpcastBy(func(old PriceSetV1) (PriceSet, error) {
		return PriceSet{Room: old.Room, Cents: 100 * old.Euros, Currency: "EUR"}, nil
	})},
}

func TestOldPricesAreRead(t *testing.T) {
	h := leat.NewHandler[PriceSet](Prices, nil)
	for data, want := range map[string]PriceSet{
		`{"room":"12","euros":70}`: {Room: "12", Cents: 7000, Currency: "EUR"},
	} {
		var got PriceSet
		err := leat.NewEnvelope(oldRecord("hotel.price.set.v1", data), &h.Kind, nil, 1).Decode(&got)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", data, got, err)
		}
	}
}

func oldRecord(typ, data string) leat.Wire {
	w, err := kafka.WireOf(&kgo.Record{Value: []byte(data), Headers: []kgo.RecordHeader{{Key: kafka.HeaderType, Value: []byte(typ)}}})
	if err != nil {
		panic(err)
	}
	return w
}

// The types of the guides have the schemas that the guides say, in each language that takes them.
func TestContractsOfTheGuidesHold(t *testing.T) {
	t.Parallel()
	codec, err := service.RegistryConfig{}.Codec(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		topic    leat.Topic
		encoding leat.Encoding
		want     string
	}{
		{Bookings, leat.Avro, `"logicalType":"decimal"`},
		{Bookings, leat.JSONSchema, `"enum":["single","double","suite"]`},
		{leat.Topic{Name: "hotel.guests", Carries: []any{Guest{}}}, leat.Avro, `"namespace":"hotel.guest.registered"`},
		{archiving.Topic, leat.Protobuf, "message StringValue"},
		{leat.Topic{Name: "hotel.rooms", Carries: []any{Cleaned{}}}, leat.Avro, `"name":"RoomCleaned","namespace":"hotel"`},
		{Prices, leat.Avro, `"name":"currency"`},
	} {
		c.topic.Encoding = c.encoding
		kinds, err := c.topic.Kinds()
		if err != nil {
			t.Fatal(err)
		}
		contract, err := codec.Contract(&kinds[0])
		if err != nil || !strings.Contains(contract.Text, c.want) {
			t.Errorf("%s as %s: %+v, %v", c.topic.Name, c.encoding, contract, err)
		}
	}
}

func TestCodeOfTheContractGuidesCompiles(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("contracts_test.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := lines(string(b))
	for _, name := range []string{"contracts.md", "evolving-an-event.md"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", "guides", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range goBlocks(string(text)) {
			if !strings.Contains(compiled, lines(block)) {
				t.Errorf("%s has code that contracts_test.go does not compile:\n%s", name, block)
			}
		}
	}
}
