package protobuf

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/leatdev/leat/schema"
)

// Lint tells what Compare lets pass and what hurts all the same. Both schemas are this package's
// own; anything else has no findings.
func Lint(old, next schema.Schema) []schema.Difference {
	o, err := of(old)
	if err != nil {
		return nil
	}
	n, err := of(next)
	if err != nil {
		return nil
	}
	l := &linter{}
	l.messages(nil, o.desc.Messages(), n.desc.Messages())
	l.enums(nil, o.desc.Enums(), n.desc.Enums())
	return l.found
}

type linter struct{ found []schema.Difference }

func (l *linter) add(path []string, d schema.Difference) {
	d.Path = "#/" + strings.Join(path, "/")
	l.found = append(l.found, d)
}

func (l *linter) messages(path []string, old, next protoreflect.MessageDescriptors) {
	for i := range old.Len() {
		o := old.Get(i)
		n := next.ByName(o.Name())
		if o.IsMapEntry() || n == nil {
			continue
		}
		at := below(path, string(o.Name()))
		for j := range o.Fields().Len() {
			l.field(at, o.Fields().Get(j), n)
		}
		l.reserved(at, o, n)
		l.messages(at, o.Messages(), n.Messages())
		l.enums(at, o.Enums(), n.Enums())
	}
}

// reserved finds out what became of the numbers and names that the old schema keeps from use.
func (l *linter) reserved(path []string, o, n protoreflect.MessageDescriptor) {
	for j := range n.Fields().Len() {
		f := n.Fields().Get(j)
		if o.ReservedRanges().Has(f.Number()) || o.ReservedNames().Has(f.Name()) {
			number := strconv.Itoa(int(f.Number()))
			l.add(below(path, number), schema.Difference{
				Kind: "RESERVED_REUSED", Message: "field " + string(f.Name()) + " (" + number + ") has a number or a name that was reserved",
				Breaks: "it was reserved because records have it as something else: they are read as this field",
				Mend:   "give it a number and a name that were never used, and keep the reservation",
			})
		}
	}
	if o.ReservedRanges().Len() == 0 {
		return
	}
	runs := taken(n)
	for j := range o.ReservedRanges().Len() {
		r := o.ReservedRanges().Get(j)
		if number := firstFree(r[0], r[1], runs); number < r[1] {
			l.add(path, schema.Difference{
				Kind: "RESERVATION_DROPPED", Message: "the number " + strconv.Itoa(int(number)) + " is no longer reserved",
				Breaks: "a later field of that number is read from old records as something else",
				Mend:   "write: reserved " + strconv.Itoa(int(number)) + ";",
			})
		}
	}
}

// taken are the runs of numbers, from and below, that n reserves or uses, in order.
func taken(n protoreflect.MessageDescriptor) [][2]protoreflect.FieldNumber {
	var runs [][2]protoreflect.FieldNumber
	for j := range n.ReservedRanges().Len() {
		runs = append(runs, n.ReservedRanges().Get(j))
	}
	for j := range n.Fields().Len() {
		number := n.Fields().Get(j).Number()
		runs = append(runs, [2]protoreflect.FieldNumber{number, number + 1})
	}
	slices.SortFunc(runs, func(a, b [2]protoreflect.FieldNumber) int { return cmp.Compare(a[0], b[0]) })
	return runs
}

// firstFree is the first number from number up to end that is not taken; end: there is none.
func firstFree(number, end protoreflect.FieldNumber, taken [][2]protoreflect.FieldNumber) protoreflect.FieldNumber {
	from := sort.Search(len(taken), func(i int) bool { return taken[i][1] > number })
	for _, run := range taken[from:] {
		if run[0] > number || number >= end {
			break
		}
		number = run[1]
	}
	return min(number, end)
}

// field finds out what became of one field of the old schema.
func (l *linter) field(path []string, o protoreflect.FieldDescriptor, n protoreflect.MessageDescriptor) {
	number := strconv.Itoa(int(o.Number()))
	at := below(path, number)
	same, named := n.Fields().ByNumber(o.Number()), n.Fields().ByName(o.Name())
	name := "field " + string(o.Name()) + " (" + number + ")"
	switch {
	case named != nil && named.Number() != o.Number():
		l.add(at, schema.Difference{
			Kind: "FIELD_RENUMBERED", Message: name + " has the number " + strconv.Itoa(int(named.Number())) + " now",
			Breaks: "what was written under the old number is unknown to new readers, and the other way round",
			Mend:   "give it its old number back",
		})
	case same == nil && !n.ReservedRanges().Has(o.Number()):
		l.add(at, schema.Difference{
			Kind: "FIELD_REMOVED_NOT_RESERVED", Message: name + " is removed and its number is free",
			Breaks: "a later field of that number is read from old records as something else",
			Mend:   "write: reserved " + number + "; reserved \"" + string(o.Name()) + "\";",
		})
	case same == nil:
	case same.Name() != o.Name():
		l.add(at, schema.Difference{
			Kind: "FIELD_RENAMED", Message: name + " is called " + string(same.Name()) + " now",
			Breaks: "if it means something else, new readers take old values for it; JSON has another key",
			Mend:   "reserve the old number and name, and add the new field under a new number",
		})
	default:
		l.kept(at, name, o, same)
	}
}

func (l *linter) kept(at []string, name string, o, n protoreflect.FieldDescriptor) {
	if o.JSONName() != n.JSONName() {
		l.add(at, schema.Difference{
			Kind: "JSON_NAME_CHANGED", Message: name + " is " + n.JSONName() + " in JSON, was " + o.JSONName(),
			Breaks: "programs that read records as JSON miss the field",
			Mend:   "set json_name to " + strconv.Quote(o.JSONName()),
		})
	}
	scalar := typeKind(o) == "scalar" && typeKind(n) == "scalar"
	switch {
	case o.IsList() != n.IsList() && !o.IsMap() && !n.IsMap():
		l.add(at, schema.Difference{
			Kind: "FIELD_LABEL_CHANGED", Message: name + " is " + many(n) + ", was " + many(o),
			Breaks: "a reader that expects one sees the last of a list, or none where numbers are packed",
			Mend:   "add a field with the new label under a new number",
		})
	case o.Cardinality() != n.Cardinality() && n.Cardinality() == protoreflect.Required:
		l.add(at, schema.Difference{
			Kind: "FIELD_NOW_REQUIRED", Message: name + " is required now",
			Breaks: "new readers refuse old records without it", Mend: "leave it optional",
		})
	case scalar && o.Kind() != n.Kind():
		l.add(at, schema.Difference{
			Kind: "FIELD_TYPE_CHANGED", Message: name + " is " + n.Kind().String() + ", was " + o.Kind().String(),
			Breaks: "values beyond the narrower of the two types are cut off, change their sign or are refused",
			Mend:   "add a field of the new type under a new number",
		})
	}
}

func many(f protoreflect.FieldDescriptor) string {
	if f.IsList() {
		return "a list"
	}
	return "one value"
}

func (l *linter) enums(path []string, old, next protoreflect.EnumDescriptors) {
	for i := range old.Len() {
		o := old.Get(i)
		n := next.ByName(o.Name())
		if n == nil {
			continue // fields that had it are judged on their own
		}
		for j := range o.Values().Len() {
			v := o.Values().Get(j)
			at := below(path, string(o.Name()), strconv.Itoa(int(v.Number())))
			is := n.Values().ByNumber(v.Number())
			switch {
			case is == nil:
				l.add(at, schema.Difference{
					Kind: "ENUM_VALUE_REMOVED", Message: "the value " + string(v.Name()) + " is removed",
					Breaks: "new readers see a number without a name, or the default in a closed enum",
					Mend:   "keep the value, marked deprecated",
				})
			case n.Values().ByName(v.Name()) == nil:
				l.add(at, schema.Difference{
					Kind: "ENUM_VALUE_RENAMED", Message: "the value " + string(v.Name()) + " is called " + string(is.Name()) + " now",
					Breaks: "JSON has another word, and old records mean the old one",
					Mend:   "keep the name, or add the new one under a new number",
				})
			}
		}
	}
}
