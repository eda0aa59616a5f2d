package protobuf

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// printer writes a file as Confluent's registry keeps it: the text under which clients find a schema
// again, so every blank counts. Within a message come reserved, options, fields, oneofs, groups,
// extensions, extends, messages, enums, each set off by an empty line; an empty line inside a nested
// message carries its indentation.
type printer struct {
	plain   bool // without custom options and extensions
	edition bool // reserved names are words
}

func (f *file) text() string { return printer{edition: f.edition != ""}.file(f) }

func (p printer) file(f *file) string {
	var b strings.Builder
	switch {
	case f.edition != "":
		b.WriteString("edition = " + quote(f.edition) + ";\n")
	case f.syntax != "":
		b.WriteString("syntax = " + quote(f.syntax) + ";\n")
	}
	if f.pkg != "" {
		b.WriteString("package " + f.pkg + ";\n")
	}
	section := func(n int) {
		if n > 0 {
			b.WriteByte('\n')
		}
	}
	section(len(f.imports) + len(f.publics))
	for _, path := range f.imports {
		b.WriteString("import " + quote(path) + ";\n")
	}
	for _, path := range f.publics {
		b.WriteString("import public " + quote(path) + ";\n")
	}
	options := p.keep(f.options)
	section(len(options))
	for _, o := range options {
		b.WriteString("option " + o.print() + ";\n")
	}
	section(len(f.messages) + len(f.enums))
	for _, m := range f.messages {
		b.WriteString("message " + m.name + p.body(m))
	}
	for _, e := range f.enums {
		b.WriteString(p.enum(e))
	}
	if !p.plain {
		section(len(f.extends))
		for _, e := range f.extends {
			b.WriteString(p.extend(e))
		}
	}
	section(len(f.services))
	for _, s := range f.services {
		b.WriteString(p.service(s))
	}
	return b.String()
}

// body is what follows a message's name.
func (p printer) body(m *message) string {
	var b strings.Builder
	b.WriteString(" {")
	section(&b, m.reserved, func(r ranges) string { return p.ranges("reserved ", r) })
	section(&b, p.keep(m.options), func(o option) string { return "option " + o.print() + ";\n" })
	section(&b, m.fields, p.field)
	section(&b, m.oneofs, p.oneof)
	section(&b, m.groups, p.group)
	if !p.plain {
		section(&b, m.extensions, func(r ranges) string { return p.ranges("extensions ", r) })
		section(&b, m.extends, p.extend)
	}
	if len(m.messages)+len(m.enums) > 0 {
		b.WriteByte('\n')
	}
	for _, n := range m.messages {
		b.WriteString(indent("message " + n.name + p.body(n)))
	}
	for _, e := range m.enums {
		b.WriteString(indent(p.enum(e)))
	}
	b.WriteString("}\n")
	return b.String()
}

func section[T any](b *strings.Builder, list []T, print func(T) string) {
	if len(list) == 0 {
		return
	}
	b.WriteByte('\n')
	for _, e := range list {
		b.WriteString(indent(print(e)))
	}
}

func (p printer) field(f field) string {
	typ := f.typ
	if f.key != "" {
		typ = "map<" + f.key + ", " + f.typ + ">"
	}
	return label(f.label) + typ + " " + f.name + " = " + strconv.FormatInt(f.number, 10) + p.compact(f.options) + ";\n"
}

func label(l string) string {
	if l == "" {
		return ""
	}
	return l + " "
}

func (p printer) oneof(o oneof) string {
	var b strings.Builder
	b.WriteString("oneof " + o.name + " {")
	section(&b, p.keep(o.options), func(o option) string { return "option " + o.print() + ";\n" })
	section(&b, o.fields, p.field)
	section(&b, o.groups, p.group)
	b.WriteString("}\n")
	return b.String()
}

func (p printer) group(g group) string {
	return label(g.label) + "group " + g.body.name + " = " + strconv.FormatInt(g.number, 10) + p.compact(g.options) + p.body(g.body)
}

func (p printer) extend(e extend) string {
	var b strings.Builder
	b.WriteString("extend " + e.name + " {")
	section(&b, e.fields, p.field)
	section(&b, e.groups, p.group)
	b.WriteString("}\n")
	return b.String()
}

func (p printer) enum(e *enum) string {
	var b strings.Builder
	b.WriteString("enum " + e.name + " {")
	section(&b, e.reserved, func(r ranges) string { return p.ranges("reserved ", r) })
	if len(e.reserved) == 0 && len(e.options)+len(e.values) > 0 {
		b.WriteByte('\n')
	}
	for _, o := range p.keep(e.options) {
		b.WriteString(indent("option " + o.print() + ";\n"))
	}
	for _, v := range e.values {
		b.WriteString(indent(v.name + " = " + strconv.FormatInt(v.number, 10) + p.compact(v.options) + ";\n"))
	}
	b.WriteString("}\n")
	return b.String()
}

func (p printer) service(s service) string {
	var b strings.Builder
	b.WriteString("service " + s.name + " {")
	section(&b, p.keep(s.options), func(o option) string { return "option " + o.print() + ";\n" })
	section(&b, s.methods, p.method)
	b.WriteString("}\n")
	return b.String()
}

func (p printer) method(m method) string {
	stream := func(yes bool) string {
		if yes {
			return "stream "
		}
		return ""
	}
	text := "rpc " + m.name + " (" + stream(m.inStr) + m.in + ") returns (" + stream(m.outSt) + m.out + ")"
	if options := p.keep(m.options); len(options) > 0 {
		text += " {\n"
		for _, o := range options {
			text += indent("option " + o.print() + ";\n")
		}
		text += "}"
	}
	return text + ";\n"
}

func (p printer) ranges(keyword string, r ranges) string {
	parts := make([]string, len(r.spans))
	for i, s := range r.spans {
		first, last := strconv.FormatInt(s.first, 10), strconv.FormatInt(s.last, 10)
		switch {
		case s.name != "" && p.edition:
			parts[i] = s.name
		case s.name != "":
			parts[i] = `"` + s.name + `"`
		case s.single:
			parts[i] = first
		case s.last >= maxNumber:
			parts[i] = first + " to max"
		default:
			parts[i] = first + " to " + last
		}
	}
	return keyword + strings.Join(parts, ", ") + p.compact(r.options) + ";\n"
}

// keep leaves custom options out of a plain text, but for those that a registry reads.
func (p printer) keep(options []option) []option {
	if !p.plain {
		return options
	}
	var kept []option
	for _, o := range options {
		if !o.paren || strings.HasPrefix(strings.TrimPrefix(o.name, "."), "confluent.") {
			kept = append(kept, o)
		}
	}
	return kept
}

// compact is the list of options behind a field.
func (p printer) compact(options []option) string {
	options = p.keep(options)
	if len(options) == 0 {
		return ""
	}
	parts := make([]string, len(options))
	for i, o := range options {
		parts[i] = o.print()
	}
	return " " + list(parts, len(parts) == 1)
}

func (o option) print() string {
	name := o.name
	if o.paren {
		name = "(" + name + ")"
	}
	if o.value.kind == valueList {
		parts := make([]string, len(o.value.list))
		for i, v := range o.value.list {
			parts[i] = v.print()
		}
		return name + o.path + " = " + list(parts, len(parts) == 1)
	}
	return name + o.path + " = " + o.value.print()
}

func (v value) print() string {
	switch v.kind {
	case valueString:
		return quote(v.text)
	case valueMap:
		var b strings.Builder
		b.WriteString("{\n")
		for i, e := range v.entries {
			b.WriteString(indent(e.key + ": " + e.value.print() + comma(i, len(v.entries))))
		}
		b.WriteByte('}')
		return b.String()
	case valueList:
		parts := make([]string, len(v.list))
		for i, e := range v.list {
			parts[i] = e.print()
		}
		return list(parts, false)
	}
	return v.text
}

func list(parts []string, inline bool) string {
	if inline {
		return "[" + parts[0] + "]"
	}
	var b strings.Builder
	b.WriteString("[\n")
	for i, part := range parts {
		b.WriteString(indent(part + comma(i, len(parts))))
	}
	b.WriteByte(']')
	return b.String()
}

func comma(i, n int) string {
	if i < n-1 {
		return ","
	}
	return ""
}

// indent sets every line two blanks in, empty ones too.
func indent(text string) string {
	text = strings.TrimRight(text, "\n")
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

// quote writes a string of any bytes so that it reads back as the same: text stays as it is, what is
// not UTF-8 becomes octal.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		c := s[i]
		switch at := strings.IndexByte("\a\b\f\n\r\t\v\\'\"", c); {
		case at >= 0:
			b.WriteByte('\\')
			b.WriteByte(`abfnrtv\'"`[at])
		case r == utf8.RuneError && n == 1, c < 0x20, c == 0x7f:
			b.WriteByte('\\')
			b.WriteByte('0' + c>>6)
			b.WriteByte('0' + c>>3&7)
			b.WriteByte('0' + c&7)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}
