package avro

import (
	"github.com/leatdev/leat/schema"
)

// kind is what a node is.
type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindRecord
	kindEnum
	kindFixed
	kindArray
	kindMap
	kindUnion
	kindUnresolved // a name that is defined further on; none is left after Parse
)

var kindNames = [...]string{
	"null", "boolean", "int", "long", "float", "double", "bytes", "string",
	"record", "enum", "fixed", "array", "map", "union", "unresolved",
}

func (k kind) String() string  { return kindNames[k] }
func (k kind) primitive() bool { return k <= kindString }
func (k kind) named() bool     { return k == kindRecord || k == kindEnum || k == kindFixed }

// kindOf finds a kind by its name in a text; "error" is another word for record there.
func kindOf(name string) (kind, bool) {
	for k, s := range kindNames[:kindUnresolved] {
		if s == name {
			return kind(k), true
		}
	}
	return 0, false
}

// node is one type in a schema. A named type is one node however often it is named, every other
// occurrence of a type is a node of its own. Nodes are not changed once Parse has returned.
type node struct {
	kind    kind
	name    name
	aliases []name
	doc     *string
	props   []member // what the language does not define, in the order of the text

	isError    bool     // a record that is called an error
	fields     []*field // of a record
	byName     map[string]*field
	symbols    []string  // of an enum
	symbol     string    // an enum's default, "" without one
	size       int       // of a fixed
	elem       *node     // of an array's items and a map's values
	branches   []*node   // of a union
	unresolved *schemaAt // of a name that is defined further on
}

// schemaAt is a name as it stands in a text, and where.
type schemaAt struct{ text, path string }

// field is a record's field.
type field struct {
	name     string
	typ      *node
	doc      *string
	fallback *value // its default, nil without one
	order    string // "ascending" unless the text says otherwise
	aliases  []string
	props    []member
}

// name is a type's name. space is empty where there is none.
type name struct{ space, base string }

func (n name) full() string {
	if n.space == "" {
		return n.base
	}
	return n.space + "." + n.base
}

// within is the name as it is written inside of a namespace. A name that is also the word for a
// kind is written in full, or it would be read as that.
func (n name) within(space string) string {
	if _, word := kindOf(n.base); n.space == "" || n.space != space || word {
		return n.full()
	}
	return n.base
}

// fullName tells types apart inside of a union.
func (n *node) fullName() string {
	if n.kind.named() {
		return n.name.full()
	}
	return n.kind.String()
}

// aliasNames are the aliases as readers of the schema look for them: a name outside of any
// namespace, given to a type inside of one, has a dot in front.
func (n *node) aliasNames() []string {
	var all []string
	for _, a := range n.aliases {
		if a.space == "" && n.name.space != "" {
			all = append(all, "."+a.base)
		} else {
			all = append(all, a.full())
		}
	}
	return all
}

func propOf(props []member, name string) *value {
	for _, m := range props {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// Schema is an Avro schema that was read. It is safe for concurrent use and never changes.
type Schema struct {
	root       *node
	known      map[string]bool // full names that other texts define: written as names
	canonical  string
	normalized func() string
}

var _ schema.Schema = (*Schema)(nil)

// Type is schema.Avro.
func (s *Schema) Type() schema.Type { return schema.Avro }

// Name is the full name of a record, "" of anything else.
func (s *Schema) Name() string {
	if s.root.kind != kindRecord {
		return ""
	}
	return s.root.name.full()
}

// Canonical is the text as Java's Schema.toString writes it. Types that are the root of an import
// are written as names.
func (s *Schema) Canonical() string { return s.canonical }

// Normalized is the text that Confluent's registry keeps under normalize=true: properties and aliases
// sorted, defaults as their types have them. It loses what Confluent's loses: that a record is an
// error, and a default that is not one of a union's first branch.
func (s *Schema) Normalized() string { return s.normalized() }

// As is the canonical text with every import inside of it for the form "resolved", and without for
// every other.
func (s *Schema) As(form string) (string, error) {
	if form == "resolved" {
		return javaText(s.root, nil), nil
	}
	return s.canonical, nil
}
