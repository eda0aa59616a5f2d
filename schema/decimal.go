package schema

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Decimal is a number with a fixed number of digits behind the point, exact: unscaled / 10^scale.
// Money is best a long of minor units; Decimal is for what has no minor unit, or comes from systems
// that write decimals. The zero value is 0. Values that fit into 63 bits make no garbage.
//
// As text and as JSON it is a string, "12.50", with all its digits; numbers are read too. Avro has
// it as the logical type decimal. Two values are compared by Cmp or Equal: 1.5 and 1.50 differ
// under ==.
type Decimal struct {
	unscaled int64
	large    *big.Int // set where unscaled is too small for it; never changed
	scale    int32
}

// ErrDecimal is wrapped by what is said of a text that is no decimal, or one that does not fit.
var ErrDecimal = errors.New("not a decimal")

const (
	decimalDigits = 1000 // of a text, its exponent included
	decimalBytes  = 420  // what decimalDigits take
)

// NewDecimal returns unscaled / 10^scale: NewDecimal(1250, 2) is 12.50. A negative scale appends
// zeros.
func NewDecimal(unscaled int64, scale int) Decimal {
	return Decimal{unscaled: unscaled, scale: int32(scale)}.whole()
}

// DecimalOf is NewDecimal for numbers beyond 63 bits. It keeps a copy.
func DecimalOf(unscaled *big.Int, scale int) Decimal {
	return decimalOf(new(big.Int).Set(unscaled), scale)
}

// decimalOf takes over n.
func decimalOf(n *big.Int, scale int) Decimal {
	if n.IsInt64() {
		return Decimal{unscaled: n.Int64(), scale: int32(scale)}.whole()
	}
	return Decimal{large: n, scale: int32(scale)}.whole()
}

// whole gives a value with a negative scale scale 0.
func (d Decimal) whole() Decimal {
	if d.scale >= 0 {
		return d
	}
	n := new(big.Int).Mul(d.Unscaled(), power(int(-d.scale)))
	return decimalOf(n, 0)
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// powers are those of ten that an int64 holds.
var powers = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// ParseDecimal reads what String writes, and numbers with an exponent. It keeps the digits behind
// the point: "1.50" has scale 2.
func ParseDecimal(s string) (Decimal, error) {
	digits, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return Decimal{}, fmt.Errorf("%w: %.40q", ErrDecimal, s)
		}
		digits, exponent = s[:i], e
	}
	before, behind, point := strings.Cut(digits, ".")
	plain := strings.TrimPrefix(strings.TrimPrefix(before, "-"), "+")
	if len(plain) < len(before)-1 || plain == "" && behind == "" || point && behind == "" || !allDigits(plain) || !allDigits(behind) {
		return Decimal{}, fmt.Errorf("%w: %.40q", ErrDecimal, s)
	}
	scale := len(behind) - exponent
	if len(s) > decimalDigits || exponent > decimalDigits || scale > decimalDigits {
		return Decimal{}, fmt.Errorf("%w of at most %d digits: %.40q", ErrDecimal, decimalDigits, s)
	}
	if n, err := strconv.ParseInt(before+behind, 10, 64); err == nil {
		return NewDecimal(n, scale), nil
	}
	n, _ := new(big.Int).SetString(before+behind, 10)
	return decimalOf(n, scale), nil
}

func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// Scale is the number of digits behind the point.
func (d Decimal) Scale() int { return int(d.scale) }

// Int64 is the unscaled value; ok is false where it needs more than 63 bits.
func (d Decimal) Int64() (unscaled int64, ok bool) { return d.unscaled, d.large == nil }

// Unscaled is the unscaled value, the caller's to keep.
func (d Decimal) Unscaled() *big.Int {
	if d.large != nil {
		return new(big.Int).Set(d.large)
	}
	return big.NewInt(d.unscaled)
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	if d.large != nil {
		return d.large.Sign()
	}
	switch {
	case d.unscaled < 0:
		return -1
	case d.unscaled > 0:
		return 1
	}
	return 0
}

// IsZero says whether it is 0 of any scale.
func (d Decimal) IsZero() bool { return d.Sign() == 0 }

// Cmp compares the numbers: -1, 0 or 1.
func (d Decimal) Cmp(e Decimal) int {
	if d.scale == e.scale && d.large == nil && e.large == nil {
		switch {
		case d.unscaled < e.unscaled:
			return -1
		case d.unscaled > e.unscaled:
			return 1
		}
		return 0
	}
	a, b, _ := aligned(d, e)
	return a.Cmp(b)
}

// Equal says whether the numbers are: 1.5 and 1.50 are.
func (d Decimal) Equal(e Decimal) bool { return d.Cmp(e) == 0 }

// aligned brings both to the larger scale.
func aligned(d, e Decimal) (a, b *big.Int, scale int) {
	scale = max(d.Scale(), e.Scale())
	raise := func(d Decimal) *big.Int {
		n := d.Unscaled()
		return n.Mul(n, power(scale-d.Scale()))
	}
	return raise(d), raise(e), scale
}

// Add returns d + e, with the larger of the scales.
func (d Decimal) Add(e Decimal) Decimal {
	if d.scale == e.scale && d.large == nil && e.large == nil {
		if sum := d.unscaled + e.unscaled; (sum > d.unscaled) == (e.unscaled > 0) {
			return Decimal{unscaled: sum, scale: d.scale}
		}
	}
	a, b, scale := aligned(d, e)
	return decimalOf(a.Add(a, b), scale)
}

// Sub returns d - e, with the larger of the scales.
func (d Decimal) Sub(e Decimal) Decimal { return d.Add(e.Neg()) }

// Neg returns -d.
func (d Decimal) Neg() Decimal {
	if d.large == nil && d.unscaled != math.MinInt64 {
		d.unscaled = -d.unscaled
		return d
	}
	n := d.Unscaled()
	return decimalOf(n.Neg(n), d.Scale())
}

// Mul returns d * e, exact: its scale is the sum of the scales.
func (d Decimal) Mul(e Decimal) Decimal {
	n := d.Unscaled()
	return decimalOf(n.Mul(n, e.Unscaled()), d.Scale()+e.Scale())
}

// Rescale returns the same number with another scale; exact is false where digits other than 0
// would be lost, and d comes back unchanged.
func (d Decimal) Rescale(scale int) (_ Decimal, exact bool) {
	by := scale - d.Scale()
	switch {
	case by == 0:
		return d, true
	case scale < 0:
		return d, false
	case d.large == nil && by > 0 && by < len(powers):
		hi, lo := bits.Mul64(abs(d.unscaled), uint64(powers[by]))
		if hi == 0 && lo <= math.MaxInt64 {
			return Decimal{unscaled: d.unscaled * powers[by], scale: int32(scale)}, true
		}
	case d.large == nil && by < 0 && -by < len(powers):
		if d.unscaled%powers[-by] != 0 {
			return d, false
		}
		return Decimal{unscaled: d.unscaled / powers[-by], scale: int32(scale)}, true
	}
	n := d.Unscaled()
	if by > 0 {
		return decimalOf(n.Mul(n, power(by)), scale), true
	}
	n, rest := n.QuoRem(n, power(-by), new(big.Int))
	if rest.Sign() != 0 {
		return d, false
	}
	return decimalOf(n, scale), true
}

// Fits says whether the unscaled value has at most precision digits.
func (d Decimal) Fits(precision int) bool {
	if d.large == nil {
		return precision >= len(powers) || precision >= 0 && abs(d.unscaled) < uint64(powers[precision])
	}
	return d.large.CmpAbs(power(precision)) < 0
}

func abs(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
