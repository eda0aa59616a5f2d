package avro

import (
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/leatdev/leat/schema"
)

// times are the logical types of points in time, with what one tick of them is.
var times = map[string]time.Duration{
	"date":             24 * time.Hour,
	"timestamp-millis": time.Millisecond, "timestamp-micros": time.Microsecond, "timestamp-nanos": time.Nanosecond,
	"local-timestamp-millis": time.Millisecond, "local-timestamp-micros": time.Microsecond, "local-timestamp-nanos": time.Nanosecond,
}

// clocks are those of times of day, which Go holds as a duration.
var clocks = map[string]time.Duration{"time-millis": time.Millisecond, "time-micros": time.Microsecond}

// scalarEncoder is nil where the two do not go together.
func scalarEncoder(n *node, t reflect.Type, sh shape) encodeFunc {
	l, _ := logicalOf(n)
	switch n.kind {
	case kindBoolean:
		if sh == shapeBool {
			return encodeBool
		}
	case kindInt, kindLong:
		return integerEncoder(n, t, sh, l)
	case kindFloat:
		if sh == shapeFloat && t.Bits() == 32 {
			return encodeFloat
		}
	case kindDouble:
		if sh == shapeFloat && t.Bits() == 64 {
			return encodeDouble
		}
	case kindString:
		return stringEncoder(t, sh)
	case kindBytes, kindFixed:
		if l.name == "decimal" && sh == shapeDecimal {
			return decimalEncoder(n, l)
		}
		if n.kind == kindFixed && (sh == shapeFixed || sh == shapeUUID) && t.Len() == n.size {
			return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
				return append(dst, unsafe.Slice((*byte)(p), n.size)...), nil
			}
		}
		if n.kind == kindBytes && sh == shapeBytes {
			return encodeBytes
		}
	}
	return nil
}

func encodeBool(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	if *(*bool)(p) {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func encodeFloat(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(*(*float32)(p))), nil
}

func encodeDouble(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(*(*float64)(p))), nil
}

func encodeBytes(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	b := *(*[]byte)(p)
	return append(appendLong(dst, int64(len(b))), b...), nil
}

func encodeString(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	return appendText8(dst, *(*string)(p)), nil
}

func encodeInt64(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	return appendLong(dst, *(*int64)(p)), nil
}

func encodeInt32(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
	return appendLong(dst, int64(*(*int32)(p))), nil
}

// intAt reads a signed integer of any size, uintAt one without a sign.
func intAt(t reflect.Type) func(unsafe.Pointer) int64 {
	switch t.Size() {
	case 1:
		return func(p unsafe.Pointer) int64 { return int64(*(*int8)(p)) }
	case 2:
		return func(p unsafe.Pointer) int64 { return int64(*(*int16)(p)) }
	case 4:
		return func(p unsafe.Pointer) int64 { return int64(*(*int32)(p)) }
	}
	return func(p unsafe.Pointer) int64 { return *(*int64)(p) }
}

func uintAt(t reflect.Type) func(unsafe.Pointer) uint64 {
	switch t.Size() {
	case 1:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*uint8)(p)) }
	case 2:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*uint16)(p)) }
	case 4:
		return func(p unsafe.Pointer) uint64 { return uint64(*(*uint32)(p)) }
	}
	return func(p unsafe.Pointer) uint64 { return *(*uint64)(p) }
}

func integerEncoder(n *node, t reflect.Type, sh shape, l logical) encodeFunc {
	switch {
	case sh == shapeTime && times[l.name] != 0:
		return timeEncoder(l.name)
	case sh == shapeDuration && clocks[l.name] != 0:
		tick := int64(clocks[l.name])
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			day := *(*int64)(p)
			if day < 0 || day >= int64(24*time.Hour) {
				return dst, fmt.Errorf("%v is no time of a day", time.Duration(day))
			}
			return appendLong(dst, day/tick), nil
		}
	case sh == shapeDuration && n.kind == kindLong || sh == shapeInt && n.kind == kindLong && t.Size() == 8:
		return encodeInt64
	case sh == shapeInt && t.Size() == 4:
		return encodeInt32
	case sh == shapeInt && (n.kind == kindLong || t.Size() < 4):
		get := intAt(t)
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) { return appendLong(dst, get(p)), nil }
	case sh == shapeInt:
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			i := *(*int64)(p)
			if i != int64(int32(i)) {
				return dst, fmt.Errorf("%d is too large for Avro's int", i)
			}
			return appendLong(dst, i), nil
		}
	case sh == shapeUint:
		get, limit := uintAt(t), uint64(math.MaxInt64)
		if n.kind == kindInt {
			limit = math.MaxInt32
		}
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			u := get(p)
			if u > limit {
				return dst, fmt.Errorf("%d is too large for Avro's %s", u, n.kind)
			}
			return appendLong(dst, int64(u)), nil
		}
	}
	return nil
}

func timeEncoder(unit string) encodeFunc {
	if unit == "timestamp-micros" {
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			return appendLong(dst, (*time.Time)(p).UnixMicro()), nil
		}
	}
	return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		at, err := ticks(*(*time.Time)(p), unit)
		return appendLong(dst, at), err
	}
}

// ticks counts a time in a logical type's unit. What is finer goes: time is cut to the tick before.
func ticks(t time.Time, unit string) (int64, error) {
	if strings.HasPrefix(unit, "local-") { // the wall clock, as if it hung in UTC
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	switch times[unit] {
	case time.Millisecond:
		return t.UnixMilli(), nil
	case time.Microsecond:
		return t.UnixMicro(), nil
	case time.Nanosecond:
		if n := t.UnixNano(); time.Unix(0, n).Equal(t) {
			return n, nil
		}
		return 0, fmt.Errorf("%v is beyond what 64 bits of nanoseconds hold", t)
	}
	day := int64(24 * time.Hour / time.Second)
	n := t.Unix() / day
	if t.Unix()%day < 0 {
		n--
	}
	if n != int64(int32(n)) {
		return 0, fmt.Errorf("%v is beyond what a date holds", t)
	}
	return n, nil
}

func stringEncoder(t reflect.Type, sh shape) encodeFunc {
	switch {
	case sh == shapeString || sh == shapeEnum && t.Kind() == reflect.String:
		return encodeString
	case sh == shapeUUID:
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			return appendUUID(appendLong(dst, 36), *(*[16]byte)(p)), nil
		}
	case sh == shapeText:
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			text, err := reflect.NewAt(t, p).Interface().(encoding.TextMarshaler).MarshalText()
			return append(appendLong(dst, int64(len(text))), text...), err
		}
	}
	return nil
}

func appendUUID(dst []byte, u [16]byte) []byte {
	for i, part := range [][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, u[part[0]:part[1]])
	}
	return dst
}

// decimalEncoder is for a decimal, or a struct of nothing but one.
func decimalEncoder(n *node, l logical) encodeFunc {
	if n.kind == kindFixed {
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			return appendDecimalFixed(dst, *(*schema.Decimal)(p), l, n.size)
		}
	}
	return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		x, err := fitted(*(*schema.Decimal)(p), l)
		if err != nil {
			return dst, err
		}
		return x.AppendBytes(appendLong(dst, int64(x.ByteLen()))), nil
	}
}

// fitted is the decimal with the scale and within the precision of the schema.
func fitted(x schema.Decimal, l logical) (schema.Decimal, error) {
	y, exact := x.Rescale(int(l.scale))
	if !exact {
		return x, fmt.Errorf("%s has more than the %d digits behind the point that the schema has: round it first", x, l.scale)
	}
	if !y.Fits(int(l.precision)) {
		return x, fmt.Errorf("%s has more than the %d digits that the schema has", y, l.precision)
	}
	return y, nil
}

func appendDecimalBytes(dst []byte, x schema.Decimal, l logical) ([]byte, error) {
	x, err := fitted(x, l)
	if err != nil {
		return dst, err
	}
	return x.AppendBytes(dst), nil
}

func appendDecimalFixed(dst []byte, x schema.Decimal, l logical, size int) ([]byte, error) {
	x, err := fitted(x, l)
	if err != nil {
		return dst, err
	}
	sign := byte(0)
	if x.Sign() < 0 {
		sign = 0xff
	}
	for range size - x.ByteLen() {
		dst = append(dst, sign)
	}
	return x.AppendBytes(dst), nil
}

// enumEncoder plans an enum. What can be known of the symbols is looked at now.
func enumEncoder(n *node, t reflect.Type, sh shape, p place) (encodeFunc, error) {
	var own []string
	if sh == shapeEnum {
		word, _ := says[symbols](t)
		own = word.Symbols()
		for _, symbol := range own {
			if !slices.Contains(n.symbols, symbol) {
				return nil, p.fault("Go has the symbol %q, the schema's %s does not: add it there", symbol, n.name.full())
			}
		}
	}
	switch {
	case t.Kind() == reflect.String && (sh == shapeEnum || sh == shapeString):
		places := make(map[string]int64, len(n.symbols))
		for i, symbol := range n.symbols {
			places[symbol] = int64(i)
		}
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			symbol := *(*string)(p)
			i, ok := places[symbol]
			if !ok {
				return dst, fmt.Errorf("%q is no symbol of %s (%s)", symbol, n.name.full(), strings.Join(n.symbols, ", "))
			}
			return appendLong(dst, i), nil
		}, nil
	case sh == shapeEnum:
		places := make([]int64, len(own))
		for i, symbol := range own {
			places[i] = int64(slices.Index(n.symbols, symbol))
		}
		get := uintAt(t)
		return func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
			i := get(p)
			if i >= uint64(len(places)) {
				return dst, fmt.Errorf("%d is no value of %s, which has %d symbols", int64(i), t, len(places))
			}
			return appendLong(dst, places[i]), nil
		}, nil
	}
	return nil, p.differ(n, t, hint(n))
}
