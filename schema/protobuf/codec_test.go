package protobuf

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leatdev/leat/schema"
)

func anOrder() *Order {
	o := &Order{
		OrderId: "o-42", Total: &Money{Currency: "EUR", Cents: 1999}, Labels: map[string]string{"a": "b"},
		Placed: timestamppb.New(timestamppb.Now().AsTime()), State: Order_PAID, Pay: &Order_Card{Card: "c"}, Retries: proto.Int32(0),
	}
	for i := range 5 {
		o.Items = append(o.Items, &Order_Item{Sku: fmt.Sprint("sku-", i), Quantity: int32(i), Price: &Money{Currency: "EUR", Cents: 399}})
	}
	return o
}

// derived is the schema of a generated type, read back from its text.
func derived[T any](t testing.TB) schema.Schema {
	t.Helper()
	text, imports, err := Format.Derive(reflect.TypeFor[T](), "")
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, text, imports...)
}

func writerOf[T any](t testing.TB, s schema.Schema) schema.Writer {
	t.Helper()
	w, err := Format.Writer(reflect.TypeFor[T](), s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestADerivedSchemaIsTheFileOfTheMessage(t *testing.T) {
	t.Parallel()
	text, imports, err := Format.Derive(reflect.TypeFor[*Order](), "ignored")
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) != 1 || imports[0].Name != "shop/money.proto" || imports[0].Subject != "" || imports[0].Indirect {
		t.Fatalf("imports %+v", imports)
	}
	golden(t, "testdata/shop/order.derived", text)
	hand, err := os.ReadFile("testdata/shop/order.proto")
	if err != nil {
		t.Fatal(err)
	}
	want := mustParse(t, string(hand), imports...).Normalized()
	if diff := cmp.Diff(want, mustParse(t, text, imports...).Normalized()); diff != "" {
		t.Errorf("not the schema that was generated from (-file +derived):\n%s", diff)
	}
}

func TestAGeneratedMessageComesBack(t *testing.T) {
	t.Parallel()
	s := derived[*Order](t)
	w := writerOf[*Order](t, s)
	if diff := cmp.Diff([]int{1}, w.Index()); diff != "" { // Cancelled is the file's first
		t.Errorf("index (-want +got):\n%s", diff)
	}
	if got := writerOf[*Order_Item](t, s).Index(); !reflect.DeepEqual(got, []int{1, 0}) {
		t.Errorf("index of the nested message %v", got)
	}
	order := anOrder()
	data, err := w.Append([]byte("frame"), order)
	if err != nil || !bytes.HasPrefix(data, []byte("frame")) {
		t.Fatalf("%q %v", data, err)
	}
	data = data[len("frame"):]
	// What Go adds is kept by a type that does not know it: here a field of a later version.
	data = protowire.AppendString(protowire.AppendTag(data, 99, protowire.BytesType), "later")
	r, err := Format.Reader(reflect.TypeFor[*Order](), s, s, w.Index())
	if err != nil {
		t.Fatal(err)
	}
	var got *Order
	if err := r.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.ProtoReflect().GetUnknown()) == 0 {
		t.Error("the unknown field is lost")
	}
	again, err := w.Append(nil, got)
	if err != nil || len(again) != len(data) {
		t.Errorf("written again: %d bytes, %v; want %d", len(again), err, len(data))
	}
	into := &Order{OrderId: "left over", State: Order_OPEN}
	if err := r.Decode(data, into); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, into, protocmp.Transform()); diff != "" {
		t.Errorf("decoded into a message (-new +used):\n%s", diff)
	}
	got.ProtoReflect().SetUnknown(nil)
	if diff := cmp.Diff(order, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEncodingMakesNoGarbage(t *testing.T) {
	s := derived[*Order](t)
	w := writerOf[*Order](t, s)
	order, buf := anOrder(), make([]byte, 0, 4096)
	order.Labels = nil // a map costs its iteration
	var v any = order
	if n := testing.AllocsPerRun(100, func() {
		if _, err := w.Append(buf, v); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAWriterRefusesASchemaThatMeansSomethingElse(t *testing.T) {
	t.Parallel()
	text, imports, err := Format.Derive(reflect.TypeFor[*Order](), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"a newer schema":    {"string order_id = 1;\n  .shop", "string order_id = 1;\n  string more = 50;\n  .shop", ""},
		"field missing":     {"repeated .shop.order.v1.Order.Item items = 3;", "", "shop.order.v1.Order.items (3) is not in the schema"},
		"field renamed":     {"State state = 6", "State status = 6", "shop.order.v1.Order.state (6) is called status"},
		"another type":      {"int32 quantity = 2", "string quantity = 2", "shop.order.v1.Order.items (3).quantity (2) is int32 in Go and string in the schema"},
		"another list":      {"int64 cash_cents", "string cash_cents", "cash_cents (8) is int64 in Go"},
		"in an import":      {"int64 cents = 2", "int32 cents = 2", "shop.order.v1.Order.total (2).cents (2) is int64 in Go and int32"},
		"map value":         {"map<string, string> labels", "map<string, bytes> labels", "labels (4) value is string in Go and bytes"},
		"enum value":        {"    PAID = 2;\n", "", "the enum's value PAID (2) is not in the schema"},
		"no such message":   {"Order", "Orders", "declares no message shop.order.v1.Order"},
		"another package":   {"shop.order.v1", "shop.order.v2", "declares no message shop.order.v1.Order"},
		"list to one value": {"repeated .shop.order.v1.Order.Item items", ".shop.order.v1.Order.Item items", "is repeated message in Go and message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			swap := func(s string) string { return strings.ReplaceAll(s, c.from, c.to) }
			changed := swap(text)
			i := imports[0]
			i.Text = swap(i.Text)
			if changed == text && i.Text == imports[0].Text {
				t.Fatalf("nothing to change in:\n%s", text)
			}
			_, err := Format.Writer(reflect.TypeFor[*Order](), mustParse(t, changed, i))
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAReaderRefusesWhatItWouldMisread(t *testing.T) {
	t.Parallel()
	s := derived[*Order](t)
	read := func(text string, index ...int) error {
		_, err := Format.Reader(reflect.TypeFor[*Money](), nil, mustParse(t, text), index)
		return err
	}
	head := `syntax = "proto3"; package shop.base.v1; message Other {} message Money { `
	if err := read(head+"string currency = 1; int64 cents = 2; string more = 3; oneof o { int32 x = 4; } }", 1); err != nil {
		t.Error(err)
	}
	for want, err := range map[string]error{
		"FIELD_SCALAR_KIND_CHANGED at #/Money/2":         read(head+"double cents = 2; }", 1),
		"the record is a shop.base.v1.Other, not a shop": read(head+"}", 0),
		"has no message at index [7]":                    read(head+"}", 7),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := Format.Reader(reflect.TypeFor[*Order](), s, s, nil); err == nil {
		t.Error("an order is read from a cancellation")
	}
	r, err := Format.Reader(reflect.TypeFor[*Order](), s, s, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	var o *Order
	if err := r.Decode([]byte{0xff}, &o); err == nil {
		t.Error("decoded nonsense")
	}
	var m *Money
	if err := r.Decode(nil, &m); err == nil {
		t.Error("decoded into another type")
	}
}

func TestATypeThatIsNoMessageIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	type plain struct{ A int }
	s := derived[*Order](t)
	for typ, want := range map[reflect.Type]string{
		reflect.TypeFor[plain]():              "protoc-gen-go",
		reflect.TypeFor[*plain]():             "Avro",
		reflect.TypeFor[Order]():              "use *protobuf.Order",
		reflect.TypeFor[*dynamicpb.Message](): "no schema of its own",
	} {
		_, _, derive := Format.Derive(typ, "")
		_, write := Format.Writer(typ, s)
		for _, err := range []error{derive, write} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: got %v, want %q", typ, err, want)
			}
		}
	}
}

func TestPeopleReadAndWriteJSON(t *testing.T) {
	t.Parallel()
	s := derived[*Order](t)
	order := anOrder()
	order.Placed = &timestamppb.Timestamp{Seconds: 1}
	order.Items = order.Items[:1]
	data, err := writerOf[*Order](t, s).Append(nil, order)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Format.ToJSON(s, []int{1}, data)
	want := `{"orderId":"o-42","total":{"currency":"EUR","cents":"1999"},"items":[{"sku":"sku-0","price":{"currency":"EUR","cents":"399"}}],` +
		`"labels":{"a":"b"},"placed":"1970-01-01T00:00:01Z","state":"PAID","retries":0,"card":"c"}`
	if err != nil || string(doc) != want {
		t.Fatalf("got %s %v\nwant %s", doc, err, want)
	}
	back, err := Format.FromJSON(s, []int{1}, doc)
	if err != nil {
		t.Fatal(err)
	}
	got := &Order{}
	if err := proto.Unmarshal(back, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(order, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Format.FromJSON(s, []int{1}, []byte(`{"nonsense":1}`)); err == nil {
		t.Error("an unknown field is taken")
	}
	r, err := Format.Reader(reflect.TypeFor[*dynamicpb.Message](), nil, s, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	var d *dynamicpb.Message
	if err := r.Decode(data, &d); err != nil || d.Descriptor().FullName() != "shop.order.v1.Order" {
		t.Errorf("%v %v", d, err)
	}
}

// Java counts the messages that are written, and so do we; the entries of a map are none.
func TestAnIndexPassesOverTheEntriesOfMaps(t *testing.T) {
	t.Parallel()
	text := `syntax = "proto3"; message A { map<string, int32> m = 1; message First { int32 x = 1; } message Second {} }`
	s := mustParse(t, text)
	spelled := mustParse(t, form(t, s, "serialized"))
	for _, s := range []schema.Schema{s, spelled} {
		for i, want := range []string{"A.First", "A.Second"} {
			m, err := s.(*parsed).message([]int{0, i})
			if err != nil || string(m.FullName()) != want {
				t.Errorf("index %d: %v %v, want %s", i, m, err, want)
			}
			if index, is := s.(*parsed).index(want); !is || !reflect.DeepEqual(index, []int{0, i}) {
				t.Errorf("%s: %v %v", want, index, is)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := derived[*Order](f)
	data, err := writerOf[*Order](f, s).Append(nil, anOrder())
	if err != nil {
		f.Fatal(err)
	}
	r, err := Format.Reader(reflect.TypeFor[*Order](), s, s, []int{1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var o *Order
		err := r.Decode(data, &o)
		doc, jsonErr := Format.ToJSON(s, []int{1}, data)
		if err != nil {
			if jsonErr == nil {
				t.Errorf("the reader refuses what reads as %s: %v", doc, err)
			}
			return
		}
		if jsonErr != nil {
			return // a timestamp beyond the calendar has no JSON
		}
		back, err := Format.FromJSON(s, []int{1}, doc)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		again, err := Format.ToJSON(s, []int{1}, back)
		if err != nil || string(again) != string(doc) {
			t.Errorf("%s became %s, %v", doc, again, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	w := writerOf[*Order](b, derived[*Order](b))
	order, buf := anOrder(), make([]byte, 0, 4096)
	order.Labels = nil
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Append(buf, order); err != nil {
			b.Fatal(err)
		}
	}
}
