package protobuf

import (
	"strings"

	"github.com/leatdev/leat/schema"
)

// The rules, by the names that Confluent's registry gives them.
const (
	packageChanged             = "PACKAGE_CHANGED"
	messageRemoved             = "MESSAGE_REMOVED"
	fieldKindChanged           = "FIELD_KIND_CHANGED"
	fieldScalarKindChanged     = "FIELD_SCALAR_KIND_CHANGED"
	fieldNamedTypeChanged      = "FIELD_NAMED_TYPE_CHANGED"
	fieldNumericLabelChanged   = "FIELD_NUMERIC_LABEL_CHANGED"
	requiredFieldAdded         = "REQUIRED_FIELD_ADDED"
	requiredFieldRemoved       = "REQUIRED_FIELD_REMOVED"
	oneofFieldRemoved          = "ONEOF_FIELD_REMOVED"
	multipleFieldsMovedToOneof = "MULTIPLE_FIELDS_MOVED_TO_ONEOF"
	fieldMovedToExistingOneof  = "FIELD_MOVED_TO_EXISTING_ONEOF"
)

// words are what is said of a rule; @ is the path. Messages are Confluent's, with "reader" and
// "writer" where it says which of the two is new.
var words = map[string]schema.Difference{
	packageChanged: {
		Message: "The package at '@' in the reader schema does not match the package in the writer schema",
		Breaks:  "clients that find a message by its full name do not find it",
		Mend:    "keep the package, or register under a new subject",
	},
	messageRemoved: {
		Message: "The reader schema is missing a MESSAGE type at path '@' in the writer schema",
		Breaks:  "the reader has no type for records of this message",
		Mend:    "keep the message, marked deprecated",
	},
	fieldKindChanged: {
		Message: "The type of a field at path '@' in the reader schema does not match the writer schema",
		Breaks:  "the reader takes the field for unknown and sees its default",
		Mend:    "keep the field and add one of the new type under a new number",
	},
	fieldScalarKindChanged: {
		Message: "The kind of a SCALAR field at path '@' in the reader schema does not match its kind in the writer schema",
		Breaks:  "the reader sees other values, or the field's default",
		Mend:    "keep the field and add one of the new type under a new number",
	},
	fieldNamedTypeChanged: {
		Message: "The type of a MESSAGE field at path '@' in the reader schema does not match its type in the writer schema",
		Breaks:  "the reader takes the bytes of one message for those of another",
		Mend:    "keep the field and add one of the new type under a new number",
	},
	fieldNumericLabelChanged: {
		Message: "The label for a NUMERIC field at path '@' in the reader schema does not match its label in the writer schema",
		Breaks:  "numbers packed into a list are unknown to a reader that expects one, or one is missing",
		Mend:    "keep the label and add a field with the new one under a new number",
	},
	requiredFieldAdded: {
		Message: "A required field  at path '@' in the reader schema is missing in the writer schema",
		Breaks:  "the reader refuses every record, for none has the field",
		Mend:    "make the field optional",
	},
	requiredFieldRemoved: {
		Message: "The reader schema is missing a required field at path: '@' in the writer schema",
		Breaks:  "readers that still require the field refuse records without it",
		Mend:    "keep the field; make it optional first, and remove it when all readers know",
	},
	oneofFieldRemoved: {
		Message: "The reader schema is missing a oneof field at path '@' in the writer schema",
		Breaks:  "the reader sees a oneof that is not set where the writer set this member",
		Mend:    "keep the member, marked deprecated",
	},
	multipleFieldsMovedToOneof: {
		Message: "Multiple fields in the oneof at path '@' in the reader schema are outside a oneof in the writer schema",
		Breaks:  "of the fields that a writer set together the reader sees the last one only",
		Mend:    "move one field at most into a new oneof, and add the others under new numbers",
	},
	fieldMovedToExistingOneof: {
		Message: "A field in the oneof at path '@' in the reader schema is outside an existing oneof in the writer schema",
		Breaks:  "of the fields that a writer set together the reader sees the last one only",
		Mend:    "leave the field where it is, and add a new member to the oneof",
	},
}

func difference(kind, path string) schema.Difference {
	d := words[kind]
	d.Kind, d.Path, d.Message = kind, path, strings.ReplaceAll(d.Message, "@", path)
	return d
}
