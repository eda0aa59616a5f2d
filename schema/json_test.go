package schema_test

//lint:file-ignore SA5008 odd tags must be read as encoding/json reads them
//lint:file-ignore U1000 fields that are not exported must be left out

import (
	"bytes"
	"encoding"
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

var kind = &leat.Kind{Type: "test.v1", Topic: "test"}

type word string

func (w word) MarshalText() ([]byte, error) { return []byte("<" + string(w) + ">"), nil }

type byPointer struct{ N int }

func (*byPointer) MarshalJSON() ([]byte, error) { return []byte(`"pointer"`), nil }

type zeroer struct{ N int }

func (z zeroer) IsZero() bool { return z.N == 7 }

type chain struct {
	N    int    `json:"n"`
	Next *chain `json:"next,omitempty"`
}

type inner struct {
	A string  `json:"a"`
	B float64 `json:"b,omitempty"`
}

type embeds struct {
	inner
	C int
}

// everything has at least one field of each way that a plan has.
type everything struct {
	S     string            `json:"s"`
	Name  string            // no tag
	HTML  string            `json:"a<b&c"`
	I     int64             `json:"i,omitempty"`
	I8    int8              `json:"i8"`
	U     uint64            `json:"u"`
	B     bool              `json:"b"`
	F     float64           `json:"f"`
	G     float32           `json:"g"`
	T     time.Time         `json:"t"`
	TZ    time.Time         `json:"tz,omitzero"`
	TP    *time.Time        `json:"tp"`
	P     *inner            `json:"p"`
	PP    **string          `json:"pp,omitempty"`
	L     []inner           `json:"l"`
	LS    []string          `json:"ls,omitempty"`
	A     [3]int            `json:"array"`
	Bytes []byte            `json:"bytes"`
	BA    [2]byte           `json:"ba"`
	M     map[string]string `json:"m"`
	MI    map[int]inner     `json:"mi,omitempty"`
	Any   any               `json:"any"`
	Raw   json.RawMessage   `json:"raw,omitempty"`
	W     word              `json:"w"`
	Str   int               `json:"-"`
	//lint:ignore SA5008 the standard library names this member "-"
	Dash int `json:"-,"`
	//lint:ignore SA5008 the standard library falls back to the field's name
	Bad  int           `json:"b\"ad"`
	D    time.Duration `json:"d"`
	Z    struct{}      `json:"z,omitempty"`
	ZZ   inner         `json:"zz,omitzero"`
	Addr netip.Addr    `json:"addr"`
	E    embeds        `json:"e"`
	Q    struct {
		N int `json:"n,string"`
	} `json:"q"`
	hidden int //lint:ignore U1000 what is not exported is not encoded
}

// twoOfAName is a struct whose fields bear one name; vet would not let us write it.
func twoOfAName() any {
	n := reflect.TypeFor[int]()
	return reflect.New(reflect.StructOf([]reflect.StructField{{Name: "X", Type: n, Tag: `json:"a"`}, {Name: "Y", Type: n, Tag: `json:"a"`}})).Elem().Interface()
}

func same(t *testing.T, v any) {
	t.Helper()
	want, wantErr := json.Marshal(v)
	got, err := schema.JSON.Append([]byte("before"), kind, v)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%T: error %v, encoding/json says %v", v, err, wantErr)
	}
	if diff := cmp.Diff("before"+string(want), string(got)); diff != "" {
		t.Fatalf("%T:\n%s", v, diff)
	}
}

func TestAppendIsEncodingJSON(t *testing.T) {
	t.Parallel()
	s, now := "x", time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("z", -7*3600))
	ps := &s
	full := everything{
		S: "a\"\\\b\f\n\r\t\x00\x1f\x7f<>&\u2028\u2029\xff\xc3\u00e4\U0001F600", HTML: "h", I: math.MinInt64, I8: -128, U: math.MaxUint64, B: true,
		F: 1e-7, G: 1e21, T: now, TZ: now, TP: &now, P: &inner{"a", 1.5}, PP: &ps, L: []inner{{}, {"b", 2}}, LS: []string{"", "x"},
		Bytes: []byte{0, 255}, M: map[string]string{"b": "2", "a": "1", "<": ">"}, MI: map[int]inner{2: {}, 1: {"x", 1}},
		Any: map[string]any{"x": []any{1, nil, "y"}}, Raw: json.RawMessage(` { "a" : 1 } `), W: "w", Bad: 3, D: time.Second, ZZ: inner{A: "z"},
		Addr: netip.MustParseAddr("::1"), E: embeds{inner{"e", 1}, 2},
	}
	for _, v := range []any{
		full, &full,
		everything{},
		&everything{}, (*everything)(nil), nil,
		[]everything{full, {}},
		map[string]everything{"x": full},
		struct{ X everything }{full},
		"text", 1, -1.5, true, []byte("x"), []int(nil),
		[2]bool{true},
		word("w"), &s, now, time.Duration(5),
		byPointer{1},
		&byPointer{1},
		struct{ P byPointer }{},
		struct{ P *byPointer }{&byPointer{}},
		&struct{ P byPointer }{},
		[]byPointer{{1}},
		struct {
			Z zeroer `json:"z,omitzero"`
		}{zeroer{7}},
		twoOfAName(),
		chain{1, &chain{2, nil}},
		big.NewInt(7), *big.NewInt(7), json.Number("1.50"), json.Number("x"),
		math.NaN(), math.Inf(1),
		struct{ F float64 }{math.NaN()},
		make(chan int),
		struct{ C complex128 }{},
		func() {},
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("far", 25*3600)),
		time.Time{},
		struct{ A, B any }{1, nil},
		struct{ T encoding.TextMarshaler }{word("x")},
		struct{ E error }{},
		float32(3.4028235e38), float32(1e-7), 1e20, 1e21, 123456789.0, 5e-324, math.MaxFloat64, math.Copysign(0, -1),
	} {
		same(t, v)
	}
}

// A type is planned once and used by many at a time.
func TestAppendIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for n := range 200 {
				same(t, everything{I: int64(i), U: uint64(n), L: make([]inner, n%7)})
			}
		})
	}
}

func sameDecode[T any](t *testing.T, data []byte) {
	t.Helper()
	var got, want T
	wantErr := json.Unmarshal(data, &want)
	err := schema.JSON.Decode(data, kind, &got)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%s into %T: error %v, encoding/json says %v", data, got, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%s into %T: %+v, encoding/json makes it %+v", data, got, got, want)
	}
}

type loose struct {
	A any               `json:"a"`
	N int               `json:"n"`
	F float64           `json:"f"`
	S []string          `json:"s"`
	M map[string]inner  `json:"m"`
	B []byte            `json:"b"`
	T time.Time         `json:"t"`
	D time.Duration     `json:"d"`
	R json.RawMessage   `json:"r"`
	P *inner            `json:"p"`
	X [2]int            `json:"x"`
	Y map[int]string    `json:"y"`
	Q int               `json:"q,string"`
	E embeds            `json:"e"`
	Z map[string]string `json:"z"`
}

type numbered struct {
	N json.Number `json:"n"`
	M []struct{ N json.Number }
}

func decodeAll(t *testing.T, data []byte) {
	t.Helper()
	sameDecode[loose](t, data)
	sameDecode[numbered](t, data)
	sameDecode[any](t, data)
	sameDecode[chain](t, data)
	sameDecode[string](t, data)
}

var documents = []string{
	`{"a":1,"n":2,"f":1e3,"s":["x",null],"m":{"k":{"a":"b"}},"b":"AQI=","t":"2026-01-02T03:04:05Z","d":5,"r":{"x":[1 ]},"p":{},"x":[1],"y":{"1":"a"},"q":"7"}`,
	`{"N":1,"n":2,"A":{"x":9007199254740993}}`, `{"n":1.0}`, `{"n":1e3}`, `{"n":"1"}`, `{"n":99999999999999999999}`, `{"f":1e400}`,
	`{"a":"\ud800","s":["\xff"]}`, `{"a":1}{"a":2}`, `[1,2`, `nul`, ``, ` null `, `{"x":[1,2,3]}`, `{"t":"T1"}`, `{"b":"A\nQ=="}`, `{"y":{"x":"a"}}`,
	`{"n":"12"}`, `{"n":12}`, `{"n":null}`, `{"next":{"next":{}}}`, `"x\u00e4\/"`, `"\x"`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"q":7}`, `{"q":"x"}`, `{"e":{"a":"x","C":1}}`,
	`{"a":1,}`, "{\"a\":\"\x01\"}", `{"a" 1}`, `{"z":{"a":1}}`, `{"d":"5s"}`,
}

func TestDecodeIsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, d := range documents {
		decodeAll(t, []byte(d))
	}
}

func FuzzDecode(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			t.Skip("larger than what a difference needs")
		}
		decodeAll(t, data)
	})
}

func FuzzAppend(f *testing.F) {
	f.Add("s\xff<", int64(-1), uint64(1), 1e-7, float32(1e21), []byte{1}, int64(1e18), int32(3600), true, "k", `{"a":[1]}`)
	f.Fuzz(func(t *testing.T, s string, i int64, u uint64, d float64, g float32, b []byte, nano int64, zone int32, yes bool, key, raw string) {
		at := time.Unix(nano%(1<<40), nano&0xfffff).In(time.FixedZone("z", int(zone)))
		v := everything{
			S: s, HTML: key, I: i, I8: int8(i), U: u, B: yes, F: d, G: g, T: at, Bytes: b, M: map[string]string{key: s, s: key},
			L: []inner{{s, d}}, A: [3]int{int(i)}, Any: []any{s, d, yes}, W: word(s), D: time.Duration(i), E: embeds{inner{key, d}, int(i)},
		}
		if yes {
			v.TP, v.P, v.TZ, v.LS = &at, &v.L[0], at, []string{key}
		}
		if json.Valid([]byte(raw)) {
			v.Raw = json.RawMessage(raw)
		}
		same(t, v)
		same(t, &v)
	})
}

type order struct {
	ID       string            `json:"order_id"`
	Customer string            `json:"customer_id"`
	Currency string            `json:"currency"`
	At       time.Time         `json:"at"`
	Items    []item            `json:"items"`
	Note     *string           `json:"note,omitempty"`
	Tags     map[string]string `json:"tags"`
}

type item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Price    int64  `json:"unit_price"`
}

func sample() any {
	return order{
		ID: "019aa7c2-5b6e-7c1a-9d0e-3f2b1a4c5d6e", Customer: "c-4711", Currency: "EUR", At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Items: []item{{"sku-1", 2, 1999}, {"sku-2", 1, 500}, {"sku-3", 7, 125}}, Tags: map[string]string{"channel": "web", "campaign": "autumn"},
	}
}

func TestAppendMakesNoGarbage(t *testing.T) {
	v, buf := sample(), make([]byte, 0, 1024)
	n := testing.AllocsPerRun(1000, func() {
		out, err := schema.JSON.Append(buf, kind, v)
		if err != nil || len(out) == 0 {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations, want at most 1", n)
	}
}

func TestErrorsNameTheType(t *testing.T) {
	t.Parallel()
	_, err := schema.JSON.Append(nil, kind, math.NaN())
	if err == nil || !strings.Contains(err.Error(), "encode test.v1 as JSON") {
		t.Error(err)
	}
	if err := schema.JSON.Decode([]byte("{"), kind, new(order)); err == nil || !strings.Contains(err.Error(), "decode test.v1 from JSON") {
		t.Error(err)
	}
	if err := schema.JSON.Decode([]byte("1"), kind, nil); err == nil {
		t.Error("decoded into nothing")
	}
}

func BenchmarkAppend(b *testing.B) {
	v := sample()
	b.Run("leat", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			buf, _ = schema.JSON.Append(buf[:0], kind, v)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(v)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data, _ := json.Marshal(sample())
	b.Run("leat", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = schema.JSON.Decode(data, kind, new(order))
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = json.Unmarshal(data, new(order))
		}
	})
	if !bytes.Contains(data, []byte("sku-1")) {
		b.Fatal("no data")
	}
}
