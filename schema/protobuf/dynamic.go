package protobuf

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatdev/leat/schema"
)

var _ schema.Dynamic = format{}

// IsDynamic says whether t is *dynamicpb.Message.
func (format) IsDynamic(t reflect.Type) bool { return t == dynamicType }

// Of is the format of dynamic messages that have v's descriptor: Derive prints its file.
func (format) Of(v any) (schema.Format, any, error) {
	m, is := v.(*dynamicpb.Message)
	switch {
	case !is:
		return nil, nil, fmt.Errorf("a %T is no dynamic message", v)
	case m == nil || m.Descriptor() == nil:
		return nil, nil, fmt.Errorf("the %T has no descriptor: make it with dynamicpb.NewMessage", v)
	}
	return described{desc: m.Descriptor()}, m.Descriptor(), nil
}

// described is the format of the dynamic messages of one descriptor.
type described struct {
	format
	desc protoreflect.MessageDescriptor
}

// Derive prints the descriptor's file, and those that it imports.
func (f described) Derive(reflect.Type, string) (string, []schema.Import, error) {
	text, imports := derive(f.desc)
	return text, imports, nil
}

// MessageOf is the descriptor's full name.
func (f described) MessageOf(reflect.Type) string { return string(f.desc.FullName()) }

// Writer encodes messages of the descriptor, whose fields must be in the schema.
func (f described) Writer(t reflect.Type, s schema.Schema) (schema.Writer, error) {
	p, err := of(s)
	if err != nil {
		return nil, err
	}
	return newWriter(t, f.desc, p)
}
