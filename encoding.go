package leat

import "fmt"

// Encoding is how the events of a topic are written. All but PlainJSON need a schema registry.
type Encoding string

// The encodings. The zero value leaves the choice to the service that owns the topic.
const (
	PlainJSON  Encoding = "json"       // as encoding/json writes; no registry
	JSONSchema Encoding = "jsonschema" // JSON, checked against a registered JSON Schema
	Avro       Encoding = "avro"
	Protobuf   Encoding = "protobuf"
)

// Validate says whether the encoding is one.
func (e Encoding) Validate() error {
	switch e {
	case "", PlainJSON, JSONSchema, Avro, Protobuf:
		return nil
	}
	return fmt.Errorf("encoding %q is not known: take one of %q, %q, %q, %q", string(e), PlainJSON, JSONSchema, Avro, Protobuf)
}

// SubjectNames says under which subject of the registry the schema of an event is found.
type SubjectNames string

// The strategies, as Confluent's clients name them. The zero value is TopicName where a topic
// carries one type and TopicRecordName where it carries several: a subject holds the versions of
// one contract.
const (
	TopicName       SubjectNames = "TopicName"       // {topic}-value
	RecordName      SubjectNames = "RecordName"      // {full name of the record}
	TopicRecordName SubjectNames = "TopicRecordName" // {topic}-{full name of the record}
)

// Validate says whether the strategy is one.
func (s SubjectNames) Validate() error {
	switch s {
	case "", TopicName, RecordName, TopicRecordName:
		return nil
	}
	return fmt.Errorf("subject naming %q is not known: take one of %s, %s, %s", string(s), TopicName, RecordName, TopicRecordName)
}

// KeyCodec is a codec that writes and reads the keys of records, too.
type KeyCodec interface {
	Codec
	// EncodeKey makes of the message's key, a text, what k.KeyEncoding says, and sets whatever header
	// names the schema. Equal texts become equal bytes, or their order would be lost.
	EncodeKey(m *Message, k *Kind) error
	// DecodeKey is the text of the record's key.
	DecodeKey(w Wire) (string, error)
}

// MessageCodec is a codec that says more about the data than its bytes do: which schema they were
// written by. Where a codec is one, its methods are called in place of Append and Decode.
type MessageCodec interface {
	Codec
	// Encode sets the message's data, its content type, and whatever header or attribute names the
	// schema.
	Encode(m *Message, k *Kind, v any) error
	// DecodeWire reads the record's data into v, a pointer.
	DecodeWire(w Wire, k *Kind, v any) error
}
