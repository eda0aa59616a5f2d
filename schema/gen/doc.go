// Package gen writes Go types for schemas that exist already.
//
// # What
//
// Go turns one Avro schema or one JSON Schema into a Go file: a struct for each record or object, a
// string type for each enum, an interface or a struct of one value for each union. The first type is
// an event: it has an EventType method, and its contract is the schema that it came from. Together
// does that for the events of a package, which share their types.
//
// # Use
//
//	s, err := avro.Language.Parse(text, imports)
//	code, err := gen.Go(s, gen.Options{Package: "contract", Key: "order_id"})
//
// "leat schema gen" is its command.
//
// # Guarantees
//
// The contract of the generated event is the schema, text for text. Where Go types can't say all of
// an Avro schema (aliases of types, the order of fields, times of day, fixed decimals), and for every
// JSON Schema, the event carries the text in EventSchema; elsewhere the text is what is derived from
// the type. The file compiles, is as gofmt writes it, and the same schema gives the same bytes.
//
// A property of a JSON Schema that is not required is a pointer with omitempty, or a list or map with
// omitzero: null and absent are the same to it, and absent is written. Of a union the one value is in
// a struct that reads and writes it; its objects must be told apart by a property with a const. Bounds, patterns and the like are held by the schema when an event
// is written. Integers are those of 64 bits, and 1.0 is none to Go.
//
// # Failure
//
// What no Go type can hold is an error with its path, and nothing is written: a field that is only
// null, a record that holds itself without end, tuples, objects with properties and patterns beside
// each other, a $ref that leads out of the text; and so are two types of one name that differ.
//
// # Test
//
// Generated Avro and JSON Schemas go through generator and compiler in one program
// (TestGeneratedTypesAreTheirSchemas), which holds each type's contract to its schema, and sends
// random data of the schema, written by another implementation, through the type and back.
package gen
