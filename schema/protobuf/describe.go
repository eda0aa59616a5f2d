package protobuf

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// describe spells a descriptor out as Confluent's registry does: full names with a leading dot, maps
// as the entries that they are on the wire, options in the order below, extensions after them.
func describe(d *descriptorpb.FileDescriptorProto) *file {
	f := &file{syntax: d.GetSyntax(), pkg: d.GetPackage(), options: optionsOf(d.GetOptions())}
	if d.Edition != nil {
		f.syntax, f.edition = "", strings.TrimPrefix(d.GetEdition().String(), "EDITION_")
	}
	for i, path := range d.GetDependency() {
		if slices.Contains(d.GetPublicDependency(), int32(i)) {
			f.publics = append(f.publics, path)
		} else {
			f.imports = append(f.imports, path)
		}
	}
	x := describer{implicit: f.syntax == "proto3" || f.edition != ""}
	for _, m := range d.GetMessageType() {
		f.messages = append(f.messages, x.message(m))
	}
	for _, e := range d.GetEnumType() {
		f.enums = append(f.enums, x.enum(e))
	}
	f.extends = x.extends(d.GetExtension())
	for _, s := range d.GetService() {
		f.services = append(f.services, x.service(s))
	}
	return f
}

type describer struct {
	implicit bool // fields have no label unless they say so
}

func (x describer) message(d *descriptorpb.DescriptorProto) *message {
	m := &message{name: d.GetName(), options: optionsOf(d.GetOptions()), extends: x.extends(d.GetExtension())}
	nested := map[string]*message{} // those that are the bodies of groups are not listed on their own
	for _, n := range d.GetNestedType() {
		nested[n.GetName()] = x.message(n)
	}
	oneofs := make([]oneof, len(d.GetOneofDecl()))
	for i, o := range d.GetOneofDecl() {
		oneofs[i] = oneof{name: o.GetName(), options: optionsOf(o.GetOptions())}
	}
	for _, fd := range d.GetField() {
		inOneof := fd.OneofIndex != nil && !fd.GetProto3Optional() && int(fd.GetOneofIndex()) < len(oneofs)
		f := x.field(fd, inOneof)
		body := nested[lastName(fd.GetTypeName())]
		if fd.GetType() == descriptorpb.FieldDescriptorProto_TYPE_GROUP && body != nil {
			delete(nested, body.name)
			g := group{label: f.label, number: f.number, options: f.options, body: body}
			if inOneof {
				oneofs[fd.GetOneofIndex()].groups = append(oneofs[fd.GetOneofIndex()].groups, g)
			} else {
				m.groups = append(m.groups, g)
			}
			continue
		}
		if inOneof {
			oneofs[fd.GetOneofIndex()].fields = append(oneofs[fd.GetOneofIndex()].fields, f)
		} else {
			m.fields = append(m.fields, f)
		}
	}
	for _, o := range oneofs {
		if len(o.fields)+len(o.groups) > 0 {
			m.oneofs = append(m.oneofs, o)
		}
	}
	for _, n := range d.GetNestedType() {
		if body := nested[n.GetName()]; body != nil {
			m.messages = append(m.messages, body)
			delete(nested, n.GetName())
		}
	}
	for _, e := range d.GetEnumType() {
		m.enums = append(m.enums, x.enum(e))
	}
	for _, r := range d.GetReservedRange() {
		m.reserved = append(m.reserved, oneSpan(r.GetStart(), r.GetEnd()-1))
	}
	for _, name := range d.GetReservedName() {
		m.reserved = append(m.reserved, ranges{spans: []span{{name: name}}})
	}
	for _, r := range d.GetExtensionRange() {
		m.extensions = append(m.extensions, oneSpan(r.GetStart(), r.GetEnd()-1))
	}
	return m
}

func oneSpan(first, last int32) ranges {
	return ranges{spans: []span{{first: int64(first), last: int64(last), single: first == last}}}
}

func lastName(full string) string { return full[strings.LastIndexByte(full, '.')+1:] }

func (x describer) field(d *descriptorpb.FieldDescriptorProto, inOneof bool) field {
	f := field{
		typ: d.GetTypeName(), name: d.GetName(), number: int64(d.GetNumber()), options: optionsOf(d.GetOptions()),
	}
	if f.typ == "" {
		f.typ = strings.ToLower(strings.TrimPrefix(d.GetType().String(), "TYPE_"))
	}
	switch {
	case inOneof:
	case d.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED:
		f.label = "repeated"
	case d.GetProto3Optional():
		f.label = "optional"
	case x.implicit:
	case d.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED:
		f.label = "required"
	default:
		f.label = "optional"
	}
	if d.DefaultValue != nil {
		f.options = append(f.options, option{name: "default", value: defaultOf(d)})
	}
	if d.JsonName != nil {
		f.options = append(f.options, option{name: "json_name", value: value{text: d.GetJsonName()}})
	}
	return f
}

func defaultOf(d *descriptorpb.FieldDescriptorProto) value {
	switch d.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		return value{text: d.GetDefaultValue()}
	case descriptorpb.FieldDescriptorProto_TYPE_BYTES: // escaped already
		return value{kind: valueWord, text: `"` + d.GetDefaultValue() + `"`}
	}
	return value{kind: valueWord, text: d.GetDefaultValue()}
}

func (x describer) extends(fields []*descriptorpb.FieldDescriptorProto) []extend {
	var all []extend
	for _, d := range fields {
		at := slices.IndexFunc(all, func(e extend) bool { return e.name == d.GetExtendee() })
		if at < 0 {
			at, all = len(all), append(all, extend{name: d.GetExtendee()})
		}
		all[at].fields = append(all[at].fields, x.field(d, false))
	}
	return all
}

func (x describer) enum(d *descriptorpb.EnumDescriptorProto) *enum {
	e := &enum{name: d.GetName(), options: optionsOf(d.GetOptions())}
	for _, v := range d.GetValue() {
		e.values = append(e.values, enumValue{v.GetName(), int64(v.GetNumber()), optionsOf(v.GetOptions())})
	}
	for _, r := range d.GetReservedRange() {
		e.reserved = append(e.reserved, oneSpan(r.GetStart(), r.GetEnd()))
	}
	for _, name := range d.GetReservedName() {
		e.reserved = append(e.reserved, ranges{spans: []span{{name: name}}})
	}
	return e
}

func (x describer) service(d *descriptorpb.ServiceDescriptorProto) service {
	s := service{name: d.GetName(), options: optionsOf(d.GetOptions())}
	for _, m := range d.GetMethod() {
		s.methods = append(s.methods, method{
			name: m.GetName(), in: m.GetInputType(), out: m.GetOutputType(),
			inStr: m.GetClientStreaming(), outSt: m.GetServerStreaming(), options: optionsOf(m.GetOptions()),
		})
	}
	return s
}

// optionOrder is where an option stands among those of its kind; what is not named comes after, by
// number.
var optionOrder = []protoreflect.Name{
	"java_package", "java_outer_classname", "java_multiple_files", "java_generate_equals_and_hash",
	"java_string_check_utf8", "optimize_for", "go_package", "cc_generic_services", "java_generic_services",
	"py_generic_services", "php_generic_services",
	"ctype", "packed", "jstype", "no_standard_descriptor_accessor", "allow_alias", "deprecated", "map_entry",
	"idempotency_level", "cc_enable_arenas",
}

// optionsOf reads the options of a descriptor: the known ones, then extensions by their number.
func optionsOf(m proto.Message) []option {
	type set struct {
		fd    protoreflect.FieldDescriptor
		value protoreflect.Value
		order int
	}
	var sets []set
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		order := slices.Index(optionOrder, fd.Name())
		if fd.IsExtension() || order < 0 {
			order = len(optionOrder)
		}
		if fd.Name() != "uninterpreted_option" {
			sets = append(sets, set{fd, v, order})
		}
		return true
	})
	slices.SortFunc(sets, func(a, b set) int {
		return cmp.Or(cmp.Compare(a.order, b.order), compareBool(a.fd.IsExtension(), b.fd.IsExtension()), cmp.Compare(a.fd.Number(), b.fd.Number()))
	})
	var options []option
	for _, s := range sets {
		o := option{name: string(s.fd.Name()), paren: s.fd.IsExtension()}
		if o.paren {
			o.name = string(s.fd.FullName())
		}
		if s.fd.IsList() {
			for i := range s.value.List().Len() {
				o.value = valueOf(s.fd, s.value.List().Get(i))
				options = append(options, o)
			}
			continue
		}
		o.value = valueOf(s.fd, s.value)
		options = append(options, o)
	}
	return options
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// valueOf is one value of an option's field.
func valueOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return value{text: v.String()}
	case protoreflect.BytesKind:
		return value{text: string(v.Bytes())}
	case protoreflect.BoolKind:
		return value{kind: valueWord, text: strconv.FormatBool(v.Bool())}
	case protoreflect.EnumKind:
		if known := fd.Enum().Values().ByNumber(v.Enum()); known != nil {
			return value{kind: valueWord, text: string(known.Name())}
		}
		return value{kind: valueNumber, text: strconv.Itoa(int(v.Enum()))}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return floatValue(v.Float())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageValue(v.Message())
	}
	return value{kind: valueNumber, text: v.String()}
}

func floatValue(f float64) value {
	switch {
	case math.IsNaN(f):
		return value{kind: valueWord, text: "nan"}
	case math.IsInf(f, 1):
		return value{kind: valueWord, text: "inf"}
	case math.IsInf(f, -1):
		return value{kind: valueNumber, text: "-inf"}
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return value{kind: valueNumber, text: text}
}

func messageValue(m protoreflect.Message) value {
	v := value{kind: valueMap}
	var fields []protoreflect.FieldDescriptor
	m.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, fd)
		return true
	})
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int { return cmp.Compare(a.Number(), b.Number()) })
	for _, fd := range fields {
		key := string(fd.Name())
		if fd.IsExtension() {
			key = "[" + string(fd.FullName()) + "]"
		}
		v.entries = append(v.entries, entry{key, fieldValue(fd, m.Get(fd))})
	}
	return v
}

func fieldValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) value {
	switch {
	case fd.IsMap():
		return mapValue(fd, v.Map())
	case fd.IsList():
		list := value{kind: valueList}
		for i := range v.List().Len() {
			list.list = append(list.list, valueOf(fd, v.List().Get(i)))
		}
		return list
	}
	return valueOf(fd, v)
}

func mapValue(fd protoreflect.FieldDescriptor, m protoreflect.Map) value {
	list := value{kind: valueList}
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		key, val := entry{"key", valueOf(fd.MapKey(), k.Value())}, entry{"value", valueOf(fd.MapValue(), v)}
		e := value{kind: valueMap, entries: []entry{key, val}}
		if fd.FullName() == "confluent.Meta.params" && (k.String() == "precision" || k.String() == "scale") {
			e.entries = []entry{val, key} // the one place where registries write it so
		}
		list.list = append(list.list, e)
		return true
	})
	slices.SortFunc(list.list, func(a, b value) int { return cmp.Compare(a.print(), b.print()) })
	return list
}
