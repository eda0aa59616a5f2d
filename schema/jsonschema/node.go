package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
)

// node is a JSON value with its members in the order of the text.
type node struct {
	kind    jsontext.Kind // one of n t f " 0 { [
	text    string        // a string's value, a number as canonical texts write it
	members []member
	items   []*node
}

type member struct {
	name  string
	value *node
}

// get is the member of an object, nil without one.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// str is the member's text, where it is a string.
func (n *node) str(name string) (string, bool) {
	v := n.get(name)
	if v == nil || v.kind != '"' {
		return "", false
	}
	return v.text, true
}

// set adds a member, or changes the value of one that is there and leaves it its place.
func (n *node) set(name string, value *node, places map[string]int) {
	if at, ok := places[name]; ok {
		n.members[at].value = value
		return
	}
	places[name] = len(n.members)
	n.members = append(n.members, member{name, value})
}

// reader reads a text into nodes and counts what it costs.
type reader struct {
	dec   *jsontext.Decoder
	nodes int
}

// read reads one JSON text.
func read(text string) (*node, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("at #: %d bytes are more than the %d that a schema may have", len(text), maxText)
	}
	r := &reader{dec: jsontext.NewDecoder(bytes.NewBufferString(text), jsontext.AllowDuplicateNames(true))}
	n, err := r.value(0)
	if err != nil {
		return nil, r.explain(err)
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("at #: the text goes on behind the schema")
	}
	return n, nil
}

// explain names the place of an error.
func (r *reader) explain(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("at #%s: no JSON: %w (byte %d)", syntax.JSONPointer, syntax.Err, syntax.ByteOffset)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("at #: the text is empty")
	}
	return fmt.Errorf("at #%s: %w", r.dec.StackPointer(), err)
}

func (r *reader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d levels: no schema needs that many", maxDepth)
	}
	if r.nodes++; r.nodes > maxNodes {
		return nil, fmt.Errorf("more than %d values: split the schema", maxNodes)
	}
	t, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch n := (&node{kind: t.Kind()}); n.kind {
	case '"':
		n.text = t.String()
		return n, nil
	case '0':
		n.text, err = javaNumber(t.String())
		return n, err
	case '{':
		return n, r.object(n, depth)
	case '[':
		return n, r.array(n, depth)
	default:
		return n, nil
	}
}

func (r *reader) object(n *node, depth int) error {
	places := map[string]int{}
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		text := name.String()
		value, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.set(text, value, places)
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *reader) array(n *node, depth int) error {
	for r.dec.PeekKind() != ']' {
		value, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, value)
	}
	_, err := r.dec.ReadToken()
	return err
}

// javaNumber writes a number as Java's BigInteger and BigDecimal do: registries hash that text.
func javaNumber(s string) (string, error) {
	if len(s) > maxDigits {
		return "", fmt.Errorf("a number of %d characters: none needs more than %d", len(s), maxDigits)
	}
	if !strings.ContainsAny(s, ".eE") {
		if s == "-0" {
			return "0", nil
		}
		return s, nil
	}
	mantissa, exponent, _ := strings.Cut(strings.ReplaceAll(s, "E", "e"), "e")
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	scale := len(fraction)
	if exponent != "" {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > 2*maxExponent || e < -2*maxExponent {
			return "", errExponent(s)
		}
		scale -= e
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		digits, sign = "0", ""
	}
	if adjusted := len(digits) - 1 - scale; adjusted > maxExponent || adjusted < -maxExponent {
		return "", errExponent(s)
	}
	return sign + place(digits, scale), nil
}

func errExponent(s string) error {
	return fmt.Errorf("the exponent of %s is beyond %d", s, maxExponent)
}

// place sets the decimal point: plain down to 1e-6, with an exponent below that and for what ends in
// zeros that were not written.
func place(digits string, scale int) string {
	adjusted := len(digits) - 1 - scale
	switch {
	case scale == 0:
		return digits
	case scale > 0 && adjusted >= -6:
		if missing := scale - len(digits) + 1; missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
		return digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	if adjusted == 0 {
		return digits
	}
	return fmt.Sprintf("%sE%+d", digits, adjusted)
}

// number is the exact value of a number.
func (n *node) number() *big.Rat {
	if n == nil || n.kind != '0' {
		return nil
	}
	v, _ := new(big.Rat).SetString(n.text)
	return v
}

// append writes the node without spaces; sorted: the members of all objects in the order of their
// UTF-16 units, as a Java TreeMap has them.
func (n *node) append(dst []byte, sorted bool) []byte {
	switch n.kind {
	case 'n':
		return append(dst, "null"...)
	case 't':
		return append(dst, "true"...)
	case 'f':
		return append(dst, "false"...)
	case '"':
		return quote(dst, n.text)
	case '0':
		return append(dst, n.text...)
	case '[':
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.append(dst, sorted)
		}
		return append(dst, ']')
	}
	members := n.members
	if sorted {
		members = slices.SortedFunc(slices.Values(members), func(a, b member) int { return compareUTF16(a.name, b.name) })
	}
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(quote(dst, m.name), ':')
		dst = m.value.append(dst, sorted)
	}
	return append(dst, '}')
}

func compareUTF16(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// quote writes a string as Jackson does: only what must be escaped, with digits in upper case.
func quote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = fmt.Appendf(dst, `\u%04X`, c)
		}
	}
	return append(dst, '"')
}

// plain is the node as the validator takes it.
func (n *node) plain() any {
	switch n.kind {
	case 'n':
		return nil
	case 't', 'f':
		return n.kind == 't'
	case '"':
		return n.text
	case '0':
		return json.Number(n.text)
	case '[':
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.plain()
		}
		return list
	}
	object := make(map[string]any, len(n.members))
	for _, m := range n.members {
		object[m.name] = m.value.plain()
	}
	return object
}

// at follows a JSON pointer.
func (n *node) at(pointer string) *node {
	if pointer == "" {
		return n
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		if n == nil {
			return nil
		}
		if n.kind != '[' {
			n = n.get(part)
			continue
		}
		i, err := strconv.Atoi(part)
		if err != nil || i < 0 || i >= len(n.items) {
			return nil
		}
		n = n.items[i]
	}
	return n
}

// escape writes a name as a part of a JSON pointer.
func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
