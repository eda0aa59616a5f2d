package avro_test

import (
	"reflect"
	"syscall"
	"testing"
	"time"

	twmb "github.com/twmb/avro"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

// The order of the benchmarks: 5 items, 9 amounts, once as longs of minor units, once as decimals.
type benchOrder[M any] struct {
	OrderID  string         `json:"order_id" avro:"order_id"`
	Customer string         `json:"customer_id" avro:"customer_id"`
	Currency string         `json:"currency" avro:"currency"`
	At       time.Time      `json:"at" avro:"at,timestamp-micros"`
	Items    []benchItem[M] `json:"items" avro:"items"`
	Net      M              `json:"net" avro:"net"`
	Tax      M              `json:"tax" avro:"tax"`
	Shipping M              `json:"shipping" avro:"shipping"`
	Total    M              `json:"total" avro:"total"`
	Note     *string        `json:"note" avro:"note"`
}

type benchItem[M any] struct {
	SKU      string `json:"sku" avro:"sku"`
	Name     string `json:"name" avro:"name"`
	Quantity int32  `json:"quantity" avro:"quantity"`
	Price    M      `json:"price" avro:"price"`
}

func orderOf[M any](money func(int64) M) benchOrder[M] {
	o := benchOrder[M]{
		OrderID: "019aa7c2-5b6e-7c1a-9d0e-3f2b1a4c5d6e", Customer: "c-4711", Currency: "EUR", At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Net: money(11994), Tax: money(2279), Shipping: money(495), Total: money(14768), Note: ptr("leave it at the door"),
	}
	for i := range 5 {
		o.Items = append(o.Items, benchItem[M]{SKU: "sku-000" + string(rune('1'+i)), Name: "a thing of some length", Quantity: int32(i + 1), Price: money(int64(999 + 100*i))})
	}
	return o
}

var (
	longOrder    = orderOf(func(n int64) int64 { return n })
	decimalOrder = orderOf(func(n int64) Euro { return Euro{schema.NewDecimal(n, 2)} })
)

func orderText(t testing.TB, v any) string {
	t.Helper()
	text, _, err := avro.Format.Derive(reflect.TypeOf(v), "bench.order.placed.v1")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAppendMakesNoGarbage(t *testing.T) {
	for _, v := range []any{longOrder, decimalOrder, &longOrder, &decimalOrder} {
		w := writer(t, v, orderText(t, v))
		buf := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(200, func() {
			if _, err := w.Append(buf, v); err != nil {
				t.Fatal(err)
			}
		}); n > 1 {
			t.Errorf("%T: %v allocations, want at most 1", v, n)
		}
	}
}

// cpu is what the process has used, in ns: on a machine that others use too the clock tells little.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func measure(b *testing.B, name string, f func()) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		before := cpu(b)
		for b.Loop() {
			f()
		}
		b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
	})
}

func BenchmarkAppend(b *testing.B) {
	bare := twmb.MustParse(orderText(b, longOrder))
	buf := make([]byte, 0, 1024)
	measure(b, "twmb", func() { buf, _ = bare.AppendEncode(buf[:0], &longOrder) })
	for _, c := range []struct {
		name string
		v    any
	}{{"long", &longOrder}, {"value", longOrder}, {"decimal", &decimalOrder}} {
		w := writer(b, c.v, orderText(b, c.v))
		measure(b, c.name, func() { buf, _ = w.Append(buf[:0], c.v) })
	}
}

func BenchmarkDecode(b *testing.B) {
	text := orderText(b, longOrder)
	data := encode(b, writer(b, longOrder, text), longOrder)
	bare := twmb.MustParse(text)
	measure(b, "twmb", func() {
		var v benchOrder[int64]
		_, _ = bare.Decode(data, &v)
	})
	r := reader(b, longOrder, text, text)
	measure(b, "long", func() {
		var v benchOrder[int64]
		_ = r.Decode(data, &v)
	})
	text = orderText(b, decimalOrder)
	data = encode(b, writer(b, decimalOrder, text), decimalOrder)
	dr := reader(b, decimalOrder, text, text)
	measure(b, "decimal", func() {
		var v benchOrder[Euro]
		_ = dr.Decode(data, &v)
	})
}
