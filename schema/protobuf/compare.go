package protobuf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/leatdev/leat/schema"
)

// Compare judges as Confluent's registry does: messages are matched by their name within the file,
// fields by number, and what it lets pass passes here. Lint tells what hurts all the same.
func (format) Compare(reader, writer schema.Schema, _ schema.Policy) []schema.Difference {
	r, err := of(reader)
	if err != nil {
		return []schema.Difference{{Kind: "SCHEMA_TYPE_CHANGED", Path: "#/", Message: err.Error()}}
	}
	w, err := of(writer)
	if err != nil {
		return []schema.Difference{{Kind: "SCHEMA_TYPE_CHANGED", Path: "#/", Message: err.Error()}}
	}
	c := &comparison{reader: r, writer: w, judged: map[[2]protoreflect.FullName]bool{}}
	if r.desc.Package() != w.desc.Package() {
		c.add(packageChanged, nil)
	}
	c.messages(nil, w.desc.Messages(), r.desc.Messages())
	return c.found
}

// comparison walks over the writer's schema beside the reader's.
type comparison struct {
	reader, writer *parsed
	found          []schema.Difference
	apart          bool // compare every message that a field has: the files are not compared
	// judged tells of pairs of imported messages whether they fit; one that is being compared does,
	// so that messages may contain themselves.
	judged map[[2]protoreflect.FullName]bool
}

func (c *comparison) add(kind string, path []string) {
	c.found = append(c.found, difference(kind, "#/"+strings.Join(path, "/")))
}

func below(path []string, names ...string) []string { return append(slices.Clip(path), names...) }

// messages compares the messages of a file, or those within a message.
func (c *comparison) messages(path []string, writer, reader protoreflect.MessageDescriptors) {
	for i := range writer.Len() {
		w := writer.Get(i)
		if w.IsMapEntry() || groupBody(w) {
			continue
		}
		at := below(path, string(w.Name()))
		r := reader.ByName(w.Name())
		if r == nil || r.IsMapEntry() || groupBody(r) {
			c.add(messageRemoved, at)
			continue
		}
		c.message(at, w, r)
	}
}

// groupBody tells whether the message is what a group of proto2 declares. Groups are not compared.
func groupBody(m protoreflect.MessageDescriptor) bool {
	parent, is := m.Parent().(protoreflect.MessageDescriptor)
	if !is || m.ParentFile().Syntax() != protoreflect.Proto2 {
		return false
	}
	f := parent.Fields().ByName(protoreflect.Name(strings.ToLower(string(m.Name())))) // so a group's field is called
	return f != nil && isGroup(f) && f.Message() == m
}

func isGroup(f protoreflect.FieldDescriptor) bool {
	return f.Kind() == protoreflect.GroupKind && f.ParentFile().Syntax() == protoreflect.Proto2
}

func (c *comparison) message(path []string, w, r protoreflect.MessageDescriptor) {
	was, is := membersByNumber(w), membersByNumber(r)
	c.oneofs(path, was, r)
	gone := goneOneofs(w, r, is)
	for _, number := range numbers(was, is) {
		c.field(path, was[number], is[number], gone)
	}
	c.messages(path, w.Messages(), r.Messages())
}

type members map[protoreflect.FieldNumber]protoreflect.FieldDescriptor

func membersByNumber(m protoreflect.MessageDescriptor) members {
	all := members{}
	for i := range m.Fields().Len() {
		if f := m.Fields().Get(i); !isGroup(f) {
			all[f.Number()] = f
		}
	}
	return all
}

func numbers(a, b members) []protoreflect.FieldNumber {
	var all []protoreflect.FieldNumber
	for n := range a {
		all = append(all, n)
	}
	for n := range b {
		if a[n] == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// oneofOf is the oneof that a field was written in, nil for an optional field of proto3.
func oneofOf(f protoreflect.FieldDescriptor) protoreflect.OneofDescriptor {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return o
	}
	return nil
}

// oneofs finds fields that could be set together and now exclude each other: members of one oneof of
// the reader that were apart at the writer.
func (c *comparison) oneofs(path []string, was members, r protoreflect.MessageDescriptor) {
	for i := range r.Oneofs().Len() {
		o := r.Oneofs().Get(i)
		if o.IsSynthetic() {
			continue
		}
		origins, free := map[string]bool{}, 0
		for j := range o.Fields().Len() {
			f := was[o.Fields().Get(j).Number()]
			switch {
			case f == nil || isGroup(o.Fields().Get(j)):
			case oneofOf(f) != nil:
				origins["oneof "+string(oneofOf(f).Name())] = true
			default:
				origins["field "+strconv.Itoa(int(f.Number()))] = true
				free++
			}
		}
		switch {
		case len(origins) < 2:
		case free > 1:
			c.add(multipleFieldsMovedToOneof, below(path, string(o.Name())))
		default:
			c.add(fieldMovedToExistingOneof, below(path, string(o.Name())))
		}
	}
}

// goneOneofs are the oneofs that went with all their members, which is a removal like any other.
func goneOneofs(w, r protoreflect.MessageDescriptor, is members) map[protoreflect.Name]bool {
	gone := map[protoreflect.Name]bool{}
	for i := range w.Oneofs().Len() {
		o := w.Oneofs().Get(i)
		if kept := r.Oneofs().ByName(o.Name()); o.IsSynthetic() || kept != nil && !kept.IsSynthetic() {
			continue
		}
		gone[o.Name()] = true
		for j := range o.Fields().Len() {
			if is[o.Fields().Get(j).Number()] != nil {
				delete(gone, o.Name())
			}
		}
	}
	return gone
}

func (c *comparison) field(path []string, w, r protoreflect.FieldDescriptor, gone map[protoreflect.Name]bool) {
	place := func(f protoreflect.FieldDescriptor) []string {
		if o := oneofOf(f); o != nil {
			return below(path, string(o.Name()), strconv.Itoa(int(f.Number())))
		}
		return below(path, strconv.Itoa(int(f.Number())))
	}
	switch {
	case r == nil && oneofOf(w) != nil:
		if !gone[oneofOf(w).Name()] {
			c.add(oneofFieldRemoved, place(w))
		}
	case r == nil:
		if labelIn(w) == "required" {
			c.add(requiredFieldRemoved, place(w))
		}
	case w == nil:
		if labelIn(r) == "required" {
			c.add(requiredFieldAdded, place(r))
		}
	default:
		c.types(place(r), w, r, labelIn(w), labelIn(r))
	}
}

// labelIn is a field's label as it is written; members of oneofs and plain fields of proto3 have none.
func labelIn(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsList():
		return "repeated"
	case oneofOf(f) != nil || f.IsMap():
		return ""
	case f.Cardinality() == protoreflect.Required:
		return "required"
	case f.ParentFile().Syntax() == protoreflect.Proto2 || f.HasOptionalKeyword():
		return "optional"
	}
	return ""
}

func (c *comparison) types(path []string, w, r protoreflect.FieldDescriptor, was, is string) {
	kind := typeKind(w)
	if kind != typeKind(r) {
		c.add(fieldKindChanged, path)
		return
	}
	switch kind {
	case "map":
		c.types(path, w.MapKey(), r.MapKey(), "", "")
		c.types(path, w.MapValue(), r.MapValue(), "", "")
	case "message":
		c.named(path, w.Message(), r.Message())
	default:
		group := scalarGroup(w.Kind())
		switch {
		case group != scalarGroup(r.Kind()):
			c.add(fieldScalarKindChanged, path)
		case was != "" && is != "" && was != is && group != "string or bytes":
			c.add(fieldNumericLabelChanged, path)
		}
	}
}

func typeKind(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "map"
	case f.Message() != nil:
		return "message"
	}
	return "scalar"
}

// scalarGroup names the types between which a field may change.
func scalarGroup(k protoreflect.Kind) string {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind,
		protoreflect.BoolKind, protoreflect.EnumKind:
		return "varint"
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return "zigzag"
	case protoreflect.StringKind, protoreflect.BytesKind:
		return "string or bytes"
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return "fixed32"
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return "fixed64"
	}
	return k.String()
}

// named compares the messages that a field has. Those of the file itself are compared by name anyway;
// imported ones are unless they are one and the same version.
func (c *comparison) named(path []string, w, r protoreflect.MessageDescriptor) {
	name := localName(w)
	if name != localName(r) {
		c.add(fieldNamedTypeChanged, path)
		return
	}
	if !c.apart && c.same(w.ParentFile(), r.ParentFile()) {
		return
	}
	pair := [2]protoreflect.FullName{w.FullName(), r.FullName()}
	fits, known := c.judged[pair]
	if !known {
		c.judged[pair] = true
		before := len(c.found)
		c.message(strings.Split(name, "."), w, r)
		fits = len(c.found) == before
		c.judged[pair] = fits
	}
	if !fits {
		c.add(fieldNamedTypeChanged, path)
	}
}

// localName is a message's name within its file.
func localName(m protoreflect.MessageDescriptor) string {
	return strings.TrimPrefix(string(m.FullName()), cmp.Or(string(m.ParentFile().Package()), "\x00")+".")
}

// same tells whether two files are the compared ones, or one version of one import.
func (c *comparison) same(w, r protoreflect.FileDescriptor) bool {
	a, b := c.writer.origin(w), c.reader.origin(r)
	return a == b && (a.Version > 0 || a.Subject == rootPath && a.Version == 0)
}

// origin is where a file came from; the file itself is rootPath without a version.
func (s *parsed) origin(f protoreflect.FileDescriptor) schema.Reference {
	if f.Path() == s.desc.Path() {
		return schema.Reference{Subject: rootPath}
	}
	for _, i := range s.imports {
		if i.Name == f.Path() {
			return schema.Reference{Subject: i.Subject, Version: max(i.Version, -1)}
		}
	}
	return schema.Reference{Subject: f.Path(), Version: -1}
}
