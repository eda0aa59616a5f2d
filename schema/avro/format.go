package avro

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/leatdev/leat/schema"
)

// Format is Avro with its Go values: schemas out of Go types, and values of Go types as Avro's
// binary encoding and back.
var Format schema.Format = format{language{}}

type format struct{ language }

// ContentType is application/avro.
func (format) ContentType() string { return "application/avro" }

// MessageOf is "".
func (format) MessageOf(reflect.Type) string { return "" }

// Derive makes the schema of the struct t, or a pointer to one. The text has no references.
func (format) Derive(t reflect.Type, name string) (string, []schema.Import, error) {
	text, err := derive(t, name)
	return text, nil, err
}

// Writer encodes values of t, or pointers to them, by s.
func (format) Writer(t reflect.Type, s schema.Schema) (schema.Writer, error) {
	n, err := rootOf(s)
	if err != nil {
		return nil, err
	}
	return newWriter(t, n)
}

// Reader decodes what was written by the schema writer into values of t, with what the schema
// reader says of defaults and aliases.
func (format) Reader(t reflect.Type, reader, writer schema.Schema, _ []int) (schema.Reader, error) {
	r, err := rootOf(reader)
	if err != nil {
		return nil, err
	}
	w, err := rootOf(writer)
	if err != nil {
		return nil, err
	}
	return newReader(t, w, r)
}

// ToJSON renders data as plain JSON: what encoding/json would show of the Go value, with the fields
// in the order of the schema. The value of a union stands bare where JSON can tell its branches
// apart, and as {"branch": value} where it can't.
func (format) ToJSON(s schema.Schema, _ []int, data []byte) ([]byte, error) {
	n, err := rootOf(s)
	if err != nil {
		return nil, err
	}
	d := &decoder{data: data}
	doc, err := appendText(nil, n, d, asPlain)
	if err == nil {
		err = d.finished()
	}
	if err != nil {
		return nil, fmt.Errorf("render Avro data of %s: %w", n.fullName(), err)
	}
	return doc, nil
}

// FromJSON reads what ToJSON writes, and unions with their branch named as Avro's own JSON has them.
// Fields that are left out have their defaults.
func (format) FromJSON(s schema.Schema, _ []int, doc []byte) ([]byte, error) {
	n, err := rootOf(s)
	if err != nil {
		return nil, err
	}
	v, err := readValue(string(doc))
	if err == nil {
		doc, err = (&textReader{}).append(nil, n, v)
	}
	if err != nil {
		return nil, fmt.Errorf("read JSON as %s: %w", n.fullName(), err)
	}
	return doc, nil
}

// Untold tells of texts that are none: what is no UTF-8 in them is replaced in JSON.
func (f format) Untold(s schema.Schema, index []int, data []byte) error {
	doc, err := f.ToJSON(s, index, data)
	if mark := []byte("\ufffd"); err == nil && bytes.Count(doc, mark) > bytes.Count(data, mark) {
		err = errors.New("a string holds bytes that are no UTF-8")
	}
	return err
}

func rootOf(s schema.Schema) (*node, error) {
	own, ok := s.(*Schema)
	if !ok {
		return nil, fmt.Errorf("a schema of %T is none that this package has parsed", s)
	}
	return own.root, nil
}

// Mismatch tells where a Go type and a schema first differ.
type Mismatch struct {
	Path   string // "OrderCreated.items[].price"
	Reason string // what each of them says, and what to do
}

// Error is the place and the reason.
func (m *Mismatch) Error() string { return m.Path + ": " + m.Reason }

// ValueError tells what in a value or in data does not go with its schema, and where.
type ValueError struct {
	Path string // ".items[2].price"
	Err  error
}

// Error is the place and the reason.
func (e *ValueError) Error() string { return strings.TrimPrefix(e.Path, ".") + ": " + e.Err.Error() }

// Unwrap is the reason.
func (e *ValueError) Unwrap() error { return e.Err }

// at puts a step in front of the path of what went wrong further in.
func at(step string, err error) error {
	if e, ok := errors.AsType[*ValueError](err); ok {
		if e.Path = step + e.Path; len(e.Path) > 300 { // of a value that contains itself
			e.Path = e.Path[:200] + "..."
		}
		return e
	}
	return &ValueError{step, err}
}

// place is where in a type binder stands.
type place struct {
	path  string
	owner reflect.Type // struct that has the field
	empty bool         // the field is tagged omitempty or omitzero: null is its zero
}

func (p place) in(step string) place { p.path += step; return p }

func (p place) differ(n *node, t reflect.Type, hint string) error {
	says := n.kind.String()
	if n.kind.named() {
		says += " " + n.name.full()
	}
	if l, ok := logicalOf(n); ok {
		says += " (" + l.name + ")"
	}
	return p.fault("schema says %s, Go says %s: %s", says, t, hint)
}

func (p place) fault(format string, args ...any) error {
	return &Mismatch{p.path, fmt.Sprintf(format, args...)}
}

// errDeep is said of values and data that would fill the stack.
var errDeep = fmt.Errorf("records nest more than %d deep", maxNesting)

const maxNesting = 10_000
