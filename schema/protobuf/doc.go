// Package protobuf is Protobuf as a schema format: .proto files read, printed and judged as
// Confluent's registry does it, and generated messages in and out.
//
// # What
//
// Format parses proto2, proto3 and edition 2023, as text or as the base64 of a file descriptor, which
// is what Python's and .NET's clients send. Canonical is the file reprinted as the registry keeps it,
// Normalized one text for all ways to write the same; As("serialized") is the descriptor,
// As("ignore_extensions") the text without custom options. Compare gives the registry's verdicts in
// its words; Lint names what they let pass and what hurts all the same.
//
// # Use
//
//	topic := leat.Topic{Name: "shop.orders", Encoding: leat.Protobuf, Carries: []any{
//		leat.KindOf("shop.order.created.v1", func(o *orderv1.Order) string { return o.GetOrderId() }),
//	}}
//
// The Go types are those of protoc-gen-go, behind a pointer, and *dynamicpb.Message, whose values bring
// their descriptors. Derive prints their file and its imports, each a reference under its path. A schema
// that was written by hand, or that has moved on, is checked against the type when the writer or the
// reader is made. A message is found by its place among the messages that are written in the file; the
// entries of a map<> have none there.
//
// # Guarantees
//
// What Compare calls compatible is read as it was written, but for what Lint lists. A Go type is never
// read from a record of another message, nor a field from one of another type. Fields that a type does
// not know are kept. Encoding allocates nothing beyond the caller's buffer, but for maps. A text reads back from
// each of its forms. All is safe for concurrent use.
//
// # Failure
//
// An error of Parse begins with line and column, of an import with its name. Texts have at most 1 MiB,
// 8 MiB with 500 imports at most, 64 brackets and 31 messages within each other. An import that is not
// among the references is passed over as long as no type of it is needed; the file is linked without
// its custom options then, and its text keeps them. A Go type that is no message says what to do.
//
// # Test
//
// testdata/verdicts.json has each rule in each direction, testdata/forms each form of some files.
// Random pairs of schemas prove the verdicts with data; parser, judge and decoder are fuzzed.
package protobuf
