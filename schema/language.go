package schema

import (
	"fmt"
	"reflect"
)

// Type is a schema language by the name that registries give it.
type Type string

// The schema languages.
const (
	Avro       Type = "AVRO" // what a registry means where it names none
	JSONSchema Type = "JSON"
	Protobuf   Type = "PROTOBUF"
)

// Reference names a registered schema that another one uses.
type Reference struct {
	Name    string `json:"name"`    // what the using text calls it: a full name, a $ref, an import path
	Subject string `json:"subject"` // where it is registered
	Version int    `json:"version"` // -1: the latest
}

// Import is a reference with the text that it led to. Where it is still to be registered, its version
// is 0 and its subject, unless it is known, "": the name is its subject then.
type Import struct {
	Reference
	Text       string
	References []Reference // what the text refers to itself
	Indirect   bool        // only other imports refer to it
}

// Language reads and compares the texts of one schema language. It does no I/O and is safe for
// concurrent use.
type Language interface {
	Type() Type
	// Parse reads a text. imports are all schemas that it refers to, directly or not, each after those
	// that it refers to itself. An error says where in the text and what is wrong; it is meant for the
	// person who wrote it.
	Parse(text string, imports []Import) (Schema, error)
	// Compare tells why a reader with the schema reader can't read what a writer wrote with the
	// schema writer; nothing: it can. Both are this language's own.
	Compare(reader, writer Schema, policy Policy) []Difference
}

// Schema is a text that was read and found to be one.
type Schema interface {
	Type() Type
	// Canonical is the text that a registry keeps and hashes.
	Canonical() string
	// Normalized is the text under normalize=true: schemas that mean the same have the same.
	Normalized() string
	// Name is the full name of the record or the message, the title of a JSON Schema; "" without one.
	Name() string
	// As is the text in another form ("resolved", "serialized", "ignore_extensions"), or the canonical
	// text where the language has no such form.
	As(form string) (string, error)
}

// Messages is a Schema whose text may hold several messages, as a .proto file does.
type Messages interface {
	Schema
	// MessageName is the full name of the message at a place in the file, nil: of the first.
	MessageName(index []int) (string, error)
	// MessageIndex is the place of a message, by its full name or without the package.
	MessageIndex(name string) ([]int, error)
}

// Policy says how strictly additions to an open JSON Schema are judged. The other languages have one.
type Policy string

// The policies; the zero value is Strict.
const (
	Strict  Policy = "STRICT"
	Lenient Policy = "LENIENT"
)

// Difference is one reason why a reader can't read a writer's data.
type Difference struct {
	Kind    string // the rule's name, for example READER_FIELD_MISSING_DEFAULT_VALUE
	Path    string // where in the schema, a JSON pointer or a field's path
	Message string // what a registry answers, in the words that its users know: the reader's schema is the new one
	Info    string // what a registry adds to it (additionalInfo); "" where it adds nothing
	Breaks  string // what happens to whom
	Mend    string // what to do about it
}

// String is the kind, the place and the message.
func (d Difference) String() string { return fmt.Sprintf("%s at %s: %s", d.Kind, d.Path, d.Message) }

// Format is a language whose schemas also encode and decode Go values.
type Format interface {
	Language
	// ContentType is the media type of the encoding, for example "application/avro".
	ContentType() string
	// Derive makes the schema of a Go type. name is its full name where the type does not bring one.
	Derive(t reflect.Type, name string) (text string, imports []Import, err error)
	// MessageOf is the full name of the message that a Go type is; "" where the language has no messages
	// or the type is none.
	MessageOf(t reflect.Type) string
	// Writer encodes values of t by the schema s; an error tells the path of the first difference
	// between the two.
	Writer(t reflect.Type, s Schema) (Writer, error)
	// Reader decodes data written by the schema writer into values of t, as the schema reader sees
	// them. index is the message's place in a Protobuf file, nil elsewhere.
	Reader(t reflect.Type, reader, writer Schema, index []int) (Reader, error)
	// ToJSON renders encoded data for people; FromJSON is its way back.
	ToJSON(s Schema, index []int, data []byte) ([]byte, error)
	FromJSON(s Schema, index []int, doc []byte) ([]byte, error)
	// Untold says what of the data ToJSON leaves out; nil: FromJSON makes the same value of it again.
	Untold(s Schema, index []int, data []byte) error
}

// Dynamic is a Format with a Go type whose values bring their schemas with them: Reader reads such a
// type as the writer's schema has it, and Derive and Writer do not know it before there is a value.
type Dynamic interface {
	Format
	// IsDynamic says whether t is that type.
	IsDynamic(t reflect.Type) bool
	// Of is the format, with Derive and Writer, for values that have v's schema. They are those with the
	// same key, which is comparable.
	Of(v any) (f Format, key any, err error)
}

// Writer encodes values of one Go type by one schema. It is safe for concurrent use.
type Writer interface {
	// Index is the message's place in a Protobuf file ([]int{0}: the first), nil elsewhere.
	Index() []int
	// Append appends the encoding of v, without any frame, to dst.
	Append(dst []byte, v any) ([]byte, error)
}

// Reader decodes data of one writer's schema into one Go type. It is safe for concurrent use.
type Reader interface {
	// Decode reads data, without any frame, into v, a pointer.
	Decode(data []byte, v any) error
}
