package avro

import (
	"encoding"
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

// scalarDecoder is nil where the reader's type and Go's do not go together.
func scalarDecoder(w, r *node, t reflect.Type, sh shape) decodeFunc {
	switch r.kind {
	case kindBoolean:
		if sh == shapeBool {
			return decodeBool
		}
	case kindInt, kindLong:
		return integerDecoder(w, r, t, sh)
	case kindFloat, kindDouble:
		if sh == shapeFloat && (r.kind == kindFloat || t.Bits() == 64) {
			return floatDecoder(w, t)
		}
	case kindString:
		return stringDecoder(t, sh)
	case kindBytes, kindFixed:
		if l, _ := logicalOf(r); l.name == "decimal" && sh == shapeDecimal {
			return decimalDecoder(w, l)
		}
		if r.kind == kindBytes && sh == shapeBytes {
			return decodeBytes
		}
		if r.kind == kindFixed && (sh == shapeFixed || sh == shapeUUID) && t.Len() == r.size {
			return func(d *decoder, p unsafe.Pointer) error {
				b, err := d.take(r.size)
				copy(unsafe.Slice((*byte)(p), r.size), b)
				return err
			}
		}
	}
	return nil
}

func decodeBool(d *decoder, p unsafe.Pointer) error {
	b, err := d.take(1)
	if err != nil {
		return err
	}
	if b[0] > 1 {
		return fmt.Errorf("a boolean of %d", b[0])
	}
	*(*bool)(p) = b[0] == 1
	return nil
}

func decodeBytes(d *decoder, p unsafe.Pointer) error {
	b, err := d.bytes()
	if err == nil && len(b) > 0 {
		*(*[]byte)(p) = slices.Clone(b)
	}
	return err
}

func decodeString(d *decoder, p unsafe.Pointer) error {
	text, err := d.string()
	*(*string)(p) = text
	return err
}

// wholes reads the writer's whole numbers.
func wholes(w *node) func(*decoder) (int64, error) {
	if w.kind == kindInt {
		return (*decoder).int
	}
	return (*decoder).long
}

func integerDecoder(w, r *node, t reflect.Type, sh shape) decodeFunc {
	get := wholes(w)
	mine, _ := logicalOf(r)
	theirs, _ := logicalOf(w)
	switch {
	case sh == shapeTime && times[mine.name] != 0:
		unit := mine.name
		if times[theirs.name] != 0 {
			unit = theirs.name // what the number means is the writer's to say
		}
		return timeDecoder(get, unit)
	case sh == shapeDuration && clocks[mine.name] != 0:
		tick := int64(clocks[mine.name])
		if own := clocks[theirs.name]; own != 0 {
			tick = int64(own)
		}
		return func(d *decoder, p unsafe.Pointer) error {
			n, err := get(d)
			if err == nil && (n < 0 || n >= int64(24*time.Hour)/tick) {
				err = fmt.Errorf("%d is no time of a day", n)
			}
			*(*int64)(p) = n * tick
			return err
		}
	case sh == shapeDuration && r.kind == kindLong:
		return integerInto[int64](get, t)
	case sh == shapeInt:
		return map[uintptr]decodeFunc{
			1: integerInto[int8](get, t), 2: integerInto[int16](get, t), 4: integerInto[int32](get, t), 8: integerInto[int64](get, t),
		}[t.Size()]
	case sh == shapeUint:
		return map[uintptr]decodeFunc{
			1: integerInto[uint8](get, t), 2: integerInto[uint16](get, t), 4: integerInto[uint32](get, t), 8: integerInto[uint64](get, t),
		}[t.Size()]
	}
	return nil
}

func integerInto[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](get func(*decoder) (int64, error), t reflect.Type) decodeFunc {
	return func(d *decoder, p unsafe.Pointer) error {
		n, err := get(d)
		if err != nil {
			return err
		}
		if *(*T)(p) = T(n); int64(T(n)) != n || n < 0 && T(n) > 0 {
			return fmt.Errorf("%d does not fit into %s", n, t)
		}
		return nil
	}
}

func timeDecoder(get func(*decoder) (int64, error), unit string) decodeFunc {
	of := timeAt(unit)
	return func(d *decoder, p unsafe.Pointer) error {
		n, err := get(d)
		if err == nil {
			*(*time.Time)(p) = of(n)
		}
		return err
	}
}

// timeAt is the way back from ticks, in UTC.
func timeAt(unit string) func(int64) time.Time {
	switch times[unit] {
	case time.Millisecond:
		return func(n int64) time.Time { return time.UnixMilli(n).UTC() }
	case time.Microsecond:
		return func(n int64) time.Time { return time.UnixMicro(n).UTC() }
	case time.Nanosecond:
		return func(n int64) time.Time { return time.Unix(0, n).UTC() }
	}
	return func(n int64) time.Time { return time.Unix(n*24*60*60, 0).UTC() }
}

// floatDecoder reads into the float that Go has, whatever number the writer had.
func floatDecoder(w *node, t reflect.Type) decodeFunc {
	get := func(d *decoder) (float64, error) { return d.double() }
	switch w.kind {
	case kindInt, kindLong:
		whole := wholes(w)
		get = func(d *decoder) (float64, error) { n, err := whole(d); return float64(n), err }
	case kindFloat:
		get = func(d *decoder) (float64, error) { f, err := d.float(); return float64(f), err }
	}
	if t.Size() == 4 {
		return func(d *decoder, p unsafe.Pointer) error {
			f, err := get(d)
			*(*float32)(p) = float32(f)
			return err
		}
	}
	return func(d *decoder, p unsafe.Pointer) error {
		f, err := get(d)
		*(*float64)(p) = f
		return err
	}
}

func stringDecoder(t reflect.Type, sh shape) decodeFunc {
	switch {
	case sh == shapeString || sh == shapeEnum && t.Kind() == reflect.String:
		return decodeString
	case sh == shapeUUID:
		return func(d *decoder, p unsafe.Pointer) error {
			text, err := d.bytes()
			if err != nil {
				return err
			}
			return parseUUID(unsafe.Slice((*byte)(p), 16), text)
		}
	case sh == shapeText:
		return func(d *decoder, p unsafe.Pointer) error {
			text, err := d.bytes()
			if err != nil {
				return err
			}
			return reflect.NewAt(t, p).Interface().(encoding.TextUnmarshaler).UnmarshalText(slices.Clone(text))
		}
	}
	return nil
}

func parseUUID(dst, text []byte) error {
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		var digits [32]byte
		n := copy(digits[:], text[:8])
		for _, part := range [][2]int{{9, 13}, {14, 18}, {19, 23}, {24, 36}} {
			n += copy(digits[n:], text[part[0]:part[1]])
		}
		if _, err := hex.Decode(dst, digits[:]); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%.60q is no UUID", text)
}

// decimalDecoder reads the number that the writer meant: by the writer's scale, brought to the
// reader's where no digit is lost.
func decimalDecoder(w *node, l logical) decodeFunc {
	scale := int(l.scale)
	if theirs, ok := logicalOf(w); ok && theirs.name == "decimal" {
		scale = int(theirs.scale)
	}
	get := (*decoder).bytes
	if w.kind == kindFixed {
		get = func(d *decoder) ([]byte, error) { return d.take(w.size) }
	}
	return func(d *decoder, p unsafe.Pointer) error {
		b, err := get(d)
		if err != nil {
			return err
		}
		x, err := schema.DecimalFromBytes(b, scale)
		if err != nil {
			return err
		}
		*(*schema.Decimal)(p), _ = x.Rescale(int(l.scale))
		return nil
	}
}

// enumDecoder reads symbols by name. One that the reader does not know is its default; a Go type
// of strings without a list of symbols takes all that the reader knows.
func enumDecoder(w, r *node, t reflect.Type, sh shape, p place) (decodeFunc, error) {
	text := t.Kind() == reflect.String && (sh == shapeEnum || sh == shapeString)
	var own []string
	if sh == shapeEnum {
		word, _ := says[symbols](t)
		own = word.Symbols()
	}
	if !text && sh != shapeEnum {
		return nil, p.differ(r, t, hint(r))
	}
	fallback := r.symbol
	if f, ok := says[fallbacks](t); ok && fallback == "" {
		fallback = f.DefaultSymbol()
	}
	places, names := make([]int, len(w.symbols)), make([]string, len(w.symbols))
	for i, symbol := range w.symbols {
		if !slices.Contains(r.symbols, symbol) || own != nil && !slices.Contains(own, symbol) {
			symbol = fallback
		}
		names[i], places[i] = symbol, slices.Index(own, symbol)
	}
	set := map[uintptr]func(unsafe.Pointer, int){
		1: func(p unsafe.Pointer, i int) { *(*uint8)(p) = uint8(i) }, 2: func(p unsafe.Pointer, i int) { *(*uint16)(p) = uint16(i) },
		4: func(p unsafe.Pointer, i int) { *(*uint32)(p) = uint32(i) }, 8: func(p unsafe.Pointer, i int) { *(*uint64)(p) = uint64(i) },
	}[t.Size()]
	return func(d *decoder, p unsafe.Pointer) error {
		i, err := d.long()
		switch {
		case err != nil:
			return err
		case i < 0 || i >= int64(len(names)):
			return fmt.Errorf("symbol %d of an enum of %d", i, len(names))
		case names[i] == "" || !text && places[i] < 0:
			return fmt.Errorf("the symbol %q is not known here (%s): add it, or give the enum a default (DefaultSymbol() string in Go)", w.symbols[i], strings.Join(r.symbols, ", "))
		case text:
			*(*string)(p) = names[i]
		default:
			set(p, places[i])
		}
		return nil
	}, nil
}

// isSpecial says whether JSON has no number for it.
func isSpecial(f float64) bool { return math.IsNaN(f) || math.IsInf(f, 0) }
