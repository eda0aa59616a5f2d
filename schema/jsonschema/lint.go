package jsonschema

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat/schema"
)

// What Lint finds.
const (
	LintRequiredRemoved     = "JSON_REQUIRED_REMOVED"      // a property need not be there any more
	LintRequiredWithDefault = "JSON_REQUIRED_WITH_DEFAULT" // a property must be there now, and a default is said to mend that
	LintPropertyRemoved     = "JSON_PROPERTY_REMOVED"
	LintPropertyRenamed     = "JSON_PROPERTY_RENAMED"
	LintEnumExtended        = "JSON_ENUM_EXTENDED" // there is no fallback for values that a reader does not know
	LintTypeWidened         = "JSON_TYPE_WIDENED"
	LintFormatChanged       = "JSON_FORMAT_CHANGED" // of text: format or contentEncoding
	LintDefaultChanged      = "JSON_DEFAULT_CHANGED"
	LintModelClosed         = "JSON_MODEL_CLOSED"
	LintModelOpened         = "JSON_MODEL_OPENED"
)

// maxLint is how many pairs of schemas Lint looks at.
const maxLint = 20_000

// Lint tells what Compare lets pass, one way or both, and what hurts all the same. Both schemas are
// this package's own; of anything else, and of a schema without one before it, there is nothing to tell.
func Lint(old, next schema.Schema) []schema.Difference {
	o, ok := old.(*Schema)
	n, alsoOK := next.(*Schema)
	if !ok || !alsoOK {
		return nil
	}
	l := &linter{old: &o.program, next: &n.program, seen: map[[2]string]bool{}}
	l.pair("#", o.program.compiled.Location, n.program.compiled.Location)
	return l.found
}

type linter struct {
	old, next *program
	seen      map[[2]string]bool // pairs of places
	found     []schema.Difference
}

func (l *linter) tell(kind, path, message, breaks, mend string) {
	l.found = append(l.found, schema.Difference{Kind: kind, Path: path, Message: message, Breaks: breaks, Mend: mend})
}

// follow is the place that a place means, with its schema; nil where it is no object.
func follow(p *program, place string) (string, *node) {
	for range maxDepth {
		to := p.target(place)
		if to == "" {
			break
		}
		place = to
	}
	if n := p.text(place); n != nil && n.kind == '{' {
		return place, n
	}
	return place, nil
}

// pair looks at what one place was and is. path is for people, was and is are places in the texts.
func (l *linter) pair(path, was, is string) {
	was, o := follow(l.old, was)
	is, n := follow(l.next, is)
	key := [2]string{was, is}
	if o == nil || n == nil || l.seen[key] || len(l.seen) >= maxLint {
		return
	}
	l.seen[key] = true
	l.value(path, was, is)
	l.text(path, o, n)
	l.object(path, was, is, o, n)
	for _, word := range []string{"items", "additionalProperties", "contains"} {
		l.pair(path+"/"+word, was+"/"+word, is+"/"+word)
	}
	for _, word := range []string{"anyOf", "oneOf", "allOf", "prefixItems", "items"} {
		from, to := o.get(word), n.get(word)
		if from == nil || to == nil || len(from.items) != len(to.items) {
			continue
		}
		for i := range from.items {
			step := "/" + word + "/" + strconv.Itoa(i)
			l.pair(path+step, was+step, is+step)
		}
	}
}

// value looks at what may be there at all.
func (l *linter) value(path, was, is string) {
	before, after := takes(l.old, was, 0), takes(l.next, is, 0)
	if len(before) > 0 && len(after) > 0 {
		var more []string
		for _, word := range after {
			if !slices.Contains(before, word) && (word != "integer" || !slices.Contains(before, "number")) {
				more = append(more, word)
			}
		}
		if len(more) > 0 {
			l.tell(LintTypeWidened, path,
				fmt.Sprintf("%s may be here now, beside %s", strings.Join(more, ", "), strings.Join(before, ", ")),
				"a Go field holds one type: readers that were not built anew refuse the record, take null for zero, or can't hold a fraction in an integer",
				"deploy all readers first, or add a property of another name")
		}
	}
	_, o := follow(l.old, was)
	_, n := follow(l.next, is)
	had, has := valuesOf(o), valuesOf(n)
	var added []string
	for _, v := range has {
		if !slices.Contains(had, v) {
			added = append(added, v)
		}
	}
	if len(had) > 0 && len(added) > 0 {
		l.tell(LintEnumExtended, path,
			"new among the values: "+strings.Join(added, ", "),
			"readers that still have the old schema refuse such records, or come into code that knows nothing of the value; JSON Schema has no fallback for them",
			"deploy all readers first, and let them take an unknown value for one that they know")
	}
}

// takes are the types that a place lets in, sorted; none where nobody says.
func takes(p *program, place string, depth int) (words []string) {
	place, n := follow(p, place)
	if n == nil || depth > maxDepth {
		return nil
	}
	switch t := n.get("type"); {
	case t != nil && t.kind == '"':
		return []string{t.text}
	case t != nil:
		for _, item := range t.items {
			words = append(words, item.text)
		}
	default:
		for _, word := range []string{"anyOf", "oneOf"} {
			for i := range n.get(word).list() {
				some := takes(p, fmt.Sprintf("%s/%s/%d", place, word, i), depth+1)
				if some == nil {
					return nil
				}
				words = append(words, some...)
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// valuesOf are the values of an enum or a const, as JSON.
func valuesOf(n *node) (all []string) {
	for _, v := range n.get("enum").list() {
		all = append(all, string(v.append(nil, true)))
	}
	if v := n.get("const"); v != nil {
		all = append(all, string(v.append(nil, true)))
	}
	return all
}

// text looks at what verdicts never look at.
func (l *linter) text(path string, o, n *node) {
	for _, word := range []string{"format", "contentEncoding"} {
		was, _ := o.str(word)
		is, _ := n.str(word)
		if was != is {
			l.tell(LintFormatChanged, path,
				fmt.Sprintf("%s was %s and is %s", word, cmp.Or(was, "not said"), cmp.Or(is, "not said")),
				"verdicts do not look at it; readers that parse the text, a time.Time for one, refuse the other form",
				"keep the "+word+", or add a property of another name")
		}
	}
	was, is := o.get("default"), n.get("default")
	if was == nil || is == nil {
		return
	}
	if a, b := string(was.append(nil, true)), string(is.append(nil, true)); a != b {
		l.tell(LintDefaultChanged, path,
			fmt.Sprintf("the default was %s and is %s", a, b),
			"who fills in defaults reads records without the property differently from now on, and differently by old and new schema",
			"keep the default, and let the code tell what it means")
	}
}

// object looks at the properties.
func (l *linter) object(path, was, is string, o, n *node) {
	if a, b := isClosed(o), isClosed(n); !a && b {
		l.tell(LintModelClosed, path,
			"properties that the schema does not name are refused from now on",
			"under LENIENT and FORWARD this passes; whoever validates what it reads refuses older records that have more",
			"close the schema for writers alone: readers pass over what they do not know")
	} else if a && !b {
		l.tell(LintModelOpened, path,
			"properties that the schema does not name are let in from now on",
			"a property that is added later may have been sent before, as anything: under STRICT no registry lets one be added any more",
			`keep "additionalProperties": false`)
	}
	before, after := o.get("properties"), n.get("properties")
	if before == nil || after == nil {
		return
	}
	gone := map[string]string{} // texts of properties that are gone, with their names
	for _, m := range before.members {
		at := path + "/properties/" + escape(m.name)
		if after.get(m.name) == nil {
			gone[string(m.value.append(nil, true))] = m.name
			l.tell(LintPropertyRemoved, at,
				fmt.Sprintf("%q is gone", m.name),
				"readers with the old schema miss it, and a later property of that name is read from older records as something else",
				"keep it and stop requiring it; never use the name for something else")
			continue
		}
		step := "/properties/" + escape(m.name)
		l.pair(at, was+step, is+step)
	}
	for _, m := range after.members {
		l.property(path+"/properties/"+escape(m.name), m, o, n, gone)
	}
}

// property looks at whether a property must be there, and where it comes from.
func (l *linter) property(at string, m member, o, n *node, gone map[string]string) {
	before := o.get("properties").get(m.name)
	must, had := requires(n, m.name), requires(o, m.name)
	switch {
	case before != nil && had && !must:
		l.tell(LintRequiredRemoved, at,
			fmt.Sprintf("%q need not be there any more", m.name),
			"readers with the old schema refuse records without it, or take its zero for a value: Go can't tell the two apart in a field that is no pointer",
			"go on writing it until all readers know that it may be absent")
	case must && !had && m.value.get("default") != nil:
		l.tell(LintRequiredWithDefault, at,
			fmt.Sprintf("%q must be there, and has a default for records that lack it", m.name),
			"registries let this pass, but validators refuse older records without it, and encoding/json gives zero: nobody fills in the default",
			"do not require it")
	}
	if was := gone[string(m.value.append(nil, true))]; before == nil && was != "" {
		delete(gone, string(m.value.append(nil, true)))
		l.tell(LintPropertyRenamed, at,
			fmt.Sprintf("%q is gone and %q, of the same type, is new: JSON Schema has no aliases", was, m.name),
			fmt.Sprintf("readers of %q find nothing in older records, and readers of %q nothing in new ones", m.name, was),
			"write both names until all readers have moved")
	}
}

func requires(n *node, name string) bool {
	return slices.ContainsFunc(n.get("required").list(), func(v *node) bool { return v.text == name })
}

func isClosed(n *node) bool {
	for _, word := range []string{"additionalProperties", "unevaluatedProperties"} {
		if v := n.get(word); v != nil && v.kind == 'f' {
			return true
		}
	}
	return false
}
