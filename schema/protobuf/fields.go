package protobuf

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/leatdev/leat/schema"
)

// Field is a field of a message as people read it.
type Field struct {
	Path  string // from the message that was asked for, for example "items[].sku"
	Type  string // for example "string", "shop.Money", "map<string, int64>"
	Label string // "required", "optional", "one of NAME", or "": it has no presence
}

// Fields are those of a message in a schema that [Format.Parse] made, by its full name, "" for the
// first, each followed by those of its own message, in the order of the text. Of a message within
// itself, and of those of google/protobuf, the name is all that is told. They end behind limit fields:
// messages that use each other unfold far.
func Fields(s schema.Schema, message string, limit int) []Field {
	p, ok := s.(*parsed)
	if !ok || p.desc.Messages().Len() == 0 {
		return nil
	}
	m := p.desc.Messages().Get(0)
	if message != "" {
		var err error
		if m, err = p.byName(message); err != nil {
			return nil
		}
	}
	all := fieldsOf(nil, limit, "", m, nil)
	return all[:min(len(all), limit)]
}

func fieldsOf(all []Field, limit int, prefix string, m protoreflect.MessageDescriptor, within []protoreflect.FullName) []Field {
	within = append(slices.Clip(within), m.FullName())
	for i := range m.Fields().Len() {
		if len(all) >= limit {
			break
		}
		f := m.Fields().Get(i)
		value, path := f, prefix+string(f.Name())
		own := Field{Type: fieldType(f)}
		switch {
		case f.IsMap():
			value, path = f.MapValue(), path+"{}"
			own.Type = "map<" + fieldType(f.MapKey()) + ", " + fieldType(value) + ">"
		case f.IsList():
			path += "[]"
		case f.Cardinality() == protoreflect.Required:
			own.Label = "required"
		case f.ContainingOneof() != nil && !f.ContainingOneof().IsSynthetic():
			own.Label = "one of " + string(f.ContainingOneof().Name())
		case f.HasPresence():
			own.Label = "optional"
		}
		own.Path = path
		all = append(all, own)
		inner := value.Message()
		if inner != nil && !slices.Contains(within, inner.FullName()) && !strings.HasPrefix(string(inner.FullName()), "google.protobuf.") {
			all = fieldsOf(all, limit, path+".", inner, within)
		}
	}
	return all
}

func fieldType(f protoreflect.FieldDescriptor) string {
	switch {
	case f.Message() != nil:
		return string(f.Message().FullName())
	case f.Enum() != nil:
		return string(f.Enum().FullName())
	}
	return f.Kind().String()
}
