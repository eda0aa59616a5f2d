package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

// Options are what a format may do beyond the default.
type Options struct {
	// ValidateOnRead checks what is read against the reader's schema; false: what the Go type can
	// decode is taken. Members that the schema does not name are let in either way.
	ValidateOnRead bool
}

// Format is JSON Schema with the default options.
var Format = New(Options{})

// New makes a format with options.
func New(o Options) schema.Format { return format{options: o} }

type format struct {
	language
	options Options
}

// ContentType is application/json.
func (format) ContentType() string { return "application/json" }

// MessageOf is "".
func (format) MessageOf(reflect.Type) string { return "" }

// Derive makes the schema of what encoding/json writes for t, in draft 7. It refers to no others.
func (format) Derive(t reflect.Type, name string) (string, []schema.Import, error) {
	text, err := derive(t, name)
	return text, nil, err
}

// satisfy checks t against s, and tells whether s is the very schema that t derives.
func satisfy(t reflect.Type, s *Schema, reading bool) (own bool, err error) {
	derived, err := derive(t, s.Name())
	if err != nil {
		return false, err
	}
	if derived == s.canonical {
		return true, nil
	}
	shape, err := parse(derived, nil)
	if err != nil {
		return false, fmt.Errorf("the schema that %s derives: %w", t, err)
	}
	f := &fit{reading: reading, seen: map[pair]bool{}}
	if err := f.fits("#", shape.shape(), s.shape()); err != nil {
		return false, fmt.Errorf("%s does not keep to the schema %s: %w", t, s.Name(), err)
	}
	return false, nil
}

// Writer encodes values of t and holds every one of them to s.
func (format) Writer(t reflect.Type, s schema.Schema) (schema.Writer, error) {
	js, ok := s.(*Schema)
	if !ok {
		return nil, errNotOurs
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	own, err := satisfy(t, js, false)
	if err != nil {
		return nil, err
	}
	w := &writer{kind: &leat.Kind{Type: js.Name()}, schema: js, of: t}
	if own {
		w.guard, w.guarded = guardOf(t)
	}
	return w, nil
}

type writer struct {
	kind    *leat.Kind
	schema  *Schema
	of      reflect.Type
	guard   guard
	guarded bool // what the encoder writes for the type keeps to the schema where the guard lets it pass
}

// Index is nil: a JSON Schema describes one thing.
func (*writer) Index() []int { return nil }

// Append appends v as JSON if it keeps to the schema.
func (w *writer) Append(dst []byte, v any) ([]byte, error) {
	out, err := schema.JSON.Append(dst, w.kind, v)
	if err != nil {
		return dst, err
	}
	if err := w.check(v, out[len(dst):]); err != nil {
		return dst, err
	}
	return out, nil
}

// check holds the value, or what was written of it, to the schema.
func (w *writer) check(v any, doc []byte) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	if !w.guarded || !rv.IsValid() || rv.Type() != w.of {
		return w.schema.validate(w.schema.program.compiled, doc)
	}
	if w.guard == nil {
		return nil
	}
	if err := w.guard(rv); err != nil {
		return fmt.Errorf("%s does not keep to its schema: at #%w", w.kind.Type, err)
	}
	return nil
}

// validate holds a document to a schema.
func (s *Schema) validate(by *validator.Schema, doc []byte) error {
	value, err := decode(doc)
	if err != nil {
		return err
	}
	if err := by.Validate(value); err != nil {
		if v, ok := errors.AsType[*validator.ValidationError](err); ok {
			leaf := deepest(v)
			return fmt.Errorf("%s does not keep to its schema: at #%s: %s", s.Name(), pointer(leaf.InstanceLocation), reason(leaf))
		}
		return fmt.Errorf("%s does not keep to its schema: %w", s.Name(), err)
	}
	return nil
}

func decode(doc []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("decode JSON: the document goes on behind its end")
	}
	return value, nil
}

// Reader decodes what was written by any schema into values of t. Where the format validates on read,
// the data must keep to the reader's schema.
func (f format) Reader(t reflect.Type, reader, _ schema.Schema, _ []int) (schema.Reader, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	js, ok := reader.(*Schema)
	if !ok {
		return nil, errNotOurs
	}
	if _, err := satisfy(t, js, true); err != nil {
		return nil, err
	}
	r := &decoder{kind: &leat.Kind{Type: js.Name()}, schema: js}
	if f.options.ValidateOnRead {
		opened, err := js.opened()
		if err != nil {
			return nil, fmt.Errorf("open %s for reading: %w", js.Name(), err)
		}
		r.by = opened
	}
	return r, nil
}

type decoder struct {
	kind   *leat.Kind
	schema *Schema
	by     *validator.Schema // nil: not validated
}

// Decode reads data into v, a pointer.
func (r *decoder) Decode(data []byte, v any) error {
	if r.by != nil {
		if err := r.schema.validate(r.by, data); err != nil {
			return err
		}
	}
	return schema.JSON.Decode(data, r.kind, v)
}

// ToJSON is the data itself, if it keeps to the schema.
func (format) ToJSON(s schema.Schema, _ []int, data []byte) ([]byte, error) {
	js, ok := s.(*Schema)
	if !ok {
		return nil, errNotOurs
	}
	if err := js.validate(js.program.compiled, data); err != nil {
		return nil, err
	}
	return bytes.Clone(data), nil
}

// Untold is nil: the data is JSON.
func (format) Untold(schema.Schema, []int, []byte) error { return nil }

// FromJSON is the document without spaces, if it keeps to the schema.
func (format) FromJSON(s schema.Schema, _ []int, doc []byte) ([]byte, error) {
	js, ok := s.(*Schema)
	if !ok {
		return nil, errNotOurs
	}
	if err := js.validate(js.program.compiled, doc); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil {
		return nil, fmt.Errorf("compact JSON: %w", err)
	}
	return b.Bytes(), nil
}
