package avro

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat/schema"
)

// textMode is who the JSON is for.
type textMode bool

const (
	asPlain   textMode = false // people: times and decimals as they are read, bytes in base64
	asDefault textMode = true  // a schema, which writes numbers and one character per byte there
)

// appendText renders the next value of the data.
func appendText(dst []byte, n *node, d *decoder, mode textMode) ([]byte, error) {
	switch n.kind {
	case kindRecord:
		return appendRecordText(dst, n, d, mode)
	case kindArray, kindMap:
		return appendItemsText(dst, n, d, mode)
	case kindUnion:
		i, err := d.branch(len(n.branches))
		if err != nil {
			return dst, err
		}
		return appendBranchText(dst, n, n.branches[i], d, mode)
	}
	return appendScalarText(dst, n, d, mode)
}

func appendRecordText(dst []byte, n *node, d *decoder, mode textMode) ([]byte, error) {
	if err := d.enter(); err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	var err error
	for i, f := range n.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, f.name), ':')
		if dst, err = appendText(dst, f.typ, d, mode); err != nil {
			return dst, at("."+f.name, err)
		}
	}
	d.depth--
	return append(dst, '}'), nil
}

func appendItemsText(dst []byte, n *node, d *decoder, mode textMode) ([]byte, error) {
	open, end, least := byte('['), byte(']'), size(n.elem)
	if n.kind == kindMap {
		open, end, least = '{', '}', least+1
	}
	dst = append(dst, open)
	for count := 0; ; {
		items, err := d.block(least)
		if err != nil {
			return dst, err
		}
		if items == 0 {
			return append(dst, end), nil
		}
		for range items {
			if count++; count > 1 {
				dst = append(dst, ',')
			}
			if n.kind == kindMap {
				key, err := d.bytes()
				if err != nil {
					return dst, err
				}
				dst = append(appendValid(dst, string(key)), ':')
			}
			if dst, err = appendText(dst, n.elem, d, mode); err != nil {
				return dst, at(fmt.Sprintf("[%d]", count-1), err)
			}
		}
	}
}

// appendValid writes a string, with what is no UTF-8 replaced.
func appendValid(dst []byte, s string) []byte {
	return appendString(dst, strings.ToValidUTF8(s, "\ufffd"))
}

// class is what tells values apart in JSON: the first character of one.
func class(n *node) byte {
	l, _ := logicalOf(n)
	switch n.kind {
	case kindNull:
		return 'n'
	case kindBoolean:
		return 't'
	case kindInt, kindLong, kindFloat, kindDouble:
		if times[l.name] != 0 {
			return '"'
		}
		return '0'
	case kindArray:
		return '['
	case kindRecord, kindMap:
		return '{'
	}
	return '"'
}

func classOfText(c byte) byte {
	switch {
	case c == '-' || c >= '0' && c <= '9':
		return '0'
	case c == 'f':
		return 't'
	}
	return c
}

// ambiguous says whether JSON can't tell the branches of a union apart.
func ambiguous(n *node) bool {
	var seen []byte
	for _, b := range n.branches {
		c := class(b)
		if slices.Contains(seen, c) {
			return true
		}
		seen = append(seen, c)
	}
	return false
}

// appendBranchText names the branch where the value alone does not tell it: two look alike, or this
// one is written in another way than usual (a NaN is a string).
func appendBranchText(dst []byte, n, b *node, d *decoder, mode textMode) ([]byte, error) {
	from := len(dst)
	dst, err := appendText(dst, b, d, mode)
	if err != nil || b.kind == kindNull || mode == asDefault {
		return dst, err
	}
	if !ambiguous(n) && classOfText(dst[from]) == class(b) {
		return dst, nil
	}
	tag := append(appendString([]byte{'{'}, b.fullName()), ':')
	return append(slices.Insert(dst, from, tag...), '}'), nil
}

func appendScalarText(dst []byte, n *node, d *decoder, mode textMode) ([]byte, error) {
	l, _ := logicalOf(n)
	switch n.kind {
	case kindNull:
		return append(dst, "null"...), nil
	case kindBoolean:
		b, err := d.take(1)
		return strconv.AppendBool(dst, err == nil && b[0] != 0), err
	case kindInt, kindLong:
		i, err := wholes(n)(d)
		if err != nil {
			return dst, err
		}
		if times[l.name] != 0 && mode == asPlain {
			return appendTimeText(dst, i, l.name), nil
		}
		return strconv.AppendInt(dst, i, 10), nil
	case kindFloat:
		f, err := d.float()
		return appendFloatText(dst, float64(f), 32), err
	case kindDouble:
		f, err := d.double()
		return appendFloatText(dst, f, 64), err
	case kindString:
		b, err := d.bytes()
		return appendValid(dst, string(b)), err
	case kindEnum:
		i, err := d.branch(len(n.symbols))
		if err != nil {
			return dst, fmt.Errorf("symbol %d of an enum of %d", i, len(n.symbols))
		}
		return appendString(dst, n.symbols[i]), nil
	}
	var b []byte
	var err error
	if n.kind == kindFixed {
		b, err = d.take(n.size)
	} else {
		b, err = d.bytes()
	}
	if err != nil {
		return dst, err
	}
	return appendBytesText(dst, b, l, mode)
}

func appendBytesText(dst, b []byte, l logical, mode textMode) ([]byte, error) {
	switch {
	case mode == asDefault:
		return appendString(dst, runes(b)), nil
	case l.name == "decimal":
		x, err := schema.DecimalFromBytes(b, int(l.scale))
		return append(x.Append(append(dst, '"')), '"'), err
	case l.name == "uuid":
		return append(appendUUID(append(dst, '"'), [16]byte(b)), '"'), nil
	}
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"'), nil
}

// runes is one character per byte, which is how a schema writes bytes.
func runes(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// layouts are how times are written. What has no zone in Avro has none here.
func layoutOf(unit string) string {
	switch {
	case unit == "date":
		return time.DateOnly
	case strings.HasPrefix(unit, "local-"):
		return "2006-01-02T15:04:05.999999999"
	}
	return time.RFC3339Nano
}

// appendTimeText writes a number where the year has no four digits.
func appendTimeText(dst []byte, n int64, unit string) []byte {
	t := timeAt(unit)(n)
	if back, err := ticks(t, unit); t.Year() < 0 || t.Year() > 9999 || err != nil || back != n {
		return strconv.AppendInt(dst, n, 10)
	}
	return append(t.AppendFormat(append(dst, '"'), layoutOf(unit)), '"')
}

func appendFloatText(dst []byte, f float64, bits int) []byte {
	abs := math.Abs(f)
	switch {
	case isSpecial(f):
		return appendDouble(dst, f, bits)
	case f == 0 && math.Signbit(f):
		return append(dst, "-0.0"...)
	case f == 0 || abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}
