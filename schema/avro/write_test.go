package avro_test

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	twmb "github.com/twmb/avro"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

func writer(t testing.TB, v any, text string) schema.Writer {
	t.Helper()
	w, err := avro.Format.Writer(reflect.TypeOf(v), parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func encode(t testing.TB, w schema.Writer, v any) []byte {
	t.Helper()
	data, err := w.Append([]byte("before"), v)
	if err != nil || string(data[:6]) != "before" {
		t.Fatal(err)
	}
	return data[6:]
}

func reader(t testing.TB, v any, read, written string) schema.Reader {
	t.Helper()
	r, err := avro.Format.Reader(reflect.TypeOf(v), parse(t, read), parse(t, written), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ptr[T any](v T) *T { return &v }

func fullEvent() Event {
	e := Event{
		ID: UUID{1, 2, 3, 15: 9}, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Day: time.Date(1969, 12, 30, 0, 0, 0, 0, time.UTC),
		Status: "PAID", Level: 1, Lines: []Line{{SKU: "a", Count: -1, Cents: 1999}, {SKU: "\u00e4\xff", Cents: math.MinInt64}},
		Note: ptr("n"), Paid: &Euro{schema.NewDecimal(-12345, 2)}, Total: schema.NewDecimal(1250, 2), Ratio: math.Pi, Small: 1.5, OK: true,
		Raw: []byte{0, 255}, Code: Code{1, 2, 3}, Pair: [2]int16{-7, 8}, Took: time.Second, Currency: "USD", Priority: -3, Labels: []string{"x", ""},
		Payment: Card{"4711", Euro{schema.NewDecimal(100, 2)}}, Tree: &Node{Name: "r", Next: &Node{Name: "n"}, Kids: []Node{{Name: "k"}}, By: map[string]*Node{"a": nil, "b": {Name: "b"}}},
		Pages: Page[Line]{[]Line{{SKU: "p"}}}, Meta: Meta{"web", map[string]string{"b": "2", "a": "1"}}, Retry: ptr(int64(-1)),
	}
	e.Shipping.City = "Ulm"
	return e
}

// alike compares as events are compared: a nil and an empty list or map are one.
var alike = cmp.Options{
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmp.FilterPath(func(p cmp.Path) bool {
		v, w := p.Last().Values()
		k := p.Last().Type().Kind()
		return (k == reflect.Slice || k == reflect.Map) && v.IsValid() && w.IsValid() && v.Len()+w.Len() == 0
	}, cmp.Ignore()),
	cmp.Exporter(func(reflect.Type) bool { return true }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func TestEventsComeBack(t *testing.T) {
	t.Parallel()
	text := derivedEvent(t)
	w, r := writer(t, Event{}, text), reader(t, Event{}, text, text)
	transfer := fullEvent()
	transfer.Payment = &Transfer{"DE02"}
	for _, e := range []Event{fullEvent(), transfer, {Status: "NEW"}} {
		for _, v := range []any{e, &e} {
			data := encode(t, w, v)
			got := Event{Secret: "old", Note: ptr("old")}
			if err := r.Decode(data, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, got, alike); diff != "" {
				t.Error(diff)
			}
			s, _ := twmb.Parse(text)
			var other any
			if rest, err := s.Decode(data, &other); err != nil || len(rest) != 0 {
				t.Errorf("twmb: %v, %d bytes left", err, len(rest))
			}
		}
	}
}

// Decoded values share no memory with the data, which belongs to the fetch.
func TestDecodedValuesOwnTheirMemory(t *testing.T) {
	t.Parallel()
	text := derivedEvent(t)
	w, r := writer(t, Event{}, text), reader(t, Event{}, text, text)
	data := encode(t, w, fullEvent())
	var got Event
	if err := r.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if diff := cmp.Diff(fullEvent(), got, alike); diff != "" {
		t.Error(diff)
	}
}

// Where a struct and a hand-written schema differ, the first difference is named.
func TestMismatchesNameTheirPath(t *testing.T) {
	t.Parallel()
	type item struct {
		Price int64 `json:"price"`
	}
	type order struct {
		Items []item         `json:"items"`
		By    map[string]int `json:"by"`
		Note  string         `json:"note"`
	}
	orderText := func(price, by, note string, more ...string) string {
		return fmt.Sprintf(`{"type":"record","name":"order","fields":[{"name":"items","type":{"type":"array","items":{"type":"record","name":"item","fields":[{"name":"price","type":%s}]}}},{"name":"by","type":{"type":"map","values":%s}}%s%s]}`,
			price, by, note, strings.Join(more, ""))
	}
	note := `,{"name":"note","type":"string"}`
	for _, c := range []struct{ text, write, read string }{
		{orderText(`"string"`, `"int"`, note), "order.items[].price: schema says string, Go says int64: it takes a string", "order.items[].price: schema says string, Go says int64"},
		{orderText(`"long"`, `"boolean"`, note), "order.by{}: schema says boolean, Go says int: it takes a bool", "order.by{}: schema says boolean, Go says int"},
		{orderText(`"long"`, `"int"`, ""), "order.note: Go has the field Note, the schema does not", "order.note: Go has the field Note, the schema does not"},
		{orderText(`"long"`, `"int"`, note, `,{"name":"more","type":"string"}`), "order.more: schema says string and no default, Go has no such field", ""},
		{orderText(`["null","long"]`, `"int"`, note), "order.items[].price: schema says long or null, Go says int64, which has no nil: take *int64, or tag it omitempty", "order.items[].price: schema says a union with null"},
		{orderText(`["string","long"]`, `"int"`, note), "order.items[].price: schema says a union of 2 types, Go says int64", "order.items[].price: schema says a union of 2 types"},
		{orderText(`"long"`, `"int"`, note, `,{"name":"more","type":"string","default":"x"}`), "", ""},
		{orderText(`{"type":"long","logicalType":"timestamp-millis"}`, `"long"`, note), "", ""},
	} {
		_, err := avro.Format.Writer(reflect.TypeFor[order](), parse(t, c.text))
		if (err == nil) != (c.write == "") || err != nil && !strings.Contains(err.Error(), c.write) {
			t.Errorf("write: %v\nwant %s", err, c.write)
		}
		_, err = avro.Format.Reader(reflect.TypeFor[order](), parse(t, c.text), parse(t, c.text), nil)
		if (err == nil) != (c.read == "") || err != nil && !strings.Contains(err.Error(), c.read) {
			t.Errorf("read: %v\nwant %s", err, c.read)
		}
	}
}

// What a schema can't hold is refused where the value is written, and nothing is appended.
func TestValuesThatDoNotFit(t *testing.T) {
	t.Parallel()
	w := writer(t, Event{}, derivedEvent(t))
	for want, change := range map[string]func(*Event){
		`status: "GONE" is no symbol`:                        func(e *Event) { e.Status = "GONE" },
		`level: 7 is no value`:                               func(e *Event) { e.Level = 7 },
		`total: 1.005 has more than the 2`:                   func(e *Event) { e.Total = schema.NewDecimal(1005, 3) },
		`total: 100000000.00 has more than the 10 digits`:    func(e *Event) { e.Total = schema.NewDecimal(1, -8) },
		`paid: 10000000000.00 has more than the 12`:          func(e *Event) { e.Paid = &Euro{schema.NewDecimal(1, -10)} },
		`tree.next.next.`:                                    func(e *Event) { e.Tree.Next = e.Tree },
		`payment: a *avro_test.strange is none of the types`: func(e *Event) { e.Payment = &strange{} },
		`payment: it is nil`:                                 func(e *Event) { e.Payment = (*Transfer)(nil) },
	} {
		e := fullEvent()
		change(&e)
		data, err := w.Append([]byte("x"), e)
		if err == nil || !strings.Contains(err.Error(), want) || string(data) != "x" {
			t.Errorf("%.200v %q\nwant %s", err, data, want)
		}
	}
	if _, err := w.Append(nil, Line{}); err == nil || !strings.Contains(err.Error(), "the value is a avro_test.Line") {
		t.Error(err)
	}
	if _, err := w.Append(nil, nil); err == nil {
		t.Error("nil was written")
	}
	if _, err := w.Append(nil, (*Event)(nil)); err == nil {
		t.Error("a nil pointer was written")
	}
}

type strange struct{}

func (*strange) payment() {}

// A value has one encoding: what is compared, compacted or signed by its bytes stays what it was.
func TestTheSameValueGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	v := struct {
		A map[string]string `json:"a"`
		B map[string]int    `json:"b"`
	}{map[string]string{}, map[string]int{}}
	for i := range 40 {
		v.A[fmt.Sprint(i)], v.B[fmt.Sprint(i)] = "x", i
	}
	w := writer(t, v, derive(t, reflect.TypeOf(v)))
	want := encode(t, w, v)
	for range 20 {
		if got := encode(t, w, v); string(got) != string(want) {
			t.Fatalf("% x\n% x", got, want)
		}
	}
}
