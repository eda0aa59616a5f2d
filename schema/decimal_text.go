package schema

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
)

// String is the number with all its digits, "-0.05".
func (d Decimal) String() string { return string(d.Append(nil)) }

// Append appends what String returns.
func (d Decimal) Append(dst []byte) []byte {
	if d.Sign() < 0 {
		dst = append(dst, '-')
	}
	from := len(dst)
	if d.large != nil {
		dst = append(dst, new(big.Int).Abs(d.large).String()...)
	} else {
		dst = strconv.AppendUint(dst, abs(d.unscaled), 10)
	}
	scale := d.Scale()
	if scale == 0 {
		return dst
	}
	for len(dst)-from <= scale {
		dst = slices.Insert(dst, from, '0')
	}
	return slices.Insert(dst, len(dst)-scale, '.')
}

// AppendText is Append, for encoding.TextAppender.
func (d Decimal) AppendText(dst []byte) ([]byte, error) { return d.Append(dst), nil }

// MarshalText returns what String does.
func (d Decimal) MarshalText() ([]byte, error) { return d.Append(nil), nil }

// UnmarshalText reads what ParseDecimal reads.
func (d *Decimal) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDecimal(string(text))
	return err
}

// MarshalJSON writes a string: a JSON number goes through a float64 in most languages and comes out
// as another one.
func (d Decimal) MarshalJSON() ([]byte, error) { return append(d.Append([]byte{'"'}), '"'), nil }

// UnmarshalJSON reads a string or a number.
func (d *Decimal) UnmarshalJSON(doc []byte) error {
	if string(doc) == "null" {
		return nil
	}
	if len(doc) >= 2 && doc[0] == '"' && doc[len(doc)-1] == '"' {
		doc = doc[1 : len(doc)-1]
	}
	return d.UnmarshalText(doc)
}

// AppendBytes appends the unscaled value as Avro and Java have it: big endian, two's complement, as
// few bytes as hold it.
func (d Decimal) AppendBytes(dst []byte) []byte {
	if d.large != nil {
		return appendLarge(dst, d.large)
	}
	for n := d.byteLen() - 1; n >= 0; n-- {
		dst = append(dst, byte(d.unscaled>>(8*n)))
	}
	return dst
}

// ByteLen is the number of bytes that AppendBytes appends.
func (d Decimal) ByteLen() int {
	if d.large != nil {
		return len(appendLarge(nil, d.large))
	}
	return d.byteLen()
}

func (d Decimal) byteLen() int {
	return (bits.Len64(uint64(d.unscaled^(d.unscaled>>63))) + 8) / 8 // the sign takes a bit
}

func appendLarge(dst []byte, n *big.Int) []byte {
	if n.Sign() >= 0 {
		if n.BitLen()%8 == 0 {
			dst = append(dst, 0)
		}
		return append(dst, n.Bytes()...)
	}
	flipped := new(big.Int).Not(n) // -n-1: its bits are those of n turned over
	size := flipped.BitLen()/8 + 1
	from := len(dst)
	dst = append(dst, make([]byte, size)...)
	flipped.FillBytes(dst[from:])
	for i := from; i < len(dst); i++ {
		dst[i] = ^dst[i]
	}
	return dst
}

// DecimalFromBytes reads what AppendBytes writes; leading bytes that only repeat the sign are
// passed over.
func DecimalFromBytes(b []byte, scale int) (Decimal, error) {
	if len(b) > 8 {
		for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
			b = b[1:]
		}
	}
	if len(b) > decimalBytes || scale > decimalDigits || scale < -decimalDigits {
		return Decimal{}, fmt.Errorf("%w of at most %d digits: %d bytes of scale %d", ErrDecimal, decimalDigits, len(b), scale)
	}
	if len(b) <= 8 {
		var n int64
		if len(b) > 0 && b[0] >= 0x80 {
			n = -1
		}
		for _, c := range b {
			n = n<<8 | int64(c)
		}
		return NewDecimal(n, scale), nil
	}
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return decimalOf(n, scale), nil
}
