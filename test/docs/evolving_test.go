package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
	"github.com/leatdev/leat/shop/contract"
)

// Rooms as they were and are: with a value more, with and without a default.
type (
	roomOld   string
	roomNext  string
	suiteOld  string
	suiteNext string
)

func (roomOld) Symbols() []string       { return []string{"single", "double"} }
func (roomOld) SchemaName() string      { return "Room" }
func (roomNext) Symbols() []string      { return []string{"single", "double", "suite"} }
func (roomNext) SchemaName() string     { return "Room" }
func (suiteOld) Symbols() []string      { return []string{"single", "double"} }
func (suiteOld) SchemaName() string     { return "Room" }
func (suiteOld) DefaultSymbol() string  { return "single" }
func (suiteNext) Symbols() []string     { return []string{"single", "double", "suite"} }
func (suiteNext) SchemaName() string    { return "Room" }
func (suiteNext) DefaultSymbol() string { return "single" }

// change is an event type before and after a change.
type change struct{ was, is any }

type (
	none      struct{}
	plainNote struct {
		Note string `json:"note"`
	}
	emptyNote struct {
		Note string `json:"note,omitempty"`
	}
	presetNote struct {
		Note string `json:"note" default:""`
	}
	maybeNote struct {
		Note *string `json:"note"`
	}
	namedNote struct {
		Text string `json:"text" aliases:"note"`
	}
	otherNote struct {
		Text string `json:"text,omitempty"`
	}
	bytesNote struct {
		Note []byte `json:"note"`
	}
	narrow struct {
		N int32 `json:"n"`
	}
	wide struct {
		N int64 `json:"n"`
	}
	fraction struct {
		N float64 `json:"n"`
	}
	room struct {
		Room roomOld `json:"room"`
	}
	roomMore struct {
		Room roomNext `json:"room"`
	}
	suite struct {
		Room suiteOld `json:"room"`
	}
	suiteMore struct {
		Room suiteNext `json:"room"`
	}
)

// changes are the rows of the guide's table, by language and change.
var changes = map[string]map[string]change{
	"Avro": {
		"a field more: pointer, `default` or `omitempty`": {none{}, emptyNote{}},
		"a field more without any of them":                {none{}, plainNote{}},
		"a field less that had one of them":               {presetNote{}, none{}},
		"a field less that had none":                      {plainNote{}, none{}},
		"another name: `aliases:\"old\"`":                 {plainNote{}, namedNote{}},
		"a pointer that was none":                         {plainNote{}, maybeNote{}},
		"`int32` to `int64`, integer to float":            {narrow{}, wide{}},
		"`string` to `[]byte`":                            {plainNote{}, bytesNote{}},
		"a symbol more, with `DefaultSymbol`":             {suite{}, suiteMore{}},
		"a symbol more, without":                          {room{}, roomMore{}},
		"a symbol less, with `DefaultSymbol`":             {suiteMore{}, suite{}},
		"a symbol less, without":                          {roomMore{}, room{}},
	},
	"JSON Schema": {
		"a field more: pointer, `omitempty` or `omitzero`": {none{}, emptyNote{}},
		"a field more without any of them":                 {none{}, plainNote{}},
		"a field less that had one of them":                {emptyNote{}, none{}},
		"a field less that had none":                       {plainNote{}, none{}},
		"another name":                                     {emptyNote{}, otherNote{}},
		"a pointer that was none":                          {plainNote{}, maybeNote{}},
		"`int64` to `float64`":                             {wide{}, fraction{}},
		"a symbol more":                                    {room{}, roomMore{}},
		"a symbol less":                                    {roomMore{}, room{}},
	},
	"Protobuf": {
		"a field more":                               {"", "string note = 1;"},
		"a field less, its number reserved":          {"string note = 1;", "reserved 1;"},
		"another name, the same number":              {"string note = 1;", "string text = 1;"},
		"`int32` to `int64`":                         {"int32 n = 1;", "int64 n = 1;"},
		"`int32` to `double`":                        {"int32 n = 1;", "double n = 1;"},
		"`string` to `bytes`":                        {"string note = 1;", "bytes note = 1;"},
		"a symbol more":                              {"Room room = 1; enum Room { SINGLE = 0; }", "Room room = 1; enum Room { SINGLE = 0; SUITE = 1; }"},
		"a field into an existing `oneof` of others": {"string note = 1; oneof o { int32 n = 2; }", "oneof o { int32 n = 2; string note = 1; }"},
	},
}

func formatOf(language string) schema.Format {
	return map[string]schema.Format{"Avro": avro.Format, "JSON Schema": jsonschema.Format, "Protobuf": protobuf.Format}[language]
}

func schemaOf(t *testing.T, f schema.Format, v any) schema.Schema {
	t.Helper()
	text, isText := v.(string)
	if isText {
		text = `syntax = "proto3"; message Booked { ` + text + ` }`
	} else {
		var err error
		if text, _, err = f.Derive(reflect.TypeOf(v), "hotel.room.booked.v1"); err != nil {
			t.Fatal(err)
		}
	}
	s, err := f.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reads is the cell: yes, LENIENT where it takes that policy, or no.
func reads(f schema.Format, reader, writer schema.Schema) string {
	switch {
	case len(f.Compare(reader, writer, schema.Strict)) == 0:
		return "yes"
	case len(f.Compare(reader, writer, schema.Lenient)) == 0:
		return "LENIENT"
	}
	return "no"
}

// Every cell of the table of changes is what the rules say.
func TestTableOfChangesIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "guides", "evolving-an-event.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 4 || changes[cells[0]] == nil {
			continue
		}
		c, ok := changes[cells[0]][cells[1]]
		if !ok {
			t.Errorf("there is no change for %q of %s", cells[1], cells[0])
			continue
		}
		told[cells[0]+": "+cells[1]] = true
		f := formatOf(cells[0])
		was, is := schemaOf(t, f, c.was), schemaOf(t, f, c.is)
		if back, forth := reads(f, is, was), reads(f, was, is); back != cells[2] || forth != cells[3] {
			t.Errorf("%s, %s: told %s and %s, is %s and %s", cells[0], cells[1], cells[2], cells[3], back, forth)
		}
	}
	for language, all := range changes {
		for name := range all {
			if !told[language+": "+name] {
				f := formatOf(language)
				was, is := schemaOf(t, f, all[name].was), schemaOf(t, f, all[name].is)
				t.Errorf("not told: | %s | %s | %s | %s |", language, name, reads(f, is, was), reads(f, was, is))
			}
		}
	}
}

// orderProto is the shop's order as a Protobuf message.
const orderProto = `syntax = "proto3";
message OrderCreated { string order_id = 1; string customer_id = 2; repeated Item items = 3; Money total = 4; }
message Item { string sku = 1; int32 quantity = 2; int64 unit_price = 3; }
message Money { int64 amount = 1; string currency = 2; }`

// What contracts.md says of sizes is what the shop's order of five items has: the percentages of its JSON.
func TestSizesOnTheWireAreTrue(t *testing.T) {
	t.Parallel()
	order := contract.OrderCreated{OrderID: "01990f3e-7a4c-7d1e-9b8f-2f6a1c0d4e5b", CustomerID: "customer-17", Total: contract.Money{Amount: 31_435, Currency: "EUR"}}
	for i := range int64(5) {
		order.Items = append(order.Items, contract.Item{SKU: fmt.Sprintf("article-%02d", 7*i), Quantity: 1 + i%4, UnitPrice: 1999 + 1000*i})
	}
	doc, err := schema.JSON.Append(nil, &leat.Kind{Type: "shop.order.created.v1"}, order)
	if err != nil {
		t.Fatal(err)
	}
	w, err := avro.Format.Writer(reflect.TypeOf(order), schemaOf(t, avro.Format, order))
	if err != nil {
		t.Fatal(err)
	}
	asAvro, err := w.Append(nil, order)
	if err != nil {
		t.Fatal(err)
	}
	message, err := protobuf.Format.Parse(orderProto, nil)
	if err != nil {
		t.Fatal(err)
	}
	asProtobuf, err := protobuf.Format.FromJSON(message, nil, doc)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "guides", "contracts.md"))
	if err != nil {
		t.Fatal(err)
	}
	percent := func(data []byte) int { return (100*len(data) + len(doc)/2) / len(doc) }
	want := fmt.Sprintf("| on the wire | %d %% of the JSON | the JSON | %d %% of the JSON |", percent(asAvro), percent(asProtobuf))
	if !strings.Contains(string(text), want) {
		t.Errorf("contracts.md does not say %q (%d, %d and %d bytes)", want, len(doc), len(asAvro), len(asProtobuf))
	}
}
