package protobuf

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// normalize is the file in one of the many ways to write it: names in full, maps in their own
// notation, what has no order sorted by number or name. Messages keep their order, which messages on
// the wire refer to.
func normalize(s *parsed) *file {
	n := normalizer{types: s.types()}
	f := *s.file.folded()
	if f.syntax == "proto2" {
		f.syntax = ""
	}
	f.imports, f.publics = sorted(f.imports), sorted(f.publics)
	f.options = n.options(f.pkg, f.options)
	messages, enums := f.messages, f.enums
	f.messages, f.enums, f.services = nil, nil, slices.Clone(f.services)
	for _, m := range messages {
		f.messages = append(f.messages, n.message(m, s.desc.Messages().ByName(protoreflect.Name(m.name))))
	}
	for _, e := range enums {
		f.enums = append(f.enums, n.enum(f.pkg, e))
	}
	f.extends = n.extends(f.pkg, f.extends, s.desc.Extensions())
	for i, sv := range f.services {
		sv.options = n.options(f.pkg, sv.options)
		sv.methods = slices.Clone(sv.methods)
		for j, m := range sv.methods {
			d := s.desc.Services().ByName(protoreflect.Name(sv.name)).Methods().ByName(protoreflect.Name(m.name))
			m.in, m.out = "."+string(d.Input().FullName()), "."+string(d.Output().FullName())
			m.options = n.options(f.pkg, m.options)
			sv.methods[j] = m
		}
		f.services[i] = sv
	}
	return &f
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

type normalizer struct{ types *dynamicpb.Types }

func (n normalizer) message(m *message, d protoreflect.MessageDescriptor) *message {
	scope := string(d.FullName())
	c := &message{name: m.name, reserved: apart(m.reserved), options: n.options(scope, m.options), extensions: apart(m.extensions)}
	for i := range c.extensions {
		c.extensions[i].options = n.options(scope, c.extensions[i].options)
	}
	c.fields = n.fields(scope, m.fields, d.Fields().ByNumber)
	for _, o := range m.oneofs {
		o.options = n.options(scope, o.options)
		o.fields = n.fields(scope, o.fields, d.Fields().ByNumber)
		o.groups = n.groups(scope, o.groups, d.Fields().ByNumber)
		c.oneofs = append(c.oneofs, o)
	}
	slices.SortStableFunc(c.oneofs, func(a, b oneof) int { return cmp.Compare(a.first(), b.first()) })
	c.groups = n.groups(scope, m.groups, d.Fields().ByNumber)
	c.extends = n.extends(scope, m.extends, d.Extensions())
	for _, nested := range m.messages {
		c.messages = append(c.messages, n.message(nested, d.Messages().ByName(protoreflect.Name(nested.name))))
	}
	for _, e := range m.enums {
		c.enums = append(c.enums, n.enum(scope, e))
	}
	return c
}

func (o oneof) first() int64 {
	if len(o.fields) > 0 {
		return o.fields[0].number
	}
	return math.MaxInt64
}

type byNumber func(protoreflect.FieldNumber) protoreflect.FieldDescriptor

func (n normalizer) fields(scope string, fields []field, find byNumber) []field {
	fields = slices.Clone(fields)
	for i, f := range fields {
		d := find(protoreflect.FieldNumber(f.number))
		if d.IsMap() {
			d = d.MapValue()
		}
		if name := namedType(d); name != "" {
			fields[i].typ = "." + name
		}
		fields[i].options = n.options(scope, f.options)
	}
	slices.SortStableFunc(fields, func(a, b field) int { return cmp.Compare(a.number, b.number) })
	return fields
}

func namedType(d protoreflect.FieldDescriptor) string {
	switch {
	case d.Message() != nil:
		return string(d.Message().FullName())
	case d.Enum() != nil:
		return string(d.Enum().FullName())
	}
	return ""
}

func (n normalizer) groups(scope string, groups []group, find byNumber) []group {
	groups = slices.Clone(groups)
	for i, g := range groups {
		groups[i].body = n.message(g.body, find(protoreflect.FieldNumber(g.number)).Message())
		groups[i].options = n.options(scope, g.options)
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(a.number, b.number) })
	return groups
}

func (n normalizer) extends(scope string, extends []extend, declared protoreflect.ExtensionDescriptors) []extend {
	var all []extend
	for _, e := range extends {
		names := map[int64]protoreflect.FieldDescriptor{}
		for i := range declared.Len() {
			d := declared.Get(i)
			for _, f := range e.fields {
				if string(d.Name()) == f.name {
					names[f.number], e.name = d, "."+string(d.ContainingMessage().FullName())
				}
			}
			for _, g := range e.groups {
				if strings.EqualFold(string(d.Name()), g.body.name) {
					names[g.number], e.name = d, "."+string(d.ContainingMessage().FullName())
				}
			}
		}
		find := func(number protoreflect.FieldNumber) protoreflect.FieldDescriptor { return names[int64(number)] }
		e.fields, e.groups = n.fields(scope, e.fields, find), n.groups(scope, e.groups, find)
		at := slices.IndexFunc(all, func(o extend) bool { return o.name == e.name })
		if at < 0 {
			all = append(all, e)
			continue
		}
		all[at].fields, all[at].groups = append(all[at].fields, e.fields...), append(all[at].groups, e.groups...)
		slices.SortStableFunc(all[at].fields, func(a, b field) int { return cmp.Compare(a.number, b.number) })
	}
	return all
}

func (n normalizer) enum(scope string, e *enum) *enum {
	c := &enum{name: e.name, reserved: apart(e.reserved), options: n.options(scope, e.options), values: slices.Clone(e.values)}
	for i, v := range c.values {
		c.values[i].options = n.options(scope, v.options)
	}
	slices.SortStableFunc(c.values, func(a, b enumValue) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name))
	})
	return c
}

// apart writes each range on its own, by number, names last.
func apart(all []ranges) []ranges {
	var each []ranges
	for _, r := range all {
		for _, s := range r.spans {
			s.single = s.single || s.name == "" && s.first == s.last
			each = append(each, ranges{[]span{s}, r.options})
		}
	}
	slices.SortStableFunc(each, func(a, b ranges) int {
		x, y := a.spans[0], b.spans[0]
		return cmp.Or(compareBool(x.name != "", y.name != ""), cmp.Compare(x.first, y.first), cmp.Compare(x.last, y.last), cmp.Compare(x.name, y.name))
	})
	return each
}

// options are sorted by name; a custom one gets its full name, and an option whose parts are set one
// by one becomes one.
func (n normalizer) options(scope string, options []option) []option {
	var all []option
	for _, o := range options {
		o.value = n.value(scope, o.value)
		list := false
		if o.paren {
			ext := n.extension(scope, o.name)
			if ext == nil {
				all = append(all, o)
				continue
			}
			o.name, list = string(ext.FullName()), ext.IsList()
		}
		o.value, o.path = n.nest(scope, o.path, o.value), ""
		at := slices.IndexFunc(all, func(p option) bool { return p.paren == o.paren && p.name == o.name })
		if at >= 0 && !list && o.value.kind == valueMap {
			all[at].value = n.value(scope, merge(all[at].value, o.value))
			continue
		}
		all = append(all, o)
	}
	slices.SortStableFunc(all, func(a, b option) int {
		return cmp.Or(cmp.Compare(a.special(), b.special()), cmp.Compare(a.name+a.path, b.name+b.path))
	})
	return all
}

func (n normalizer) extension(scope, name string) protoreflect.ExtensionTypeDescriptor {
	for name != "" {
		full := strings.TrimPrefix(name, ".")
		if full == name && scope != "" {
			full = scope + "." + name
		}
		if x, err := n.types.FindExtensionByName(protoreflect.FullName(full)); err == nil {
			return x.TypeDescriptor()
		}
		if full == strings.TrimPrefix(name, ".") {
			break
		}
		scope = scope[:max(0, strings.LastIndexByte(scope, '.'))]
	}
	return nil
}

// nest makes ".a.(b.c)" = v into {a: {[b.c]: v}}.
func (n normalizer) nest(scope, path string, v value) value {
	if path == "" {
		return v
	}
	rest := path[1:]
	end := strings.IndexByte(rest, '.')
	key := rest
	if strings.HasPrefix(rest, "(") {
		end = strings.IndexByte(rest, ')') + 1
		name := rest[1 : end-1]
		if x := n.extension(scope, name); x != nil {
			name = string(x.FullName())
		}
		key = "[" + name + "]"
		if end == len(rest) {
			end = -1
		}
	} else if end >= 0 {
		key = rest[:end]
	}
	if end >= 0 {
		v = n.nest(scope, rest[end:], v)
	}
	return value{kind: valueMap, entries: []entry{{key, v}}}
}

func merge(a, b value) value {
	for _, e := range b.entries {
		at := slices.IndexFunc(a.entries, func(o entry) bool { return o.key == e.key })
		if at >= 0 && a.entries[at].value.kind == valueMap && e.value.kind == valueMap {
			a.entries[at].value = merge(a.entries[at].value, e.value)
			continue
		}
		a.entries = put(a.entries, e.key, e.value)
	}
	return a
}

func (n normalizer) value(scope string, v value) value {
	switch v.kind {
	case valueNumber:
		v.text = number(v.text)
	case valueList:
		c := make([]value, len(v.list))
		for i, e := range v.list {
			c[i] = n.value(scope, e)
		}
		v.list = c
	case valueMap:
		entries := v.entries
		v.entries = nil
		for _, e := range entries {
			e.value = n.value(scope, e.value)
			if e.value.kind == valueList && len(e.value.list) == 0 {
				continue
			}
			if e.value.kind == valueList && len(e.value.list) == 1 {
				e.value = e.value.list[0]
			}
			if x := n.extension(scope, strings.Trim(e.key, "[]")); x != nil && e.key[0] == '[' {
				e.key = "[" + string(x.FullName()) + "]"
			}
			v.entries = append(v.entries, e)
		}
		slices.SortStableFunc(v.entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	}
	return v
}

// number writes the number in the shortest decimal way.
func number(text string) string {
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return strconv.FormatInt(i, 10)
	}
	if u, err := strconv.ParseUint(text, 0, 64); err == nil {
		return strconv.FormatUint(u, 10)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) {
		if f == math.Trunc(f) && math.Abs(f) < 1e15 {
			return strconv.FormatInt(int64(f), 10)
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return text
}
