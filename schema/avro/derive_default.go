package avro

import (
	"reflect"
	"strings"
	"time"

	"github.com/leatdev/leat/schema"
)

// fallback sets the default that a tag gives. On an optional field the type comes first then: a
// default is one of the first branch.
func (d *deriver) fallback(f *field, text string, s spot) error {
	n := f.typ
	if n.kind == kindUnion {
		if text == "null" && n.branches[0].kind == kindNull {
			f.fallback = &value{kind: 'n'}
			return nil
		}
		if n.branches[0].kind == kindNull && len(n.branches) == 2 {
			n.branches[0], n.branches[1] = n.branches[1], n.branches[0]
		}
		n = n.branches[0]
	}
	var err error
	if f.fallback, err = defaultOf(n, text); err != nil {
		return s.fault("default:%q: %w", text, err)
	}
	if _, err := appendDefault(nil, f.typ, f.fallback); err != nil {
		return s.fault("default:%q: %w", text, err)
	}
	return nil
}

// defaultOf reads the text of a tag as the JSON that a schema has for it.
func defaultOf(n *node, text string) (*value, error) {
	l, _ := logicalOf(n)
	switch {
	case l.name == "decimal":
		x, err := schema.ParseDecimal(text)
		if err != nil {
			return nil, err
		}
		data, err := appendDecimalBytes(nil, x, l)
		return &value{kind: '"', text: runes(data)}, err
	case times[l.name] != 0 && strings.Contains(text, "T"):
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, err
		}
		at, err := ticks(t, l.name)
		return whole(at), err
	case n.kind == kindString || n.kind == kindEnum:
		return &value{kind: '"', text: text}, nil
	case n.kind == kindBytes || n.kind == kindFixed:
		return &value{kind: '"', text: runes([]byte(text))}, nil
	}
	return readValue(text)
}

// zero is the default of a field that encoding/json leaves out when it is zero; nil where Avro has
// no way to write that down.
func (d *deriver) zero(t reflect.Type, n *node, owner reflect.Type) *value {
	b := &binder{root: d.root}
	enc, err := b.encoder(n, t, place{owner: owner})
	if err != nil {
		return nil
	}
	data, err := enc(nil, reflect.New(t).UnsafePointer(), 0)
	if err != nil {
		return nil
	}
	doc, err := appendText(nil, n, &decoder{data: data}, asDefault)
	if err != nil {
		return nil
	}
	v, err := readValue(string(doc))
	if err != nil {
		return nil
	}
	if _, err := appendDefault(nil, n, v); err != nil {
		return nil
	}
	return v
}
