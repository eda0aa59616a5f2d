package avro

import (
	"fmt"
	"strings"

	"github.com/leatdev/leat/schema"
)

// The rules, as Java and Confluent's registry name them.
const (
	kindNameMismatch   = "NAME_MISMATCH"
	kindSizeMismatch   = "FIXED_SIZE_MISMATCH"
	kindSymbolsMissing = "MISSING_ENUM_SYMBOLS"
	kindDefaultMissing = "READER_FIELD_MISSING_DEFAULT_VALUE"
	kindTypeMismatch   = "TYPE_MISMATCH"
	kindBranchMissing  = "MISSING_UNION_BRANCH"
)

// The findings that are none of a rule: the comparison ends with them.
const (
	kindOtherLanguage = "SCHEMA_TYPE_MISMATCH"
	kindSeveralFields = "AMBIGUOUS_FIELD"
	kindTooLarge      = "TOO_LARGE"
)

// words puts a difference into words, for a place.
type words = func(path string) schema.Difference

// word is a type as Java's messages have it.
func word(n *node) string { return strings.ToUpper(n.kind.String()) }

func typeMismatch(r, w *node) words {
	return func(path string) schema.Difference {
		return schema.Difference{
			Kind: kindTypeMismatch, Path: path,
			Message: fmt.Sprintf("The type (path '%s') of a field in the new schema does not match with the old schema", path),
			Info:    fmt.Sprintf("reader type: %s not compatible with writer type: %s", word(r), word(w)),
			Breaks:  fmt.Sprintf("who expects a value of type %s fails on each record with one of type %s", r.fullName(), w.fullName()),
			Mend:    "keep the type, or add a field of the new type with a default beside it and drop the old one when nobody reads it; int may become long, float or double, long float or double, float double, and string bytes and back",
		}
	}
}

func nameMismatch(r, w *node) words {
	return func(path string) schema.Difference {
		return schema.Difference{
			Kind: kindNameMismatch, Path: path,
			Message: fmt.Sprintf("The name of the schema has changed (path '%s')", path),
			Info:    "expected: " + w.name.full(),
			Breaks:  fmt.Sprintf("who reads %s does not take %s for it, and fails on each record with one", r.name.full(), w.name.full()),
			Mend:    fmt.Sprintf("keep the name, or add %q to the aliases of %s", w.name.full(), r.name.full()),
		}
	}
}

func sizeMismatch(r, w *node) words {
	return func(path string) schema.Difference {
		return schema.Difference{
			Kind: kindSizeMismatch, Path: path,
			Message: fmt.Sprintf("The size of FIXED type field at path '%s' in the new schema does not match with the old schema", path),
			Info:    fmt.Sprintf("expected: %d, found: %d", w.size, r.size),
			Breaks:  fmt.Sprintf("who reads %d bytes where %d were written fails on each record with %s", r.size, w.size, w.name.full()),
			Mend:    "keep the size, or add a field of a new fixed type with a default beside it",
		}
	}
}

func symbolsMissing(missing []string) words {
	list := "[" + strings.Join(missing, ", ") + "]"
	return func(path string) schema.Difference {
		return schema.Difference{
			Kind: kindSymbolsMissing, Path: path,
			Message: fmt.Sprintf("The new schema is missing enum symbols '%s' at path '%s' in the old schema", list, path),
			Info:    list,
			Breaks:  "who reads fails on each record that has one of the symbols " + list,
			Mend:    `keep the symbols, or give the reader's enum a "default": symbols that it does not know are read as that`,
		}
	}
}

func defaultMissing(f *field) words {
	return func(path string) schema.Difference {
		return schema.Difference{
			Kind: kindDefaultMissing, Path: path,
			Message: fmt.Sprintf("The field '%s' at path '%s' in the new schema has no default value and is missing in the old schema", f.name, path),
			Info:    f.name,
			Breaks:  fmt.Sprintf("who reads fails on every record: nothing fills the field %q", f.name),
			Mend:    `give the field a default (for an optional one: type ["null", ...] with default null) or, if it was there under another name, that name as an alias`,
		}
	}
}

func missingBranch(w *node) words {
	return func(path string) schema.Difference {
		return schema.Difference{
			Kind: kindBranchMissing, Path: path,
			Message: fmt.Sprintf("The new schema is missing a type inside a union field at path '%s' in the old schema", path),
			Info:    "reader union lacking writer type: " + word(w),
			Breaks:  fmt.Sprintf("who reads fails on each record whose value is of type %s", w.fullName()),
			Mend:    fmt.Sprintf("keep a branch that reads %s: for its reader a union may only grow", w.fullName()),
		}
	}
}

func severalFields(f *field, pos int, w *node) words {
	return func(path string) schema.Difference {
		return schema.Difference{
			Kind: kindSeveralFields, Path: path,
			Message: fmt.Sprintf("Unexpected exception during compatibility check: Reader record field %s type:%s pos:%d matches multiple fields in writer record schema %s",
				f.name, word(f.typ), pos, javaText(w, nil)),
			Breaks: fmt.Sprintf("nobody can tell which field of the writer is meant by %q", f.name),
			Mend:   "take out the aliases that are names of other fields of the writer",
		}
	}
}

func otherLanguage(r, w schema.Type) schema.Difference {
	return schema.Difference{
		Kind: kindOtherLanguage, Path: "/", Message: "Incompatible because of different schema type",
		Info: fmt.Sprintf("%s and %s", r, w), Breaks: "who reads one can't read the other", Mend: "register it under another subject",
	}
}

func tooLarge() schema.Difference {
	return schema.Difference{
		Kind: kindTooLarge, Path: "/", Message: fmt.Sprintf("The schemas are too large to be compared: more than %d pairs of types", maxPairs),
		Breaks: "nobody knows", Mend: "use smaller unions",
	}
}
