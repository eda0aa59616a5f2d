package jsonschema

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/schema"
)

type status string

func (status) Symbols() []string { return []string{"open", "paid"} }

type payment interface{ pays() }

type card struct {
	Number string `json:"number"`
}

func (card) pays() {}

type transfer struct {
	IBAN   string `json:"iban"`
	Status status `json:"status"`
}

func (*transfer) pays() {}

type cheque struct{}

func (cheque) pays() {}

type money struct {
	Amount   schema.Decimal `json:"amount" doc:"in the currency's own units"`
	Currency string         `json:"currency" default:"EUR"`
}

type line struct {
	SKU   string  `json:"sku"`
	Qty   uint32  `json:"qty"`
	Price *money  `json:"price"`
	Parts []*line `json:"parts,omitempty"`
}

type traced struct {
	Trace string `json:"trace,omitempty"`
}

type order struct {
	_ struct{} `doc:"An order as it was placed."`
	traced
	ID       string            `json:"id" doc:"of the order"`
	At       time.Time         `json:"at"`
	Status   status            `json:"status"`
	Former   *status           `json:"former"`
	Lines    []line            `json:"lines"`
	Tags     map[string]string `json:"tags,omitempty"`
	Raw      []byte            `json:"raw"`
	Hash     [4]int8           `json:"hash"`
	Paid     *money            `json:"paid,omitempty"`
	By       payment           `json:"by"`
	Note     *string           `json:"note"`
	Extra    any               `json:"extra,omitempty"`
	Weight   float64           `json:"weight,omitzero"`
	Count    int               `json:"count,string"`
	Wait     time.Duration     `json:"wait"`
	Number   json.Number       `json:"number"`
	Ignored  int               `json:"-"`
	Statuses map[string]status `json:"statuses,omitempty"`
}

func (order) Unions() []any { return []any{[]payment{card{}, &transfer{}}} }

func TestASchemaIsDerivedAsEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	text, imports, err := Format.Derive(reflect.TypeFor[order](), "shop.order.placed.v1")
	if err != nil || imports != nil {
		t.Fatal(imports, err)
	}
	want := `{"$schema":"http://json-schema.org/draft-07/schema#","title":"shop.order.placed.v1","type":"object","description":"An order as it was placed.","properties":{` +
		`"trace":{"type":"string"},"id":{"type":"string","description":"of the order"},"at":{"type":"string","format":"date-time"},` +
		`"status":{"type":"string","enum":["open","paid"]},"former":{"type":["string","null"],"enum":["open","paid",null]},` +
		`"lines":{"type":["array","null"],"items":{"$ref":"#/definitions/line"}},"tags":{"type":"object","additionalProperties":{"type":"string"}},` +
		`"raw":{"type":["string","null"],"contentEncoding":"base64"},"hash":{"type":"array","items":{"type":"integer"},"minItems":4,"maxItems":4},` +
		`"paid":{"$ref":"#/definitions/money"},"by":{"anyOf":[{"type":"null"},{"$ref":"#/definitions/card"},{"$ref":"#/definitions/transfer"}]},` +
		`"note":{"type":["string","null"]},"extra":{},"weight":{"type":"number"},"count":{"type":"string"},"wait":{"type":"integer"},"number":{"type":"number"},` +
		`"statuses":{"type":"object","additionalProperties":{"type":"string","enum":["open","paid"]}}},` +
		`"required":["id","at","status","lines","raw","hash","by","count","wait","number"],"additionalProperties":false,"definitions":{` +
		`"line":{"type":"object","properties":{"sku":{"type":"string"},"qty":{"type":"integer","minimum":0},` +
		`"price":{"anyOf":[{"$ref":"#/definitions/money"},{"type":"null"}]},` +
		`"parts":{"type":"array","items":{"anyOf":[{"$ref":"#/definitions/line"},{"type":"null"}]}}},"required":["sku","qty"],"additionalProperties":false},` +
		`"money":{"type":"object","properties":{"amount":{"type":"string","pattern":"^-?[0-9]+(\\.[0-9]+)?$","description":"in the currency's own units"},` +
		`"currency":{"type":"string","default":"EUR"}},"required":["amount","currency"],"additionalProperties":false},` +
		`"card":{"type":"object","properties":{"number":{"type":"string"}},"required":["number"],"additionalProperties":false},` +
		`"transfer":{"type":"object","properties":{"iban":{"type":"string"},"status":{"type":"string","enum":["open","paid"]}},"required":["iban","status"],"additionalProperties":false}}}`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if s := mustParse(t, text); s.Name() != "shop.order.placed.v1" || s.Canonical() != text {
		t.Error("the derived text is not its own canonical text")
	}
}

func TestWhatJSONCanNotHoldIsRefusedWithItsPath(t *testing.T) {
	t.Parallel()
	type channel struct {
		In []struct{ C chan int } `json:"in"`
	}
	type open struct {
		By payment `json:"by"`
	}
	type loop []loop
	type loops struct {
		L loop `json:"l"`
	}
	for want, typ := range map[string]reflect.Type{
		"channel.in[].C: JSON has nothing":           reflect.TypeFor[channel](),
		"open.by: nobody says what a":                reflect.TypeFor[open](),
		"loops.l[]: jsonschema.loop contains itself": reflect.TypeFor[loops](),
		"JSON has no map by":                         reflect.TypeFor[map[float64]int](),
	} {
		if _, err := derive(typ, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", typ, err, want)
		}
	}
}

func some[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomLine(r *rand.Rand, depth int) line {
	l := line{SKU: some(r, "", "a", "\xff<&>"), Qty: r.Uint32()}
	if r.IntN(2) == 0 {
		l.Price = &money{Amount: schema.NewDecimal(r.Int64()-r.Int64(), r.IntN(9))}
	}
	for range r.IntN(3 - depth) {
		p := randomLine(r, depth+1)
		l.Parts = append(l.Parts, some(r, &p, nil))
	}
	return l
}

func randomOrder(r *rand.Rand) order {
	paid := status("paid")
	odd := status("odd")
	text := "x"
	o := order{
		ID: some(r, "", "o-1"), At: time.Unix(r.Int64N(4e9), r.Int64N(1e9)).In(time.FixedZone("", r.IntN(86400)-43200)),
		Status: some(r, status("open"), "open", "paid", "paid", "", "odd"), Former: some(r, nil, nil, &paid, &paid, &odd),
		Tags: some(r, nil, map[string]string{"a": ""}), Raw: some(r, nil, []byte{}, []byte("x")), Hash: [4]int8{-1},
		Paid: some(r, nil, &money{}), By: some[payment](r, nil, card{}, &card{}, (*card)(nil), &transfer{Status: "paid"}, &transfer{}, cheque{}),
		Note: some(r, nil, &text), Extra: some[any](r, nil, 1, "x", map[string]any{"a": nil}), Weight: some(r, 0, -1.5, 1e300), Count: r.IntN(9),
		Wait: time.Duration(r.Int64()), Number: some[json.Number](r, "", "1.50", "-3"),
		Statuses: some(r, nil, map[string]status{}, map[string]status{"a": "open"}, map[string]status{"a": "open", "b": "odd"}),
	}
	o.Trace = some(r, "", "t")
	for range r.IntN(3) {
		o.Lines = append(o.Lines, randomLine(r, 0))
	}
	return o
}

// The guard must say of each value what the validator says of its document.
func TestTheGuardAgreesWithTheValidator(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	text, err := derive(reflect.TypeFor[order](), "order")
	if err != nil {
		t.Fatal(err)
	}
	s := mustParse(t, text)
	made, err := Format.Writer(reflect.TypeFor[order](), s)
	if err != nil {
		t.Fatal(err)
	}
	w := made.(*writer)
	if !w.guarded || w.guard == nil {
		t.Fatal("the type is not guarded")
	}
	good := 0
	for range 4000 {
		o := randomOrder(r)
		doc, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		full := s.validate(s.program.compiled, doc)
		got, fast := w.Append(nil, o)
		if (full == nil) != (fast == nil) {
			t.Fatalf("validator: %v\nguard: %v\n%s", full, fast, doc)
		}
		if fast == nil {
			if good++; string(got) != string(doc) {
				t.Fatalf("got %s, want %s", got, doc)
			}
		}
	}
	if good < 100 || good > 3900 {
		t.Errorf("%d of 4000 values are valid: the test says little", good)
	}
}

func TestAWriterHoldsEachValueToAHandWrittenSchema(t *testing.T) {
	t.Parallel()
	s := mustParse(t, `{"title":"Line","type":"object","properties":{"sku":{"type":"string","minLength":2},"qty":{"type":"integer","maximum":10},"price":{},"parts":{}},"required":["sku"]}`)
	w, err := Format.Writer(reflect.TypeFor[line](), s)
	if err != nil {
		t.Fatal(err)
	}
	if w.Index() != nil {
		t.Error("a JSON Schema has no message index")
	}
	got, err := w.Append([]byte("frame"), line{SKU: "ab", Qty: 3})
	if err != nil || string(got) != `frame{"sku":"ab","qty":3,"price":null}` {
		t.Errorf("got %s, %v", got, err)
	}
	for want, l := range map[string]line{"at #/qty: ": {SKU: "ab", Qty: 11}, "at #/sku: ": {SKU: "a"}} {
		if got, err := w.Append([]byte("frame"), &l); err == nil || !strings.Contains(err.Error(), want) || string(got) != "frame" {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestATypeThatCanNotKeepToASchemaIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"at #/properties/qty: the schema has a string, the Go type a number":                        `{"type":"object","properties":{"qty":{"type":"string"}}}`,
		"at #/properties/shop: the schema requires it, and the Go type has no such field":           `{"type":"object","properties":{"shop":{}},"required":["shop"]}`,
		"at #/properties/qty: the Go type writes it, and the schema has no such property":           `{"type":"object","properties":{"sku":{}},"additionalProperties":false}`,
		"at #/properties/price/properties/amount: the schema has a number, the Go type a string":    `{"type":"object","properties":{"price":{"type":"object","properties":{"amount":{"type":"number"}}}}}`,
		"at #/properties/parts/items/properties/sku: the schema has a boolean, the Go type a strin": `{"type":"object","properties":{"parts":{"items":{"properties":{"sku":{"type":"boolean"}}}}}}`,
		"at #: the schema has an array, the Go type an object":                                      `{"type":"array"}`,
		"at #: the schema lets nothing be there":                                                    `false`,
	} {
		if _, err := Format.Writer(reflect.TypeFor[line](), mustParse(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{
		`{}`, `{"minLength":3}`, `{"properties":{"qty":{"enum":[1,2]},"sku":{"anyOf":[{"type":"null"},{"type":"string"}]}}}`,
		`{"type":["object","null"],"properties":{"price":{"oneOf":[{"type":"null"},{"type":"object"}]}}}`,
		`{"type":"object","additionalProperties":{"not":{"type":"boolean"}}}`,
	} {
		if _, err := Format.Writer(reflect.TypeFor[line](), mustParse(t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Format.Reader(reflect.TypeFor[line](), mustParse(t, `{"type":"object","properties":{"qty":{"type":"string"}}}`), nil, nil); err == nil {
		t.Error("a reader takes a string for a number")
	}
	if _, err := Format.Reader(reflect.TypeFor[line](), mustParse(t, `{"type":"object","properties":{"shop":{}},"required":["shop"]}`), nil, nil); err != nil {
		t.Errorf("a reader need not know all that is there: %v", err)
	}
}

func TestAReaderValidatesWhereItIsAsked(t *testing.T) {
	t.Parallel()
	text, err := derive(reflect.TypeFor[line](), "line")
	if err != nil {
		t.Fatal(err)
	}
	s := mustParse(t, text)
	newer, broken := `{"sku":"a","qty":1,"price":{"amount":"1.50","currency":"EUR","new":1},"new":true}`, `{"sku":"a","qty":-0,"price":{"amount":"x1","currency":"EUR"}}`
	for _, strict := range []bool{false, true} {
		r, err := New(Options{ValidateOnRead: strict}).Reader(reflect.TypeFor[line](), s, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var l line
		if err := r.Decode([]byte(newer), &l); err != nil || l.Price.Amount.String() != "1.50" {
			t.Errorf("validating %v: what a newer writer adds is not read: %+v, %v", strict, l, err)
		}
		if err := r.Decode([]byte(`{"sku":"a"}`), &l); (err == nil) == strict {
			t.Errorf("validating %v: a missing member gives %v", strict, err)
		}
		if err := r.Decode([]byte(broken), &l); err == nil {
			t.Errorf("validating %v: %s is read", strict, broken)
		}
	}
}

func TestJSONForPeopleIsTheDataItself(t *testing.T) {
	t.Parallel()
	s := mustParse(t, `{"title":"T","type":"object","required":["a"]}`)
	if got, err := Format.ToJSON(s, nil, []byte(`{"a": 1.50}`)); err != nil || string(got) != `{"a": 1.50}` {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := Format.FromJSON(s, nil, []byte(`{"a": 1.50}`)); err != nil || string(got) != `{"a":1.50}` {
		t.Errorf("got %s, %v", got, err)
	}
	for _, doc := range []string{`{}`, `{`, `{"a":1} {`, `[]`} {
		if _, err := Format.FromJSON(s, nil, []byte(doc)); err == nil {
			t.Errorf("%s is taken", doc)
		}
		if _, err := Format.ToJSON(s, nil, []byte(doc)); err == nil {
			t.Errorf("%s is shown", doc)
		}
	}
	if _, err := Format.ToJSON(nil, nil, nil); !errors.Is(err, errNotOurs) {
		t.Errorf("got %v", err)
	}
}

type (
	v1 struct {
		ID string `json:"id"`
	}
	v2 struct {
		ID   string  `json:"id"`
		Note *string `json:"note"`
		Tags []line  `json:"tags,omitempty"`
	}
	v3 struct {
		ID   string `json:"id"`
		Note string `json:"note"`
	}
)

// What decision 41 promises of contracts that come from Go types.
func TestAnOptionalFieldIsACompatibleChange(t *testing.T) {
	t.Parallel()
	of := func(typ reflect.Type) schema.Schema {
		text, err := derive(typ, "e")
		if err != nil {
			t.Fatal(err)
		}
		return mustParse(t, text)
	}
	one, two, three := of(reflect.TypeFor[v1]()), of(reflect.TypeFor[v2]()), of(reflect.TypeFor[v3]())
	for name, c := range map[string]struct {
		level      schema.Level
		policy     schema.Policy
		next, live schema.Schema
		want       bool
	}{
		"optional, backward, everywhere":    {schema.Backward, schema.Strict, two, one, true},
		"optional, full, lenient":           {schema.Full, schema.Lenient, two, one, true},
		"optional, forward, lenient":        {schema.ForwardTransitive, schema.Lenient, two, one, true},
		"optional, full, strict":            {schema.Full, schema.Strict, two, one, false},
		"optional taken away, lenient":      {schema.Full, schema.Lenient, one, two, true},
		"required, backward":                {schema.Backward, schema.Lenient, three, one, false},
		"required, forward, lenient":        {schema.Forward, schema.Lenient, three, one, true},
		"optional to required":              {schema.Backward, schema.Lenient, three, two, false},
		"required to optional, pointer now": {schema.Backward, schema.Lenient, two, three, true},
	} {
		_, why := schema.Check(Format, c.level, c.policy, c.next, []schema.Schema{c.live})
		if (len(why) == 0) != c.want {
			t.Errorf("%s: %v, want %v", name, why, c.want)
		}
	}
}
