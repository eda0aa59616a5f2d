package avro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat/schema"
)

// The kinds of Lint.
const (
	LintDecimalChanged    = "AVRO_DECIMAL_CHANGED"      // precision or scale: old amounts are read as other ones
	LintLogicalChanged    = "AVRO_LOGICAL_TYPE_CHANGED" // the same bytes mean something else
	LintEnumNoDefault     = "AVRO_ENUM_WITHOUT_DEFAULT" // the next symbol breaks those who read with this schema
	LintFieldRenamed      = "AVRO_FIELD_RENAMED"        // without an alias: old values are read as the default
	LintDefaultChanged    = "AVRO_DEFAULT_CHANGED"      // records without the field read differently from now on
	LintAliasRemoved      = "AVRO_ALIAS_REMOVED"        // records of the old name are no longer read
	LintUnionOrderChanged = "AVRO_UNION_ORDER_CHANGED"  // the first branch is what a default means, and a reader tries them in order
)

// Lint tells what the rules of compatibility let through from the schema old to the schema next and
// hurts all the same. old is nil for a subject's first schema. Paths are JSON pointers into next.
func Lint(old, next schema.Schema) []schema.Difference {
	l := &linter{seen: map[[2]*node]bool{}, enums: map[*node]bool{}}
	n, ok := next.(*Schema)
	if !ok {
		return nil
	}
	var before *node
	if o, ok := old.(*Schema); ok && o != nil {
		before = o.root
	}
	l.pair(before, n.root)
	return l.all
}

type linter struct {
	all   []schema.Difference
	path  []string
	seen  map[[2]*node]bool
	enums map[*node]bool
}

func (l *linter) tell(kind, message, breaks, mend string) {
	l.all = append(l.all, schema.Difference{Kind: kind, Path: pointer(l.path), Message: message, Breaks: breaks, Mend: mend})
}

func (l *linter) in(o, n *node, steps ...string) {
	l.path = append(l.path, steps...)
	l.pair(o, n)
	l.path = l.path[:len(l.path)-len(steps)]
}

// pair looks at a type and what it was before, nil if it was not there.
func (l *linter) pair(o, n *node) {
	if l.seen[[2]*node{o, n}] {
		return
	}
	l.seen[[2]*node{o, n}] = true
	if o != nil && o.kind != n.kind {
		o = l.branch(o, n)
	}
	if o != nil {
		l.logical(o, n)
		l.aliases(o.aliasNames(), n.aliasNames(), n.name.full())
	}
	switch n.kind {
	case kindArray:
		l.in(elemOf(o), n.elem, "items")
	case kindMap:
		l.in(elemOf(o), n.elem, "values")
	case kindUnion:
		l.union(o, n)
	case kindEnum:
		l.enum(o, n)
	case kindRecord:
		l.record(o, n)
	}
}

// aliases tells of those that are gone, but for one that is the name itself now.
func (l *linter) aliases(was, is []string, name string) {
	for _, alias := range was {
		if alias != name && !slices.Contains(is, alias) {
			l.tell(LintAliasRemoved,
				fmt.Sprintf("%s is no longer called %s too", name, alias),
				"records that were written under that name are read as if they lacked it, or not at all; verdicts compare with the latest version, which has the new name",
				fmt.Sprintf("keep %q among the aliases as long as such records exist", alias))
		}
	}
}

// branch is what a type was where it stands in a union now, or stood in one before.
func (l *linter) branch(o, n *node) *node {
	switch {
	case n.kind == kindUnion:
		return &node{kind: kindUnion, branches: []*node{o}}
	case o.kind == kindUnion:
		return branchLike(o, n)
	}
	return nil
}

func branchLike(union, n *node) *node {
	for _, b := range union.branches {
		if b.fullName() == n.fullName() || n.kind.named() && b.kind == n.kind && slices.Contains(n.aliasNames(), b.name.full()) {
			return b
		}
	}
	return nil
}

func elemOf(n *node) *node {
	if n == nil {
		return nil
	}
	return n.elem
}

func (l *linter) logical(o, n *node) {
	was, _ := logicalOf(o)
	is, _ := logicalOf(n)
	switch {
	case was == is:
	case was.name == "decimal" && is.name == "decimal":
		l.tell(LintDecimalChanged,
			fmt.Sprintf("decimal(%d, %d) became decimal(%d, %d)", was.precision, was.scale, is.precision, is.scale),
			"readers take the digits for those of their own scale: 1.50 at scale 2 is 0.150 at scale 3; or they refuse them",
			"keep precision and scale, or add a field with the new ones")
	default:
		l.tell(LintLogicalChanged,
			fmt.Sprintf("%s became %s", logicalName(was, o), logicalName(is, n)),
			"readers take the same bytes for something else, or refuse them",
			"keep the logical type, or add a field with the new one")
	}
}

func logicalName(l logical, n *node) string {
	if l.name == "" {
		return "plain " + n.kind.String()
	}
	return l.name
}

func (l *linter) union(o, n *node) {
	var was, is []string
	for i, b := range n.branches {
		var before *node
		if o != nil {
			before = branchLike(o, b)
		}
		if before != nil {
			is = append(is, b.fullName())
		}
		l.in(before, b, strconv.Itoa(i))
	}
	if o == nil {
		return
	}
	for _, b := range o.branches {
		if slices.Contains(is, b.fullName()) {
			was = append(was, b.fullName())
		}
	}
	if len(was) == len(is) && !slices.Equal(was, is) {
		l.tell(LintUnionOrderChanged,
			fmt.Sprintf("the order of the union changed from %s to %s", strings.Join(was, ", "), strings.Join(is, ", ")),
			"a default is one of the first branch, and readers of other types take the first branch that fits",
			"keep the order and add new branches at the end")
	}
}

func (l *linter) enum(o, n *node) {
	if n.symbol != "" || l.enums[n] || o != nil && slices.Equal(o.symbols, n.symbols) {
		return
	}
	l.enums[n] = true
	l.tell(LintEnumNoDefault,
		fmt.Sprintf("enum %s has no default", n.name.full()),
		"the next symbol that is added breaks everyone who still reads with this schema",
		fmt.Sprintf(`add a symbol such as UNKNOWN and name it as the enum's "default" (symbols now: %s)`, strings.Join(n.symbols, ", ")))
}

func (l *linter) record(o, n *node) {
	var gone []*field
	if o != nil {
		for _, f := range o.fields {
			if !slices.ContainsFunc(n.fields, func(g *field) bool { return g.name == f.name || slices.Contains(g.aliases, f.name) }) {
				gone = append(gone, f)
			}
		}
	}
	for i, f := range n.fields {
		l.path = append(l.path, "fields", strconv.Itoa(i))
		l.field(o, f, &gone)
		l.path = l.path[:len(l.path)-2]
	}
}

func (l *linter) field(o *node, f *field, gone *[]*field) {
	var before *field
	if o != nil {
		before, _ = writerField(f, o)
	}
	switch {
	case before == nil && o != nil && f.fallback != nil:
		// Of the fields that went, the first of this type is what it was called before.
		i := slices.IndexFunc(*gone, func(g *field) bool { return (&equality{}).same(g.typ, f.typ) })
		if i < 0 {
			break
		}
		was := (*gone)[i].name
		*gone = slices.Delete(*gone, i, i+1)
		l.tell(LintFieldRenamed,
			fmt.Sprintf("field %q is gone and %q, of the same type, is new: if that is a new name, it lacks an alias", was, f.name),
			fmt.Sprintf("readers see the default of %q instead of what was written as %q", f.name, was),
			fmt.Sprintf(`add "aliases": [%q] to the field`, was))
	case before != nil && before.fallback != nil && f.fallback != nil && !before.fallback.equal(f.fallback):
		l.tell(LintDefaultChanged,
			fmt.Sprintf("the default of %q changed from %s to %s", f.name, before.fallback.append(nil), f.fallback.append(nil)),
			"records that were written without the field read differently from now on, and differently by old and new readers",
			"keep the default, and let the code tell what it means")
	}
	var was *node
	if before != nil {
		was = before.typ
		l.aliases(before.aliases, f.aliases, f.name)
	}
	l.in(was, f.typ, "type")
}
