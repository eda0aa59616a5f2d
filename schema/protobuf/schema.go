package protobuf

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatdev/leat/schema"
)

// Format is Protobuf as a schema format.
var Format schema.Format = format{}

type format struct{}

// Type is schema.Protobuf.
func (format) Type() schema.Type { return schema.Protobuf }

// ContentType is "application/protobuf".
func (format) ContentType() string { return "application/protobuf" }

// Parse reads a .proto file of proto2, proto3 or edition 2023, or the base64 of its descriptor. An
// import is found among imports by its name; google/protobuf/*, google/type/* and confluent/* are
// known. Errors begin with line and column.
func (format) Parse(text string, imports []schema.Import) (schema.Schema, error) {
	s, err := parse(text, imports)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// parsed is a schema that was read and linked.
type parsed struct {
	file    *file
	desc    protoreflect.FileDescriptor
	files   *protoregistry.Files // it and what it imports
	imports []schema.Import

	canonical  string
	normalized func() string
	types      func() *dynamicpb.Types
}

func newParsed(f *file, linked linker.File, imports []schema.Import) (*parsed, error) {
	files := &protoregistry.Files{}
	desc, err := indexed(files, linked)
	if err != nil {
		return nil, fmt.Errorf("the file can't be linked: %w", err)
	}
	s := &parsed{file: f, desc: desc, files: files, imports: imports, canonical: f.text()}
	s.types = sync.OnceValue(func() *dynamicpb.Types { return dynamicpb.NewTypes(files) })
	s.normalized = sync.OnceValue(func() string { return normalize(s).text() })
	return s, nil
}

// indexed makes descriptors of protobuf's own of those that the compiler made: these look every name
// up by walking over all, which takes minutes in a large file.
func indexed(files *protoregistry.Files, fd protoreflect.FileDescriptor) (protoreflect.FileDescriptor, error) {
	if have, err := files.FindFileByPath(fd.Path()); err == nil {
		return have, nil
	}
	for i := range fd.Imports().Len() {
		if _, err := indexed(files, fd.Imports().Get(i)); err != nil {
			return nil, err
		}
	}
	made, err := protoregistry.GlobalFiles.FindFileByPath(fd.Path())
	if err != nil || !strings.HasPrefix(fd.Path(), "google/protobuf/") {
		if made, err = protodesc.NewFile(protoutil.ProtoFromFileDescriptor(fd), files); err != nil {
			return nil, err
		}
	}
	return made, files.RegisterFile(made)
}

func (s *parsed) Type() schema.Type  { return schema.Protobuf }
func (s *parsed) Canonical() string  { return s.canonical }
func (s *parsed) Normalized() string { return s.normalized() }

// Name is the full name of the file's first message.
func (s *parsed) Name() string {
	if len(s.file.messages) == 0 {
		return ""
	}
	return s.file.join(s.file.messages[0].name)
}

func (f *file) join(name string) string {
	if f.pkg == "" {
		return name
	}
	return f.pkg + "." + name
}

// As knows "serialized", the base64 of the file's descriptor, and "ignore_extensions", the text
// without extensions and without custom options but Confluent's.
func (s *parsed) As(form string) (string, error) {
	switch form {
	case "serialized":
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.descriptor())
		if err != nil {
			return "", fmt.Errorf("encode the file descriptor: %w", err)
		}
		return base64.StdEncoding.EncodeToString(data), nil
	case "ignore_extensions":
		return printer{plain: true, edition: s.file.edition != ""}.file(s.file), nil
	}
	return s.canonical, nil
}

// descriptor is the file's descriptor as other registries hand it out: no JSON names that nobody
// gave, and the entries of maps behind the messages that are written, so that an index leads to the
// same message here and there.
func (s *parsed) descriptor() *descriptorpb.FileDescriptorProto {
	d := proto.CloneOf(protoutil.ProtoFromFileDescriptor(s.desc))
	if s.file.syntax == "" && s.file.edition == "" {
		d.Syntax = nil
	}
	d.SourceCodeInfo = nil
	tidy(d.GetMessageType(), s.file.messages)
	dropJSONNames(d.GetExtension(), nil)
	return d
}

func tidy(descs []*descriptorpb.DescriptorProto, written []*message) {
	order := make(map[string]*message, len(written))
	place := make(map[string]int, len(written))
	for i, m := range written {
		order[m.name], place[m.name] = m, i
	}
	slices.SortStableFunc(descs, func(a, b *descriptorpb.DescriptorProto) int {
		return rank(place, a.GetName()) - rank(place, b.GetName())
	})
	for _, d := range descs {
		m := order[d.GetName()]
		if m == nil { // the entries of a map, the body of a group
			m = &message{}
		}
		dropJSONNames(d.GetField(), append(slices.Clone(m.fields), membersOf(m.oneofs)...))
		dropJSONNames(d.GetExtension(), nil)
		tidy(d.GetNestedType(), m.messages)
	}
}

func rank(place map[string]int, name string) int {
	if i, is := place[name]; is {
		return i
	}
	return len(place)
}

func membersOf(oneofs []oneof) []field {
	var fields []field
	for _, o := range oneofs {
		fields = append(fields, o.fields...)
	}
	return fields
}

// dropJSONNames takes the JSON names away that the linker made up.
func dropJSONNames(descs []*descriptorpb.FieldDescriptorProto, written []field) {
	given := map[string]bool{}
	for _, f := range written {
		given[f.name] = slices.ContainsFunc(f.options, func(o option) bool { return o.name == "json_name" && !o.paren })
	}
	for _, d := range descs {
		if !given[d.GetName()] {
			d.JsonName = nil
		}
	}
}

// message finds a message by its place in the file, as it is written; nil is the first. The entries
// of maps in their own notation have no place. A place beyond those is taken for one in a descriptor,
// where they have one.
func (s *parsed) message(index []int) (protoreflect.MessageDescriptor, error) {
	if len(index) == 0 {
		index = []int{0}
	}
	name, list := []string(nil), s.file.messages
	for _, i := range index {
		if i < 0 || i >= len(list) {
			return s.messageByDescriptor(index)
		}
		name, list = append(name, list[i].name), list[i].messages
	}
	return s.byName(s.file.join(strings.Join(name, ".")))
}

// MessageName implements [schema.Messages].
func (s *parsed) MessageName(index []int) (string, error) {
	m, err := s.message(index)
	if err != nil {
		return "", err
	}
	return string(m.FullName()), nil
}

// MessageIndex implements [schema.Messages].
func (s *parsed) MessageIndex(name string) ([]int, error) {
	for _, full := range []string{name, s.file.join(name)} {
		if index, ok := s.index(full); ok {
			return index, nil
		}
	}
	var have []string
	for _, m := range s.file.messages {
		have = append(have, s.file.join(m.name))
	}
	return nil, fmt.Errorf("the schema declares no message %s: it has %s", name, strings.Join(have, ", "))
}

func (s *parsed) messageByDescriptor(index []int) (protoreflect.MessageDescriptor, error) {
	var found protoreflect.MessageDescriptor
	list := s.desc.Messages()
	for _, i := range index {
		if i < 0 || i >= list.Len() {
			return nil, fmt.Errorf("the schema of %s has no message at index %v", s.Name(), index)
		}
		found = list.Get(i)
		list = found.Messages()
	}
	return found, nil
}

func (s *parsed) byName(full string) (protoreflect.MessageDescriptor, error) {
	d, err := s.files.FindDescriptorByName(protoreflect.FullName(full))
	m, is := d.(protoreflect.MessageDescriptor)
	if err != nil || !is || m.ParentFile().Path() != s.desc.Path() {
		return nil, fmt.Errorf("the schema declares no message %s: its first is %s", full, s.Name())
	}
	return m, nil
}

// index is the place of a message in the file as it is written.
func (s *parsed) index(full string) ([]int, bool) {
	local := full
	if s.file.pkg != "" {
		var in bool
		if local, in = strings.CutPrefix(full, s.file.pkg+"."); !in {
			return nil, false
		}
	}
	var index []int
	list := s.file.messages
	for name := range strings.SplitSeq(local, ".") {
		i := slices.IndexFunc(list, func(m *message) bool { return m.name == name })
		if i < 0 {
			return nil, false
		}
		index, list = append(index, i), list[i].messages
	}
	return index, true
}

// of asks for a schema of this package.
func of(s schema.Schema) (*parsed, error) {
	p, is := s.(*parsed)
	if !is {
		return nil, fmt.Errorf("a schema of type %T is not one of Protobuf", s)
	}
	return p, nil
}
