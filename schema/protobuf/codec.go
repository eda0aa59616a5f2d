package protobuf

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatdev/leat/schema"
)

var (
	messageType = reflect.TypeFor[proto.Message]()
	dynamicType = reflect.TypeFor[*dynamicpb.Message]()
)

// generated is the descriptor of a Go type that protoc-gen-go made.
func generated(t reflect.Type) (protoreflect.MessageDescriptor, error) {
	switch {
	case t == dynamicType:
		return nil, fmt.Errorf("%v has no schema of its own: its values bring theirs", t)
	case t.Kind() == reflect.Pointer && t.Implements(messageType):
		return reflect.New(t.Elem()).Interface().(proto.Message).ProtoReflect().Descriptor(), nil
	case reflect.PointerTo(t).Implements(messageType):
		return nil, fmt.Errorf("%v is a Protobuf message only behind a pointer: use *%v", t, t)
	}
	return nil, fmt.Errorf("%v is no Protobuf message: generate it from a .proto file with protoc-gen-go, "+
		"or encode the topic as Avro, which takes plain structs", t)
}

// MessageOf is the full name of a generated message.
func (format) MessageOf(t reflect.Type) string {
	d, err := generated(t)
	if err != nil {
		return ""
	}
	return string(d.FullName())
}

// Writer encodes generated messages, behind a pointer. Their fields must be in the schema, by number,
// name and type; the schema may have more.
func (format) Writer(t reflect.Type, s schema.Schema) (schema.Writer, error) {
	p, err := of(s)
	if err != nil {
		return nil, err
	}
	d, err := generated(t)
	if err != nil {
		return nil, err
	}
	return newWriter(t, d, p)
}

// newWriter writes messages that d describes.
func newWriter(t reflect.Type, d protoreflect.MessageDescriptor, p *parsed) (schema.Writer, error) {
	name := string(d.FullName())
	known, err := p.byName(name)
	if err != nil {
		return nil, fmt.Errorf("write %v: %w", t, err)
	}
	index, is := p.index(name)
	if !is {
		return nil, fmt.Errorf("write %v: the message %s has no place of its own in the schema", t, name)
	}
	if err := fits(d, known); err != nil {
		return nil, fmt.Errorf("write %v: %w", t, err)
	}
	return &writer{index: index, typ: t}, nil
}

type writer struct {
	index []int
	typ   reflect.Type
}

func (w *writer) Index() []int { return w.index }

// Append walks over the message twice: for its size, which the message keeps, and for its bytes.
func (w *writer) Append(dst []byte, v any) ([]byte, error) {
	m, is := v.(proto.Message)
	if !is || reflect.TypeOf(v) != w.typ {
		return dst, fmt.Errorf("encode %v: a %T is no such value", w.typ, v)
	}
	out, err := proto.MarshalOptions{}.MarshalAppend(dst, m)
	if err != nil {
		return dst, fmt.Errorf("encode %v: %w", w.typ, err)
	}
	return out, nil
}

// Reader decodes into generated messages, or into *dynamicpb.Message as the writer's schema has them.
// index is the writer's message; it must be of the Go type's name, and none of its fields may be of a
// type that would be read as something else. Fields that the Go type lacks are kept as unknown ones.
func (format) Reader(t reflect.Type, r, w schema.Schema, index []int) (schema.Reader, error) {
	written, err := of(w)
	if err != nil {
		return nil, err
	}
	from, err := written.message(index)
	if err != nil {
		return nil, fmt.Errorf("read %v: %w", t, err)
	}
	if t == dynamicType {
		opts := proto.UnmarshalOptions{Resolver: written.types()}
		return &reader{typ: t, opts: opts, make: func() proto.Message { return dynamicpb.NewMessage(from) }}, nil
	}
	d, err := generated(t)
	if err != nil {
		return nil, err
	}
	if d.FullName() != from.FullName() {
		return nil, fmt.Errorf("read %v: the record is a %s, not a %s", t, from.FullName(), d.FullName())
	}
	if r != nil {
		p, err := of(r)
		if err != nil {
			return nil, err
		}
		known, err := p.byName(string(d.FullName()))
		if err == nil {
			err = fits(d, known)
		}
		if err != nil {
			return nil, fmt.Errorf("read %v by its own schema: %w", t, err)
		}
	}
	if err := readable(d, from); err != nil {
		return nil, fmt.Errorf("read %v: %w", t, err)
	}
	return &reader{typ: t, make: func() proto.Message { return reflect.New(t.Elem()).Interface().(proto.Message) }}, nil
}

type reader struct {
	typ  reflect.Type
	opts proto.UnmarshalOptions
	make func() proto.Message
}

// Decode takes a pointer to the Go type, itself a pointer, or a message of it.
func (r *reader) Decode(data []byte, v any) error {
	if m, is := v.(proto.Message); is && reflect.TypeOf(v) == r.typ && r.typ != dynamicType {
		return r.unmarshal(data, m)
	}
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Type() != r.typ {
		return fmt.Errorf("decode %v: a %T is no pointer to such a value", r.typ, v)
	}
	m := r.make()
	if err := r.unmarshal(data, m); err != nil {
		return err
	}
	p.Elem().Set(reflect.ValueOf(m))
	return nil
}

func (r *reader) unmarshal(data []byte, m proto.Message) error {
	if err := r.opts.Unmarshal(data, m); err != nil {
		return fmt.Errorf("decode %v: %w", r.typ, err)
	}
	return nil
}
