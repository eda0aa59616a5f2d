package protobuf

import (
	"reflect"
	"strings"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/leatdev/leat/schema"
)

// Derive prints the file that a generated message was declared in, and those that it imports, each
// under its path. The name is the message's own; the one given is not used.
func (format) Derive(t reflect.Type, _ string) (string, []schema.Import, error) {
	d, err := generated(t)
	if err != nil {
		return "", nil, err
	}
	text, imports := derive(d)
	return text, imports, nil
}

// derive prints the file of the message and what it imports.
func derive(d protoreflect.MessageDescriptor) (string, []schema.Import) {
	var imports []schema.Import
	seen := map[string]bool{}
	direct := map[string]bool{}
	var add func(fd protoreflect.FileDescriptor) []schema.Reference
	add = func(fd protoreflect.FileDescriptor) (uses []schema.Reference) {
		for i := range fd.Imports().Len() {
			f := fd.Imports().Get(i).FileDescriptor
			if known(f.Path()) {
				continue
			}
			ref := schema.Reference{Name: f.Path()} // subject and version are known once it is registered
			uses = append(uses, ref)
			if !seen[f.Path()] {
				seen[f.Path()] = true
				its := add(f)
				imports = append(imports, schema.Import{Reference: ref, Text: textOf(f), References: its})
			}
		}
		return uses
	}
	for _, ref := range add(d.ParentFile()) {
		direct[ref.Name] = true
	}
	for i := range imports {
		imports[i].Indirect = !direct[imports[i].Name]
	}
	return textOf(d.ParentFile()), imports
}

// known tells whether registries bring the file along.
func known(path string) bool {
	_, is := builtins[path]
	return is || strings.HasPrefix(path, "google/protobuf/")
}

// textOf prints a linked file, with maps in their own notation and no JSON names but chosen ones.
func textOf(fd protoreflect.FileDescriptor) string {
	d := protodesc.ToFileDescriptorProto(fd)
	f := describe(d).folded()
	dropDefaults(f.messages)
	for i := range f.extends {
		dropDefaultNames(f.extends[i].fields, true)
	}
	return f.text()
}

func dropDefaults(messages []*message) {
	for _, m := range messages {
		dropDefaultNames(m.fields, false)
		for _, o := range m.oneofs {
			dropDefaultNames(o.fields, false)
		}
		for _, e := range m.extends {
			dropDefaultNames(e.fields, true)
		}
		for _, g := range m.groups {
			dropDefaults([]*message{g.body})
		}
		dropDefaults(m.messages)
	}
}

// dropDefaultNames takes away JSON names that follow from the field's.
func dropDefaultNames(fields []field, all bool) {
	for i, f := range fields {
		if n := len(f.options) - 1; n >= 0 && f.options[n].name == "json_name" && (all || f.options[n].value.text == jsonName(f.name)) {
			fields[i].options = f.options[:n]
		}
	}
}

// jsonName is a field's name in JSON where it has no other: "order_id" becomes "orderId".
func jsonName(name string) string {
	var b strings.Builder
	up := false
	for _, c := range []byte(name) {
		switch {
		case c == '_':
			up = true
		case up && c >= 'a' && c <= 'z':
			b.WriteByte(c - 'a' + 'A')
			up = false
		default:
			b.WriteByte(c)
			up = false
		}
	}
	return b.String()
}
