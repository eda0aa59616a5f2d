package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"time"

	hamba "github.com/hamba/avro/v2"
	twmb "github.com/twmb/avro"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

// The order of the codec cases: 5 items and 9 amounts, as longs of minor units or as decimals.
type codecOrder[M any] struct {
	OrderID  string         `json:"order_id" avro:"order_id"`
	Customer string         `json:"customer_id" avro:"customer_id"`
	Currency string         `json:"currency" avro:"currency"`
	At       time.Time      `json:"at" avro:"at,timestamp-micros"`
	Items    []codecItem[M] `json:"items" avro:"items"`
	Net      M              `json:"net" avro:"net"`
	Tax      M              `json:"tax" avro:"tax"`
	Shipping M              `json:"shipping" avro:"shipping"`
	Total    M              `json:"total" avro:"total"`
	Note     *string        `json:"note" avro:"note"`
}

type codecItem[M any] struct {
	SKU      string `json:"sku" avro:"sku"`
	Name     string `json:"name" avro:"name"`
	Quantity int32  `json:"quantity" avro:"quantity"`
	Price    M      `json:"price" avro:"price"`
}

type euro struct{ schema.Decimal }

// DecimalSize makes it a decimal of fixed size in the schema.
func (euro) DecimalSize() (precision, scale int) { return 12, 2 }

// hambaOrder is a codecOrder[int64] whose tags have names alone, as hamba/avro wants them.
type hambaOrder struct {
	OrderID  string             `avro:"order_id"`
	Customer string             `avro:"customer_id"`
	Currency string             `avro:"currency"`
	At       time.Time          `avro:"at"`
	Items    []codecItem[int64] `avro:"items"`
	Net      int64              `avro:"net"`
	Tax      int64              `avro:"tax"`
	Shipping int64              `avro:"shipping"`
	Total    int64              `avro:"total"`
	Note     *string            `avro:"note"`
}

func codecOrderOf[M any](money func(int64) M) *codecOrder[M] {
	note := "leave it at the door"
	o := &codecOrder[M]{
		OrderID: "019aa7c2-5b6e-7c1a-9d0e-3f2b1a4c5d6e", Customer: "c-4711", Currency: "EUR", At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Net: money(11994), Tax: money(2279), Shipping: money(495), Total: money(14768), Note: &note,
	}
	for i := range 5 {
		o.Items = append(o.Items, codecItem[M]{SKU: fmt.Sprintf("sku-%04d", i+1), Name: "a thing of some length", Quantity: int32(i + 1), Price: money(int64(999 + 100*i))})
	}
	return o
}

func cents(n int64) int64 { return n }
func euros(n int64) euro  { return euro{schema.NewDecimal(n, 2)} }

// codec encodes and decodes one order; the decoded one is told so that it can be compared.
type codec struct {
	encode func(dst []byte) ([]byte, error)
	decode func(data []byte) (any, error)
	want   any
}

var codecs = map[string]func() (codec, error){
	"twmb/avro": func() (codec, error) {
		text, err := orderSchema(codecOrder[int64]{})
		if err != nil {
			return codec{}, err
		}
		s, err := twmb.Parse(text)
		o := codecOrderOf(cents)
		return codec{
			func(dst []byte) ([]byte, error) { return s.AppendEncode(dst, o) },
			func(data []byte) (any, error) {
				v := new(codecOrder[int64])
				_, err := s.Decode(data, v)
				return v, err
			}, o,
		}, err
	},
	"leat":         func() (codec, error) { return leatCodec(codecOrderOf(cents)) },
	"leat decimal": func() (codec, error) { return leatCodec(codecOrderOf(euros)) },
	"hamba/avro": func() (codec, error) {
		text, err := orderSchema(codecOrder[int64]{})
		if err != nil {
			return codec{}, err
		}
		s, err := hamba.Parse(text)
		o := codecOrderOf(cents)
		v := &hambaOrder{o.OrderID, o.Customer, o.Currency, o.At, o.Items, o.Net, o.Tax, o.Shipping, o.Total, o.Note}
		return codec{
			func([]byte) ([]byte, error) { return hamba.Marshal(s, v) },
			func(data []byte) (any, error) { v := new(hambaOrder); return v, hamba.Unmarshal(s, data, v) }, v,
		}, err
	},
	"encoding/json": func() (codec, error) {
		o := codecOrderOf(cents)
		return codec{
			func([]byte) ([]byte, error) { return json.Marshal(o) },
			func(data []byte) (any, error) { v := new(codecOrder[int64]); return v, json.Unmarshal(data, v) }, o,
		}, nil
	},
}

func orderSchema(v any) (string, error) {
	text, _, err := avro.Format.Derive(reflect.TypeOf(v), "bench.order.placed.v1")
	return text, err
}

func leatCodec[M any](o *codecOrder[M]) (codec, error) {
	text, err := orderSchema(*o)
	if err != nil {
		return codec{}, err
	}
	s, err := avro.Language.Parse(text, nil)
	if err != nil {
		return codec{}, err
	}
	w, err := avro.Format.Writer(reflect.TypeOf(o), s)
	if err != nil {
		return codec{}, err
	}
	r, err := avro.Format.Reader(reflect.TypeOf(*o), s, s, nil)
	return codec{
		func(dst []byte) ([]byte, error) { return w.Append(dst, o) },
		func(data []byte) (any, error) { v := new(codecOrder[M]); return v, r.Decode(data, v) }, o,
	}, err
}

// codecCase is one way with all codecs: what an order costs, without a broker.
func codecCase(decode bool) benchCase {
	c := benchCase{
		records: 1_000_000, contenders: []string{"twmb/avro", "leat", "leat decimal", "hamba/avro", "encoding/json"}, ownBroker: true,
		work: map[string]func(context.Context, options) (int, error){},
		measure: func(ctx context.Context, o options, contender string, _ int) (figures, error) {
			return spawn(ctx, o, contender)
		},
	}
	for name, open := range codecs {
		c.work[name] = func(ctx context.Context, o options) (int, error) {
			k, err := open()
			if err != nil {
				return 0, err
			}
			return k.run(ctx, decode, o.records)
		}
	}
	return c
}

// run encodes or decodes n orders and counts the allocations. What comes out of a decoder has to be what
// went into the encoder.
func (k codec) run(ctx context.Context, decode bool, n int) (int, error) {
	buf := make([]byte, 0, 4096)
	data, err := k.encode(buf[:0])
	if err != nil {
		return 0, err
	}
	data = append([]byte(nil), data...)
	back, err := k.decode(data)
	if err != nil {
		return 0, err
	}
	if got, want := dereferenced(back), dereferenced(k.want); got != want {
		return 0, fmt.Errorf("%s comes back as %s", want, got)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		if decode {
			_, err = k.decode(data)
		} else {
			_, err = k.encode(buf[:0])
		}
		if err != nil || ctx.Err() != nil {
			return i, err
		}
	}
	runtime.ReadMemStats(&after)
	allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
	return n, nil
}

// dereferenced is an order as text, with its note in place of the note's address.
func dereferenced(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of our own types
	}
	return string(text)
}

// allocs is how often the contender allocated per record, where the case counts that.
var allocs float64
