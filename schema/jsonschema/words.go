package jsonschema

import (
	"fmt"
	"strings"

	"github.com/leatdev/leat/schema"
)

// told says a difference in the words of a registry and in ours.
func told(d difference) schema.Difference {
	w := wordsOf(d.kind)
	return schema.Difference{Kind: d.kind, Path: d.path, Message: fmt.Sprintf(w.message, d.path), Breaks: w.breaks, Mend: w.mend}
}

// sentence is what is said of a kind; %[1]s is the path.
type sentence struct{ message, breaks, mend string }

// The sentences of kinds that go together. The messages are those of Confluent's registry, where it
// has one.
var (
	keywordAdded = sentence{
		"The keyword at path '%[1]s' in the new schema is not present in the old schema",
		"readers refuse old data that does not keep to the new keyword",
		"leave the keyword out, or begin a new version of the type",
	}
	valueMore = sentence{
		"The value at path '%[1]s' in the new schema is more than its value in the old schema",
		"readers refuse old data that is within the old limit only",
		"keep the old limit or a looser one",
	}
	valueLess = sentence{
		"The value at path '%[1]s' in the new schema is less than its value in the old schema",
		"readers refuse old data that is within the old limit only",
		"keep the old limit or a looser one",
	}
	valueOther = sentence{
		"The value at path '%[1]s' is different between the new and old schema",
		"readers refuse old data that keeps to the old value only",
		"keep the old value, or take the keyword away",
	}
	fewer = sentence{
		"An array or combined type at path '%[1]s' has fewer elements in the new schema than the old schema",
		"readers refuse old data that uses what was taken away",
		"keep what was there; new data need not use it",
	}
	more = sentence{
		"An array or combined type at path '%[1]s' has more elements in the new schema than the old schema",
		"readers refuse old data that does not keep to what was added",
		"leave out what was added, or begin a new version of the type",
	}
	otherType = sentence{
		"A type at path '%[1]s' is different between the new schema and the old schema",
		"readers refuse old data of the old type",
		"keep the old type beside the new one (anyOf), or add a property of another name",
	}
	addedToOpenModel = sentence{
		"The new schema has an open content model and has a property or item at path '%[1]s' which is missing in the old schema",
		"writers may already send anything under that name, and readers would refuse it",
		`close the old schema ("additionalProperties": false, as schemas derived from Go types are), or set the subject's policy to LENIENT`,
	}
	removedFromClosed = sentence{
		"The new schema has a closed content model and is missing a property or item present at path '%[1]s' in the old schema",
		"readers refuse old data that has it",
		"keep it, and do not require it; or let anything be there under LENIENT",
	}
	removedUncovered = sentence{
		"A property or item is missing in the new schema but present at path '%[1]s' in the old schema and is not covered by its partially open content model",
		"readers judge old data by the schema of what is not named, and refuse it",
		"keep it, or widen patternProperties or additionalProperties until they let it in",
	}
	addedUncovered = sentence{
		"The new schema has a property or item at path '%[1]s' which is missing in the old schema and is not covered by its partially open content model",
		"writers may already send another type under that name, and readers would refuse it",
		"give it the type that patternProperties or additionalProperties had for it",
	}
	requiredInUnopen = sentence{
		"The new schema has an unopen content model and has a required property at path '%[1]s' which is missing in the old schema",
		"readers refuse all old data: it has no such property",
		"do not require it, or give it a default",
	}
	schemaAdded = sentence{
		"The new schema has a schema at path '%[1]s' which is missing in the old schema",
		"readers refuse old data that does not keep to it: anything was allowed there",
		"leave it out, or begin a new version of the type",
	}
	otherLanguage = sentence{
		"Incompatible because of different schema type%.0[1]s",
		"readers of the one can't read the other at all",
		"register the new schema under a subject, and on a topic, of its own",
	}
	tooLarge = sentence{
		"The schemas are too large to be compared: their references lead into each other too often%.0[1]s",
		"nobody can tell whether readers read old data",
		"split the schema, or use fewer combined types that refer to each other",
	}
)

// wordsOf finds the sentence of a kind by what its name ends in, as registries group them.
func wordsOf(kind string) sentence {
	switch kind {
	case kindOther:
		return otherLanguage
	case kindTooLarge:
		return tooLarge
	case kindSchemaAdded:
		return schemaAdded
	case requiredAddedUnopen:
		return requiredInUnopen
	case removedProperty.closed, removedItem.closed:
		return removedFromClosed
	case removedProperty.uncovered, removedItem.uncovered:
		return removedUncovered
	case addedProperty.uncovered, addedItem.uncovered:
		return addedUncovered
	case optionalAddedOpen, requiredAddedOpen, requiredDefaultAddedOpen, itemAddedOpen:
		return addedToOpenModel
	case kindTypeChanged, typeNarrowed, combinedChanged, subschemasChanged, enumChanged:
		return otherType
	case "DEPENDENCY_ARRAY_EXTENDED", productExtended, notExtended:
		return more
	case "MULTIPLE_OF_EXPANDED":
		return valueMore
	}
	switch at := strings.LastIndexByte(kind, '_'); kind[at+1:] {
	case "INCREASED":
		return valueMore
	case "DECREASED":
		return valueLess
	case "NARROWED":
		return fewer
	case "CHANGED":
		return valueOther
	}
	return keywordAdded // _ADDED, and _REMOVED of what let more in
}
