package avro

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/leatdev/leat/schema"
)

// Language is Avro, as Java's implementation reads and compares it.
var Language schema.Language = language{}

type language struct{}

// Type is schema.Avro.
func (language) Type() schema.Type { return schema.Avro }

// maxText is how many bytes a text may have together with all that it refers to. A record of Kafka,
// which is where a registry keeps it, holds 1 MiB unless told otherwise.
const maxText = 16 << 20

// Parse reads a text as Java reads one that is stored already: defaults are not held against the
// types of their fields (Validate does), names may hold letters and digits of any script, types may
// be used before the text defines them, comments are passed over.
func (language) Parse(text string, imports []schema.Import) (schema.Schema, error) {
	size := len(text)
	for _, i := range imports {
		size += len(i.Text)
	}
	if size > maxText {
		return nil, &Error{Err: fmt.Errorf("%d bytes with all references: at most %d are read", size, maxText)}
	}
	types := map[string]*node{}
	s := &Schema{known: map[string]bool{}}
	for _, i := range imports {
		root, err := parseText(i.Text, types)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				e.Import = i.Name
			}
			return nil, err
		}
		s.known[root.fullName()] = true
	}
	root, err := parseText(text, types)
	if err != nil {
		return nil, err
	}
	s.root = root
	s.canonical = javaText(root, s.known)
	if deep := nesting(s.canonical); deep > maxDepth {
		return nil, &Error{Err: fmt.Errorf("types that hold each other nest %d deep: at most %d", deep, maxDepth)}
	}
	s.normalized = sync.OnceValue(func() string { return normalText(root, s.known, imports) })
	return s, nil
}

// parser reads one text.
type parser struct {
	types   map[string]*node // by full name; of the texts before too
	path    []string
	pending bool        // a name was met that is not defined yet
	foreign [][2]string // such names: in full, and as they stand
}

func parseText(text string, types map[string]*node) (*node, error) {
	v, err := readValue(strings.TrimPrefix(text, "\ufeff"))
	if err != nil {
		return nil, err
	}
	p := &parser{types: types}
	root, err := p.parse(v, "")
	if err == nil && p.pending {
		err = (&resolver{types: types, seen: map[*node]bool{}}).resolve(&root)
	}
	if err != nil {
		return nil, err
	}
	if root.kind.named() {
		root = types[root.name.full()] // the first of equal definitions, as in Java
	}
	return root, nil
}

// in reads something one step further in.
func (p *parser) in(step string, read func() error) error {
	p.path = append(p.path, step)
	err := read()
	p.path = p.path[:len(p.path)-1]
	return err
}

// child reads the type that a member holds.
func (p *parser) child(v *value, member, space string) (n *node, err error) {
	item := v.get(member)
	if item == nil {
		return nil, p.fault("%q is missing", member)
	}
	err = p.in(member, func() error {
		n, err = p.parse(item, space)
		return err
	})
	return n, err
}

func (p *parser) fault(format string, args ...any) error {
	return &Error{Path: pointer(p.path), Err: fmt.Errorf(format, args...)}
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

func pointer(steps []string) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteByte('/')
		_, _ = pointerEscape.WriteString(&b, s)
	}
	return b.String()
}

// parse reads a type. space is the namespace around it.
func (p *parser) parse(v *value, space string) (*node, error) {
	switch v.kind {
	case '"':
		return p.find(v.text, space), nil
	case '[':
		return p.union(v, space)
	case '{':
	default:
		return nil, p.fault("a type is a name, an object or an array of types")
	}
	word, ok := v.get("type").str()
	if !ok {
		return nil, p.fault(`"type" must be there and be a string`)
	}
	k, known := kindOf(word)
	switch {
	case word == "error" || k == kindRecord && known:
		return p.record(v, space, word == "error")
	case !known || k == kindUnion:
		return p.find(word, space), nil // what stands beside the name says nothing
	case k == kindEnum:
		return p.enum(v, space)
	case k == kindFixed:
		return p.fixed(v, space)
	case k == kindArray:
		return p.container(v, space, k, "items")
	case k == kindMap:
		return p.container(v, space, k, "values")
	}
	return &node{kind: k, props: props(v, typeWords)}, nil
}

// find is the type of a name: of the namespace around it or, failing that, of none.
func (p *parser) find(text, space string) *node {
	if k, ok := kindOf(text); ok && k.primitive() {
		return &node{kind: k}
	}
	full := text
	if space != "" && !strings.Contains(text, ".") {
		full = space + "." + text
	}
	if n := p.types[full]; n != nil {
		return n
	}
	if n := p.types[text]; n != nil {
		return n
	}
	p.pending = true
	p.foreign = append(p.foreign, [2]string{full, text})
	return &node{kind: kindUnresolved, name: name{base: full}, unresolved: &schemaAt{text, pointer(p.path)}}
}

func (p *parser) union(v *value, space string) (*node, error) {
	n := &node{kind: kindUnion, branches: make([]*node, len(v.items))}
	seen := make(map[string]bool, len(v.items))
	for i, item := range v.items {
		err := p.in(strconv.Itoa(i), func() (err error) {
			if n.branches[i], err = p.parse(item, space); err != nil {
				return err
			}
			b := n.branches[i]
			if b.kind == kindUnion {
				return p.fault("a union directly inside of a union")
			}
			if b.kind == kindUnresolved {
				return nil // looked at when it is known
			}
			if seen[b.fullName()] {
				return p.fault("%q twice in one union", b.fullName())
			}
			seen[b.fullName()] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (p *parser) container(v *value, space string, k kind, member string) (*node, error) {
	elem, err := p.child(v, member, space)
	if err != nil {
		return nil, err
	}
	return &node{kind: k, elem: elem, props: props(v, typeWords)}, nil
}

func (p *parser) record(v *value, space string, isError bool) (*node, error) {
	n, err := p.named(kindRecord, v, space)
	if err != nil {
		return nil, err
	}
	n.isError, n.byName = isError, map[string]*field{}
	list := v.get("fields")
	if list == nil || list.kind != '[' {
		return nil, p.fault(`a record's "fields" must be there and be an array`)
	}
	err = p.in("fields", func() error {
		for i, item := range list.items {
			err := p.in(strconv.Itoa(i), func() error {
				f, err := p.field(item, n.name.space)
				if err != nil {
					return err
				}
				if n.byName[f.name] != nil {
					return p.fault("field %q twice in record %s", f.name, n.name.full())
				}
				n.fields = append(n.fields, f)
				n.byName[f.name] = f
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p.define(n, v, typeWords)
}

func (p *parser) field(v *value, space string) (*field, error) {
	f := &field{order: ascending, doc: optional(v.get("doc")), props: props(v, fieldWords)}
	var ok bool
	if f.name, ok = v.get("name").str(); !ok {
		return nil, p.fault(`a field's "name" must be there and be a string`)
	}
	if err := validName(f.name); err != nil {
		return nil, p.fault("field: %w", err)
	}
	var err error
	if f.typ, err = p.child(v, "type", space); err != nil {
		return nil, err
	}
	if order := v.get("order"); order != nil {
		text, _ := order.str()
		f.order = strings.ToLower(text)
		if f.order != ascending && f.order != "descending" && f.order != "ignore" {
			return nil, p.fault(`"order" must be ascending, descending or ignore`)
		}
	}
	if f.fallback, err = p.fallback(f.typ, v.get("default")); err != nil {
		return nil, err
	}
	f.aliases, err = p.aliases(v)
	return f, err
}

const ascending = "ascending"

// fallback is a field's default. A number may be written as a string, which is how NaN and the
// infinities are.
func (p *parser) fallback(typ *node, v *value) (*value, error) {
	text, ok := v.str()
	if !ok || typ.kind != kindFloat && typ.kind != kindDouble {
		return v, nil
	}
	f, ok := javaDouble(text)
	if !ok {
		return nil, p.fault("default %q is no number", text)
	}
	return &value{kind: '0', float: f}, nil
}

// javaDouble reads what Double.parseDouble reads.
func javaDouble(text string) (float64, bool) {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	switch unsigned := strings.TrimLeft(text, "+-"); {
	case unsigned == "NaN":
		text = unsigned
	case unsigned == "Infinity":
	case unsigned == "" || strings.ContainsAny(unsigned, "_iInN"): // Go's own spellings
		return 0, false
	case strings.ContainsAny(unsigned[len(unsigned)-1:], "fFdD"):
		text = text[:len(text)-1]
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

func (p *parser) enum(v *value, space string) (*node, error) {
	n, err := p.named(kindEnum, v, space)
	if err != nil {
		return nil, err
	}
	list := v.get("symbols")
	if list == nil || list.kind != '[' {
		return nil, p.fault(`an enum's "symbols" must be there and be an array`)
	}
	n.symbol, _ = v.get("default").str()
	seen := make(map[string]bool, len(list.items))
	for i, item := range list.items {
		err := p.in("symbols", func() error {
			return p.in(strconv.Itoa(i), func() error {
				symbol, ok := item.str()
				if !ok {
					return p.fault("a symbol is a string")
				}
				if err := validName(symbol); err != nil {
					return p.fault("symbol: %w", err)
				}
				if seen[symbol] {
					return p.fault("symbol %q twice", symbol)
				}
				seen[symbol] = true
				n.symbols = append(n.symbols, symbol)
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	if text, ok := v.get("default").str(); ok && !seen[text] {
		return nil, p.fault("default %q is none of the symbols", text)
	}
	return p.define(n, v, enumWords)
}

func (p *parser) fixed(v *value, space string) (*node, error) {
	n, err := p.named(kindFixed, v, space)
	if err != nil {
		return nil, err
	}
	size, ok := v.get("size").bits(32)
	if !ok || size < 0 || size > 1<<31-9 { // what a Java array holds
		return nil, p.fault(`a fixed's "size" must be there and be a whole number of bytes`)
	}
	n.size = int(size)
	return p.define(n, v, typeWords)
}
