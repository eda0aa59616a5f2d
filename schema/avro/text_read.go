package avro

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/leatdev/leat/schema"
)

// textReader makes data out of JSON.
type textReader struct {
	mode  textMode
	depth int
}

// appendDefault appends the data that a default in a schema stands for.
func appendDefault(dst []byte, n *node, v *value) ([]byte, error) {
	return (&textReader{mode: asDefault}).append(dst, n, v)
}

func (r *textReader) append(dst []byte, n *node, v *value) ([]byte, error) {
	switch n.kind {
	case kindRecord:
		return r.record(dst, n, v)
	case kindArray, kindMap:
		return r.items(dst, n, v)
	case kindUnion:
		return r.union(dst, n, v)
	}
	return r.scalar(dst, n, v)
}

// expected says what stands in the place of what should.
func expected(n *node, v *value) error {
	return fmt.Errorf("schema says %s, JSON says %.60s", n.fullName(), v.append(nil))
}

func (r *textReader) record(dst []byte, n *node, v *value) ([]byte, error) {
	if v.kind != '{' {
		return dst, expected(n, v)
	}
	if r.depth++; r.depth > maxNesting {
		return dst, errDeep // a default that holds itself
	}
	defer func() { r.depth-- }()
	for _, m := range v.members {
		if n.byName[m.name] == nil {
			return dst, at("."+m.name, fmt.Errorf("%s has no such field", n.name.full()))
		}
	}
	var err error
	for _, f := range n.fields {
		item, mode := v.get(f.name), r.mode
		if item == nil {
			if f.fallback == nil {
				return dst, at("."+f.name, errors.New("it is missing and has no default"))
			}
			item, r.mode = f.fallback, asDefault
		}
		dst, err = r.append(dst, f.typ, item)
		if r.mode = mode; err != nil {
			return dst, at("."+f.name, err)
		}
	}
	return dst, nil
}

func (r *textReader) items(dst []byte, n *node, v *value) ([]byte, error) {
	values, open := v.items, '['
	if n.kind == kindMap {
		open, values = '{', nil
		for _, m := range v.members {
			values = append(values, m.value)
		}
	}
	if rune(v.kind) != open {
		return dst, expected(n, v)
	}
	if len(values) == 0 {
		return append(dst, 0), nil
	}
	dst = appendLong(dst, int64(len(values)))
	var err error
	for i, item := range values {
		if n.kind == kindMap {
			dst = appendText8(dst, v.members[i].name)
		}
		if dst, err = r.append(dst, n.elem, item); err != nil {
			return dst, at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return append(dst, 0), nil
}

// union takes the bare value where that tells the branch, and else the branch that is named.
func (r *textReader) union(dst []byte, n *node, v *value) ([]byte, error) {
	ways := []func() ([]byte, error){
		func() ([]byte, error) { return r.bare(dst, n, v) },
		func() ([]byte, error) { return r.tagged(dst, n, v) },
	}
	if r.mode == asDefault {
		return ways[0]()
	}
	if ambiguous(n) {
		slices.Reverse(ways)
	}
	out, err := ways[0]()
	if err != nil {
		if other, otherErr := ways[1](); otherErr == nil {
			return other, nil
		}
	}
	return out, err
}

func (r *textReader) tagged(dst []byte, n *node, v *value) ([]byte, error) {
	if v.kind == '{' && len(v.members) == 1 {
		for i, b := range n.branches {
			if m := v.members[0]; m.name == b.fullName() {
				return r.append(appendLong(dst, int64(i)), b, m.value)
			}
		}
	}
	return dst, fmt.Errorf("none of the union's branches: name the one it is, {\"branch\": value}: %.60s", v.append(nil))
}

func (r *textReader) bare(dst []byte, n *node, v *value) ([]byte, error) {
	from := len(dst)
	var first error
	for _, alike := range []bool{true, false} {
		for i, b := range n.branches {
			same := class(b) == classOfText(byte(v.kind))
			if same != alike && r.mode == asPlain || r.mode == asDefault && !alike {
				continue
			}
			out, err := r.append(appendLong(dst[:from], int64(i)), b, v)
			if err == nil {
				return out, nil
			}
			if first == nil {
				first = err
			}
		}
	}
	if first == nil {
		first = expected(n, v)
	}
	return dst[:from], first
}

func (r *textReader) scalar(dst []byte, n *node, v *value) ([]byte, error) {
	switch n.kind {
	case kindNull:
		if v.kind == 'n' {
			return dst, nil
		}
	case kindBoolean:
		if v.kind == 't' || v.kind == 'f' {
			return append(dst, map[bool]byte{true: 1}[v.kind == 't']), nil
		}
	case kindInt, kindLong:
		return r.whole(dst, n, v)
	case kindFloat, kindDouble:
		f, ok := floatOf(v)
		if ok && n.kind == kindFloat {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f))), nil
		}
		if ok {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), nil
		}
	case kindString:
		if text, ok := v.str(); ok {
			return appendText8(dst, text), nil
		}
	case kindEnum:
		text, ok := v.str()
		if i := slices.Index(n.symbols, text); ok && i >= 0 {
			return appendLong(dst, int64(i)), nil
		}
	case kindBytes, kindFixed:
		return r.bytes(dst, n, v)
	}
	return dst, expected(n, v)
}

// whole reads a number, or a time where the schema has one.
func (r *textReader) whole(dst []byte, n *node, v *value) ([]byte, error) {
	l, _ := logicalOf(n)
	if text, ok := v.str(); ok && times[l.name] != 0 && r.mode == asPlain {
		t, err := time.Parse(layoutOf(l.name), text)
		if err != nil {
			return dst, fmt.Errorf("%.60q is no %s: %w", text, l.name, err)
		}
		i, err := ticks(t, l.name)
		return appendLong(dst, i), err
	}
	bits := 64
	if n.kind == kindInt {
		bits = 32
	}
	i, ok := v.bits(bits)
	if !ok {
		return dst, expected(n, v)
	}
	return appendLong(dst, i), nil
}

func whole(n int64) *value {
	return &value{kind: '0', text: strconv.FormatInt(n, 10), whole: true}
}

func floatOf(v *value) (float64, bool) {
	switch {
	case v.kind == '0' && v.whole:
		f, err := strconv.ParseFloat(v.text, 64)
		return f, err == nil
	case v.kind == '0':
		return v.float, true
	}
	f, special := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[v.text]
	return f, special && v.kind == '"'
}

func (r *textReader) bytes(dst []byte, n *node, v *value) ([]byte, error) {
	l, _ := logicalOf(n)
	text, isText := v.str()
	var data []byte
	var err error
	switch {
	case r.mode == asPlain && l.name == "decimal" && (isText || v.kind == '0'):
		data, err = decimalData(n, v, l)
	case !isText:
		return dst, expected(n, v)
	case r.mode == asDefault:
		for _, c := range text {
			if c > 0xff {
				return dst, fmt.Errorf("%q is no byte: bytes are characters up to U+00FF", c)
			}
			data = append(data, byte(c))
		}
	case l.name == "uuid":
		data = make([]byte, 16)
		err = parseUUID(data, []byte(text))
	default:
		data, err = base64.StdEncoding.DecodeString(text)
	}
	switch {
	case err != nil:
		return dst, err
	case n.kind == kindFixed && len(data) != n.size:
		return dst, fmt.Errorf("%d bytes, %s has %d", len(data), n.name.full(), n.size)
	case n.kind == kindFixed:
		return append(dst, data...), nil
	}
	return append(appendLong(dst, int64(len(data))), data...), nil
}

func decimalData(n *node, v *value, l logical) ([]byte, error) {
	text := v.text
	if v.kind == '0' && !v.whole {
		text = strconv.FormatFloat(v.float, 'g', -1, 64)
	}
	x, err := schema.ParseDecimal(text)
	if err != nil {
		return nil, err
	}
	if n.kind == kindFixed {
		return appendDecimalFixed(nil, x, l, n.size)
	}
	return appendDecimalBytes(nil, x, l)
}
