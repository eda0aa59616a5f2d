package avro

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// value is a JSON value whose members keep their order.
type value struct {
	kind    jsontext.Kind // 'n' null, 't' true, 'f' false, '"', '0' number, '{', '['
	text    string        // of a string; of a whole number its digits
	float   float64       // of a number that is not whole
	whole   bool
	single  bool // the number has 32 bits
	members []member
	items   []*value
}

// member is a name of an object with its value.
type member struct {
	name  string
	value *value
}

func (v *value) get(name string) *value { return propOf(v.members, name) }

// str is the text of a string.
func (v *value) str() (string, bool) {
	if v == nil || v.kind != '"' {
		return "", false
	}
	return v.text, true
}

// bits is a whole number that fits into so many bits.
func (v *value) bits(n int) (int64, bool) {
	if v == nil || v.kind != '0' || !v.whole {
		return 0, false
	}
	i, err := strconv.ParseInt(v.text, 10, n)
	return i, err == nil
}

// maxDepth is how deep a text may nest, the bound of Java's reader.
const maxDepth = 1000

// readValue reads a JSON text as Java does: comments are passed over, and of two members with one
// name the last counts, in the place of the first.
func readValue(text string) (*value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(withoutComments(text)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	v, err := readNext(d)
	if err != nil {
		return nil, faultOf(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &Error{Err: fmt.Errorf("something follows the schema at byte %d", d.InputOffset())}
	}
	return v, nil
}

// faultOf tells of broken JSON in one line.
func faultOf(err error) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &Error{Path: string(e.JSONPointer), Err: fmt.Errorf("not JSON at byte %d: %w", e.ByteOffset, e.Err)}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the text is empty")
	}
	return &Error{Err: err}
}

func readNext(d *jsontext.Decoder) (*value, error) {
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	if d.StackDepth() > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	v := &value{kind: t.Kind()}
	switch t.Kind() {
	case '"':
		v.text = t.String()
	case '0':
		return numberOf(t.String())
	case '{':
		return v, readMembers(d, v)
	case '[':
		for d.PeekKind() != ']' {
			item, err := readNext(d)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, item)
		}
		_, err = d.ReadToken()
	}
	return v, err
}

func readMembers(d *jsontext.Decoder, v *value) error {
	at := map[string]int{}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		item, err := readNext(d)
		if err != nil {
			return err
		}
		if i, twice := at[name]; twice {
			v.members[i].value = item
			continue
		}
		at[name] = len(v.members)
		v.members = append(v.members, member{name, item})
	}
	_, err := d.ReadToken()
	return err
}

func numberOf(text string) (*value, error) {
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			text = "0"
		}
		return &value{kind: '0', text: text, whole: true}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is infinite, as in Java
		return nil, err
	}
	return &value{kind: '0', float: f}, nil
}

// withoutComments puts blanks in the place of comments.
func withoutComments(text string) []byte {
	out := []byte(text)
	for i := 0; i < len(out); i++ {
		switch {
		case out[i] == '"':
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case out[i] == '/' && i+1 < len(out) && (out[i+1] == '/' || out[i+1] == '*'):
			end := len(out)
			if out[i+1] == '/' {
				if n := bytes.IndexAny(out[i:], "\r\n"); n >= 0 {
					end = i + n
				}
			} else if n := bytes.Index(out[i+2:], []byte("*/")); n >= 0 {
				end = i + 2 + n + 2
			} else {
				return out // unfinished: no JSON
			}
			for ; i < end; i++ {
				out[i] = ' '
			}
			i--
		}
	}
	return out
}

// nesting is how deep a JSON text nests.
func nesting(text string) (deepest int) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}

// equal tells whether two values are one to Java: the order of members does not count, 1 is not 1.0.
func (v *value) equal(w *value) bool {
	if v == nil || w == nil {
		return v == w
	}
	if v.kind != w.kind || v.text != w.text || v.whole != w.whole || math.Float64bits(v.float) != math.Float64bits(w.float) || len(v.items) != len(w.items) {
		return false
	}
	for i := range v.items {
		if !v.items[i].equal(w.items[i]) {
			return false
		}
	}
	return sameMembers(v.members, w.members)
}

func sameMembers(a, b []member) bool {
	if len(a) != len(b) {
		return false
	}
	in := make(map[string]*value, len(b))
	for _, m := range b {
		in[m.name] = m.value
	}
	for _, m := range a {
		if w, ok := in[m.name]; !ok || !m.value.equal(w) {
			return false
		}
	}
	return true
}

// append writes the value as Java's tree writer does.
func (v *value) append(dst []byte) []byte {
	switch v.kind {
	case 'n':
		return append(dst, "null"...)
	case 't':
		return append(dst, "true"...)
	case 'f':
		return append(dst, "false"...)
	case '"':
		return appendString(dst, v.text)
	case '0':
		if v.whole {
			return append(dst, v.text...)
		}
		if v.single {
			return appendDouble(dst, float64(float32(v.float)), 32)
		}
		return appendDouble(dst, v.float, 64)
	case '[':
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.append(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, m := range v.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.name), ':')
		dst = m.value.append(dst)
	}
	return append(dst, '}')
}

// appendDouble writes a number as Java's Double.toString and, for 32 bits, Float.toString do.
func appendDouble(dst []byte, f float64, bits int) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	case f == 0 || abs >= 1e-3 && abs < 1e7:
		from := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if bytes.IndexByte(dst[from:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
	dst = append(dst, digits...)
	if !strings.Contains(digits, ".") {
		dst = append(dst, ".0"...)
	}
	e, _ := strconv.Atoi(exponent)
	return strconv.AppendInt(append(dst, 'E'), int64(e), 10)
}

const upperHex = "0123456789ABCDEF"

// appendString writes a string in quotes as Java's writer does: it escapes what JSON demands and
// nothing else.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case strings.IndexByte("\b\t\n\f\r", c) >= 0:
			dst = append(dst, '\\', "btn_fr"[c-'\b'])
		default:
			dst = append(dst, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&0xf])
		}
	}
	return append(dst, '"')
}
