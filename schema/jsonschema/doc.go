// Package jsonschema is JSON Schema for events: read and judged as registries do, derived from Go
// types, held to on every write.
//
// # What
//
// Parse reads drafts 4, 6, 7 (where nothing is said), 2019-09 and 2020-12. Compare judges one schema
// against another as Confluent's registry does: both are brought into the normal form that it judges
// on, where a schema is known by the type that its keywords speak of, and each change has a name.
// Derive makes the schema of what encoding/json writes for a Go type: closed, because the encoder
// writes nothing else. Writers hold each value to the schema; readers pass over what they do not know.
// Lint tells what verdicts let through and hurts.
//
// # Use
//
//	type Placed struct {
//		ID     string  `json:"id" doc:"of the order"`
//		Status Status  `json:"status"`          // Symbols() []string lists the values
//		Note   *string `json:"note,omitempty"`  // a pointer, omitempty, omitzero: not required
//	}
//
//	schema.CodecConfig{Formats: []schema.Format{jsonschema.Format}}
//	jsonschema.New(jsonschema.Options{ValidateOnRead: true}) // in place of jsonschema.Format
//
// An interface holds what a method Unions() []any of the struct around it lists. encoding/json can
// write one and not read one: whoever reads gives the struct an UnmarshalJSON. Of a type that encodes
// itself nothing is known but whether it is text. schema.Decimal is a string. Where no doc is tagged,
// comments are descriptions that "leat schema gen --comments" wrote down.
//
// # Guarantees
//
// Nothing is fetched: a $ref leads into its own text or to one of the imports. Texts are bounded in
// bytes, depth, values and schemas, patterns are RE2, and comparisons end: what strangers register
// costs bounded time. No value is written that its schema refuses. Formats are asserted up to draft
// 7, as the drafts have it.
//
// # Failure
//
// An error of Parse has the JSON pointer of the fault. A Go type that can never keep to a schema is
// refused when its writer or reader is made, with the first place; what depends on the value is an
// error of that value, with its place, and nothing is appended. A comparison that is too large is
// answered as a difference.
//
// # Test
//
// testdata/verdicts.json has a case per rule, direction and policy. Random documents of compatible
// pairs are read; where the rules of registries promise too much or too little is a list of tests.
// The guard that writers of derived schemas use is held to the validator. Parser and comparison are
// fuzzed.
package jsonschema
