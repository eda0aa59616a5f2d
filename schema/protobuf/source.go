package protobuf

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/ast"
)

// source reads the model out of a parsed text.
type source struct{ tree *ast.FileNode }

func (s source) file() *file {
	f := &file{}
	if s.tree.Syntax != nil {
		f.syntax = s.tree.Syntax.Syntax.AsString()
	}
	if s.tree.Edition != nil {
		f.edition = s.tree.Edition.Edition.AsString()
	}
	for _, d := range s.tree.Decls {
		switch n := d.(type) {
		case *ast.PackageNode:
			f.pkg = string(n.Name.AsIdentifier())
		case *ast.ImportNode:
			if n.Public != nil {
				f.publics = append(f.publics, n.Name.AsString())
			} else {
				f.imports = append(f.imports, n.Name.AsString())
			}
		case *ast.OptionNode:
			f.options = append(f.options, s.option(n))
		case *ast.MessageNode:
			f.messages = append(f.messages, s.message(n.Name.Val, n.Decls))
		case *ast.EnumNode:
			f.enums = append(f.enums, s.enum(n))
		case *ast.ExtendNode:
			f.extends = append(f.extends, s.extend(n))
		case *ast.ServiceNode:
			f.services = append(f.services, s.service(n))
		}
	}
	return f
}

func (s source) message(name string, decls []ast.MessageElement) *message {
	m := &message{name: name}
	for _, d := range decls {
		switch n := d.(type) {
		case *ast.OptionNode:
			m.options = append(m.options, s.option(n))
		case *ast.FieldNode:
			m.fields = append(m.fields, s.field(n))
		case *ast.MapFieldNode:
			m.fields = append(m.fields, field{
				key: n.MapType.KeyType.Val, typ: string(n.MapType.ValueType.AsIdentifier()),
				name: n.Name.Val, number: int64(n.Tag.Val), options: s.fieldOptions(n.Options),
			})
		case *ast.GroupNode:
			m.groups = append(m.groups, s.group(n))
		case *ast.OneofNode:
			m.oneofs = append(m.oneofs, s.oneof(n))
		case *ast.ExtensionRangeNode:
			m.extensions = append(m.extensions, ranges{spans: s.spans(n.Ranges), options: s.options(n.Options)})
		case *ast.ReservedNode:
			m.reserved = append(m.reserved, s.reserved(n))
		case *ast.ExtendNode:
			m.extends = append(m.extends, s.extend(n))
		case *ast.MessageNode:
			m.messages = append(m.messages, s.message(n.Name.Val, n.Decls))
		case *ast.EnumNode:
			m.enums = append(m.enums, s.enum(n))
		}
	}
	return m
}

func (s source) field(n *ast.FieldNode) field {
	return field{
		label: labelOf(n.Label), typ: string(n.FldType.AsIdentifier()), name: n.Name.Val,
		number: int64(n.Tag.Val), options: s.fieldOptions(n.Options),
	}
}

func labelOf(l ast.FieldLabel) string {
	if !l.IsPresent() {
		return ""
	}
	return l.Val
}

func (s source) group(n *ast.GroupNode) group {
	return group{
		label: labelOf(n.Label), number: int64(n.Tag.Val), options: s.fieldOptions(n.Options),
		body: s.message(n.Name.Val, n.Decls),
	}
}

func (s source) oneof(n *ast.OneofNode) oneof {
	o := oneof{name: n.Name.Val}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.OptionNode:
			o.options = append(o.options, s.option(d))
		case *ast.FieldNode:
			o.fields = append(o.fields, s.field(d))
		case *ast.GroupNode:
			o.groups = append(o.groups, s.group(d))
		}
	}
	return o
}

func (s source) extend(n *ast.ExtendNode) extend {
	e := extend{name: string(n.Extendee.AsIdentifier())}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.FieldNode:
			e.fields = append(e.fields, s.field(d))
		case *ast.GroupNode:
			e.groups = append(e.groups, s.group(d))
		}
	}
	return e
}

func (s source) enum(n *ast.EnumNode) *enum {
	e := &enum{name: n.Name.Val}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.OptionNode:
			e.options = append(e.options, s.option(d))
		case *ast.EnumValueNode:
			number, _ := d.Number.AsInt64()
			e.values = append(e.values, enumValue{d.Name.Val, number, s.options(d.Options)})
		case *ast.ReservedNode:
			e.reserved = append(e.reserved, s.reserved(d))
		}
	}
	return e
}

func (s source) service(n *ast.ServiceNode) service {
	sv := service{name: n.Name.Val}
	for _, d := range n.Decls {
		switch d := d.(type) {
		case *ast.OptionNode:
			sv.options = append(sv.options, s.option(d))
		case *ast.RPCNode:
			m := method{
				name: d.Name.Val, in: string(d.Input.MessageType.AsIdentifier()), inStr: d.Input.Stream != nil,
				out: string(d.Output.MessageType.AsIdentifier()), outSt: d.Output.Stream != nil,
			}
			for _, e := range d.Decls {
				if o, is := e.(*ast.OptionNode); is {
					m.options = append(m.options, s.option(o))
				}
			}
			sv.methods = append(sv.methods, m)
		}
	}
	return sv
}

func (s source) reserved(n *ast.ReservedNode) ranges {
	r := ranges{spans: s.spans(n.Ranges)}
	for _, name := range n.Names {
		r.spans = append(r.spans, span{name: name.AsString()})
	}
	for _, name := range n.Identifiers {
		r.spans = append(r.spans, span{name: name.Val})
	}
	return r
}

func (s source) spans(nodes []*ast.RangeNode) []span {
	var spans []span
	for _, n := range nodes {
		first, _ := n.StartVal.AsInt64()
		sp := span{first: first, last: first, single: n.To == nil}
		switch {
		case n.Max != nil:
			sp.last = 1<<31 - 1
		case n.EndVal != nil:
			sp.last, _ = n.EndVal.AsInt64()
		}
		spans = append(spans, sp)
	}
	return spans
}

func (s source) options(n *ast.CompactOptionsNode) []option {
	if n == nil {
		return nil
	}
	var options []option
	for _, o := range n.Options {
		options = append(options, s.option(o))
	}
	return options
}

// fieldOptions are a field's options; those that are none in a descriptor come last.
func (s source) fieldOptions(n *ast.CompactOptionsNode) []option {
	options := s.options(n)
	slices.SortStableFunc(options, func(a, b option) int { return cmp.Compare(a.special(), b.special()) })
	return options
}

func (s source) option(n *ast.OptionNode) option {
	first := n.Name.Parts[0]
	o := option{name: string(first.Name.AsIdentifier()), paren: first.IsExtension(), value: s.value(n.Val)}
	for _, part := range n.Name.Parts[1:] {
		o.path += "." + part.Value()
	}
	return o
}

func (s source) value(n ast.ValueNode) value {
	switch n := n.(type) {
	case ast.StringValueNode:
		return value{text: n.AsString()}
	case ast.IdentValueNode:
		return value{kind: valueWord, text: string(n.AsIdentifier())}
	case *ast.ArrayLiteralNode:
		v := value{kind: valueList}
		for _, e := range n.Elements {
			v.list = append(v.list, s.value(e))
		}
		return v
	case *ast.MessageLiteralNode:
		v, seen := value{kind: valueMap}, map[string]int{}
		for _, e := range n.Elements {
			key, val := e.Name.Value(), s.value(e.Val)
			if at, is := seen[key]; is {
				put(v.entries[at:at+1], key, val)
				continue
			}
			seen[key] = len(v.entries)
			v.entries = append(v.entries, entry{key, val})
		}
		return v
	}
	// Numbers stay as they are written: 0x10 is not 16 to a registry.
	return value{kind: valueNumber, text: strings.Join(strings.Fields(s.tree.NodeInfo(n).RawText()), "")}
}
