package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema"
)

func ExampleDecimal() {
	price, _ := schema.ParseDecimal("19.90")
	total := price.Mul(schema.NewDecimal(3, 0)).Add(schema.NewDecimal(495, 2))
	doc, _ := json.Marshal(total)
	fmt.Println(total, total.Scale(), string(doc), total.Equal(schema.NewDecimal(646500, 4)))
	// Output: 64.65 2 "64.65" true
}

func TestDecimalText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "1.50": "1.50", "-0.05": "-0.05", "+7": "7", ".5": "0.5", "1e3": "1000", "1.5E-2": "0.015", "12.5e1": "125",
		"9223372036854775807": "9223372036854775807", "-9223372036854775808": "-9223372036854775808",
		"9223372036854775808": "9223372036854775808", "-0.00000000000000000000001": "-0.00000000000000000000001",
	} {
		d, err := schema.ParseDecimal(in)
		if err != nil || d.String() != want {
			t.Errorf("%q: %v %v, want %s", in, d, err, want)
		}
	}
	for _, in := range []string{"", "-", ".", "1.", "1e", "1e+", "0x1", "1_0", " 1", "--1", "+-1", "1.2.3", "NaN", "1e1001", "1e-1001", "1e99999999999", strings.Repeat("9", 1001)} {
		if d, err := schema.ParseDecimal(in); !errors.Is(err, schema.ErrDecimal) {
			t.Errorf("%q: %v %v, want an error", in, d, err)
		}
	}
}

func TestDecimalJSON(t *testing.T) {
	t.Parallel()
	var v struct{ A, B, C schema.Decimal }
	if err := json.Unmarshal([]byte(`{"A":"1.50","B":2.5e1,"C":null}`), &v); err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(v)
	if got, want := string(doc), `{"A":"1.50","B":"25","C":"0"}`; got != want || err != nil {
		t.Errorf("%s %v, want %s", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"A":true}`), &v); err == nil {
		t.Error("true is a decimal")
	}
}

func randomDecimal(r *rand.Rand) schema.Decimal {
	scale := r.IntN(25)
	switch r.IntN(4) {
	case 0:
		return schema.NewDecimal(r.Int64N(2000)-1000, scale)
	case 1:
		return schema.NewDecimal(int64(r.Uint64()), scale)
	case 2:
		return schema.NewDecimal([]int64{math.MinInt64, math.MaxInt64, -1, 0, 1, 127, 128, -128, -129, 255, 256}[r.IntN(11)], scale)
	}
	n := new(big.Int).SetUint64(r.Uint64())
	n.Lsh(n, uint(r.IntN(200))).Sub(n, new(big.Int).SetUint64(r.Uint64()))
	if r.IntN(2) == 0 {
		n.Neg(n)
	}
	return schema.DecimalOf(n, scale)
}

func rat(d schema.Decimal) *big.Rat {
	return new(big.Rat).SetFrac(d.Unscaled(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale())), nil))
}

// Arithmetic, text and bytes agree with math/big, whatever the size.
func TestDecimalIsExact(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		a, b := randomDecimal(r), randomDecimal(r)
		ra, rb := rat(a), rat(b)
		if got := a.Cmp(b); got != ra.Cmp(rb) {
			t.Fatalf("%v cmp %v: %d", a, b, got)
		}
		for name, pair := range map[string][2]*big.Rat{
			"add": {rat(a.Add(b)), new(big.Rat).Add(ra, rb)}, "sub": {rat(a.Sub(b)), new(big.Rat).Sub(ra, rb)},
			"mul": {rat(a.Mul(b)), new(big.Rat).Mul(ra, rb)}, "neg": {rat(a.Neg()), new(big.Rat).Neg(ra)},
		} {
			if pair[0].Cmp(pair[1]) != 0 {
				t.Fatalf("%s %v %v: %v, want %v", name, a, b, pair[0], pair[1])
			}
		}
		if got := a.String(); got != ra.FloatString(a.Scale()) {
			t.Fatalf("%s, want %s", got, ra.FloatString(a.Scale()))
		}
		if back, err := schema.ParseDecimal(a.String()); err != nil || back.Cmp(a) != 0 || back.Scale() != a.Scale() {
			t.Fatalf("%v comes back as %v %v", a, back, err)
		}
		data := a.AppendBytes(nil)
		if back, err := schema.DecimalFromBytes(data, a.Scale()); err != nil || back.Cmp(a) != 0 || len(data) != a.ByteLen() {
			t.Fatalf("%v is % x and comes back as %v %v", a, data, back, err)
		}
		scale := r.IntN(30)
		if back, exact := a.Rescale(scale); exact != new(big.Rat).Mul(ra, rat(schema.NewDecimal(1, -scale))).IsInt() || back.Cmp(a) != 0 || exact && back.Scale() != scale {
			t.Fatalf("%v to scale %d: %v %v", a, scale, back, exact)
		}
		p := 1 + r.IntN(40)
		if got, want := a.Fits(p), len(new(big.Int).Abs(a.Unscaled()).String()) <= p; got != want {
			t.Fatalf("%v fits %d: %v", a, p, got)
		}
	}
}

func TestDecimalBytesAreBounded(t *testing.T) {
	t.Parallel()
	if d, err := schema.DecimalFromBytes(make([]byte, 1<<20), 2); err != nil || !d.IsZero() {
		t.Error(d, err)
	}
	huge := make([]byte, 1<<20)
	huge[0] = 1
	if _, err := schema.DecimalFromBytes(huge, 2); !errors.Is(err, schema.ErrDecimal) {
		t.Error(err)
	}
}
