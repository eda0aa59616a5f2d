package avro_test

//lint:file-ignore U1000 blank fields carry the words about their struct

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	twmb "github.com/twmb/avro"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

var update = flag.Bool("update", false, "write the golden files")

type Status string

func (Status) Symbols() []string     { return []string{"NEW", "PAID", "SENT"} }
func (Status) DefaultSymbol() string { return "NEW" }

type Level uint8

func (Level) Symbols() []string { return []string{"LOW", "HIGH"} }

type UUID [16]byte

func (u UUID) MarshalText() ([]byte, error) {
	const hex = "0123456789abcdef"
	var b []byte
	for i, c := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hex[c>>4], hex[c&15])
	}
	return b, nil
}

func (u *UUID) UnmarshalText(b []byte) error {
	return errors.New("Avro reads UUIDs by itself")
}

type Code [3]byte

type Euro struct{ schema.Decimal }

func (Euro) DecimalSize() (precision, scale int) { return 12, 2 }

type Payment interface{ payment() }

type Card struct {
	Number string `json:"number"`
	Limit  Euro   `json:"limit"`
}

type Transfer struct {
	IBAN string `json:"iban"`
}

func (Card) payment()      {}
func (*Transfer) payment() {}

type Line struct {
	_     struct{} `doc:"one line of the order"`
	SKU   string   `json:"sku" doc:"what was bought"`
	Count int32    `json:"count"`
	Cents int64    `json:"cents" doc:"price of one, in minor units"`
}

type Meta struct {
	Source string            `json:"source"`
	Tags   map[string]string `json:"tags"`
}

type Node struct {
	Name string           `json:"name"`
	Next *Node            `json:"next"`
	Kids []Node           `json:"kids"`
	By   map[string]*Node `json:"by"`
}

type Page[T any] struct {
	Items []T `json:"items"`
}

// Event has at least one field of each kind that goes into Avro.
type Event struct {
	_        struct{}       `doc:"an order was placed"`
	ID       UUID           `json:"order_id"`
	At       time.Time      `json:"at"`
	Day      time.Time      `json:"day" logical:"date"`
	Status   Status         `json:"status"`
	Level    Level          `json:"level"`
	Lines    []Line         `json:"lines" doc:"in the order of the basket"`
	Note     *string        `json:"note,omitempty"`
	Paid     *Euro          `json:"paid"`
	Total    schema.Decimal `json:"total" decimal:"10,2" default:"0.00"`
	Ratio    float64        `json:"ratio"`
	Small    float32        `json:"small"`
	OK       bool           `json:"ok" default:"true"`
	Raw      []byte         `json:"raw"`
	Code     Code           `json:"code"`
	Pair     [2]int16       `json:"pair"`
	Took     time.Duration  `json:"took"`
	From     netip.Addr     `json:"from"`
	Currency string         `json:"currency" default:"EUR" aliases:"ccy"`
	Priority int            `json:"priority,omitzero"`
	Labels   []string       `json:"labels,omitempty"`
	Payment  Payment        `json:"payment"`
	Tree     *Node          `json:"tree"`
	Pages    Page[Line]     `json:"pages"`
	Secret   string         `json:"-"`
	Shipping struct {
		City string `json:"city"`
	} `json:"shipping"`
	Meta
	Retry *int64 `json:"retry" default:"3"`
}

func (Event) Unions() []any { return []any{[]Payment{nil, Card{}, &Transfer{}}} }

func derivedEvent(t testing.TB) string {
	t.Helper()
	text, imports, err := avro.Format.Derive(reflect.TypeFor[Event](), "shop.order.placed.v1")
	if err != nil || imports != nil {
		t.Fatal(err, imports)
	}
	return text
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what it was; -update writes it anew:\n%s", path, got)
	}
}

// The schema of a type is a contract: it changes only where the type does.
func TestDerivedSchemaIsStable(t *testing.T) {
	t.Parallel()
	text := derivedEvent(t)
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "derived.avsc", b.String()+"\n")
	s, err := avro.Format.Parse(text, nil)
	if err != nil || s.Canonical() != text {
		t.Errorf("the derived text is not canonical: %v\n%s\n%s", err, text, s.Canonical())
	}
	if _, err := twmb.Parse(text); err != nil {
		t.Error(err)
	}
}

// What can't be told in Avro is refused, with the place and the way out.
func TestDeriveRefuses(t *testing.T) {
	t.Parallel()
	type anon struct{ A chan int }
	type item struct{ N uint64 }
	type self []self
	type bad string
	for _, c := range []struct {
		v    any
		want []string
	}{
		{struct{ Items []item }{}, []string{".Items[].N: uint64 holds more than", "decimal"}},
		{struct{ X anon }{}, []string{".X.A: chan int", "json:\"-\""}},
		{struct{ X any }{}, []string{".X: ", "Unions"}},
		{struct{ X **int }{}, []string{".X: **int", "take one away"}},
		{struct{ X schema.Decimal }{}, []string{".X: say how many digits", "decimal:\"10,2\""}},
		{struct {
			X schema.Decimal `decimal:"2,5"`
		}{}, []string{".X: a decimal of 2 digits, 5"}},
		{struct {
			X int `decimal:"2,1"`
		}{}, []string{".X: the tag decimal is for schema.Decimal"}},
		{struct{ X map[int]string }{}, []string{".X: map[int]string", "map[string]string"}},
		{struct {
			X int `json:"a-b"`
		}{}, []string{"\"a-b\" can't be a field's name", "avro:\"a_b\""}},
		{struct{ X self }{}, []string{".X[]: ", "contains itself", "struct in between"}},
		{struct {
			X int `default:"many"`
		}{}, []string{".X: default:\"many\""}},
		{struct {
			X int32 `default:"3000000000"`
		}{}, []string{".X: default:\"3000000000\"", "schema says int"}},
		{struct {
			X Status `default:"GONE"`
		}{}, []string{".X: default:\"GONE\""}},
		{struct{ X json.RawMessage }{}, nil}, // bytes
		{struct{ *Meta }{}, []string{"embedded by pointer"}},
		{struct {
			X time.Time `logical:"noon"`
		}{}, []string{".X: logical:\"noon\""}},
		{struct{ X complex64 }{}, []string{".X: complex64"}},
		{bad("x"), []string{"an event is a struct"}},
	} {
		_, _, err := avro.Format.Derive(reflect.TypeOf(c.v), "x.v1")
		if c.want == nil {
			if err != nil {
				t.Errorf("%T: %v", c.v, err)
			}
			continue
		}
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%T: %v\nwant %s", c.v, err, w)
			}
		}
	}
}
