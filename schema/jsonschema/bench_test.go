package jsonschema

import (
	"encoding/json"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

type sold struct {
	OrderID  string     `json:"order_id"`
	Customer string     `json:"customer"`
	Status   status     `json:"status"`
	At       time.Time  `json:"at"`
	Note     *string    `json:"note,omitempty"`
	Items    []soldItem `json:"items"`
}

type soldItem struct {
	SKU   string `json:"sku"`
	Qty   int    `json:"qty"`
	Cents int64  `json:"cents"`
}

func soldOrder() sold {
	o := sold{OrderID: "0191f3c2-77aa-7c3e-9c1b-5f4f6f0e8d11", Customer: "customer-000042", Status: "paid", At: time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)}
	for _, sku := range []string{"sku-4711", "sku-0815", "sku-1234"} {
		o.Items = append(o.Items, soldItem{SKU: sku, Qty: 2, Cents: 1999})
	}
	return o
}

// cpu is what the process has used so far, in nanoseconds: on a machine that others use too it says
// more than the clock.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkAppend writes an order of about 300 bytes: without a schema, by the schema that its type
// derives, and by one that was written by hand and is checked on the document.
func BenchmarkAppend(b *testing.B) {
	t := reflect.TypeFor[sold]()
	text, err := derive(t, "sold")
	if err != nil {
		b.Fatal(err)
	}
	own, err := Format.Writer(t, mustParse(b, text))
	if err != nil {
		b.Fatal(err)
	}
	hand, err := Format.Writer(t, mustParse(b, text[:len(text)-1]+`,"maxProperties":20}`))
	if err != nil {
		b.Fatal(err)
	}
	o := soldOrder()
	kind := &leat.Kind{Type: "sold"}
	for name, write := range map[string]func([]byte) ([]byte, error){
		"plain":   func(dst []byte) ([]byte, error) { return schema.JSON.Append(dst, kind, &o) },
		"derived": func(dst []byte) ([]byte, error) { return own.Append(dst, &o) },
		"by hand": func(dst []byte) ([]byte, error) { return hand.Append(dst, &o) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			start := cpu()
			for b.Loop() {
				var err error
				if buf, err = write(buf[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(len(buf)), "bytes")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	t := reflect.TypeFor[sold]()
	text, err := derive(t, "sold")
	if err != nil {
		b.Fatal(err)
	}
	doc, err := json.Marshal(soldOrder())
	if err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]schema.Format{"not validated": Format, "validated": New(Options{ValidateOnRead: true})} {
		r, err := f.Reader(t, mustParse(b, text), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				var o sold
				if err := r.Decode(doc, &o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// What leat's own types cost on write is a promise: nothing beside the encoder.
func TestWritingByTheTypesOwnSchemaAllocatesNothing(t *testing.T) {
	typ := reflect.TypeFor[sold]()
	text, err := derive(typ, "sold")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Format.Writer(typ, mustParse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	o := soldOrder()
	buf, err := w.Append(nil, &o)
	if err != nil {
		t.Fatal(err)
	}
	kind := &leat.Kind{Type: "sold"}
	var v any = &o
	plain := testing.AllocsPerRun(100, func() { buf, _ = schema.JSON.Append(buf[:0], kind, v) })
	if got := testing.AllocsPerRun(100, func() { buf, _ = w.Append(buf[:0], v) }); got > plain {
		t.Errorf("%v allocations, %v without a schema", got, plain)
	}
}
