// Package avro is Avro: its schemas, and Go values in its binary encoding.
//
// # What
//
// Language reads schemas as Apache Avro's Java implementation does, which is what Confluent's registry
// is built on, and compares them by the rules of its SchemaCompatibility. A Schema gives the canonical
// text that a registry keeps and hashes, the one under normalize=true, the text with all references
// inside of it, the specification's Parsing Canonical Form and its fingerprints. Lint tells what the
// rules let through and hurts. Format is Language with Go values: it derives schemas, writes and reads.
//
// # Use
//
//	s, err := avro.Language.Parse(text, imports)
//	why := avro.Language.Compare(next, latest, "") // empty: next reads what latest wrote
//	hints := avro.Lint(latest, next)
//
// A registry calls (*Schema).Validate for schemas that are new to it and not for those that it keeps:
// it holds the defaults of fields against their types. Parse does not, because Java did not always, and
// what was registered once has to be read for ever.
//
// And with Go values:
//
//	text, _, err := avro.Format.Derive(reflect.TypeFor[OrderPlaced](), "shop.order.placed.v1")
//	s, err := avro.Format.Parse(text, nil)
//	w, err := avro.Format.Writer(reflect.TypeFor[OrderPlaced](), s)
//	data, err := w.Append(nil, event)
//
// What a Go type is in Avro:
//
//	bool                            boolean
//	int8 to int32, uint8, uint16    int
//	int, int64, uint32              long (uint and uint64 are refused: a decimal of 20 digits holds them)
//	float32, float64                float, double
//	string, []byte                  string, bytes
//	[N]byte                         fixed; a string of type uuid for 16 bytes whose MarshalText is one
//	MarshalText and UnmarshalText   string
//	time.Time                       long, timestamp-micros, UTC: what is finer is cut off; the tag
//	                                logical:"timestamp-nanos" (-millis, date, local-...) says otherwise
//	time.Duration                   long, nanoseconds, as encoding/json has it
//	schema.Decimal                  bytes, decimal: with the tag decimal:"precision,scale", or as a struct
//	                                of nothing but an embedded one with DecimalSize() (precision, scale int)
//	Symbols() []string              enum: of a string type the values, of an integer type i is symbol i;
//	                                DefaultSymbol() string is what unknown symbols are read as
//	slices and arrays, maps         array, map; a nil one is empty, a map is never nil when it is read
//	structs                         record; a struct may contain itself by pointer, slice or map
//	*T                              ["null", T] with default null
//	interfaces                      a union of what Unions() []any of the struct with the field, or of the
//	                                event, lists: []any{[]Payment{Card{}, &Transfer{}}}; a nil in the
//	                                list says that it may be nil
//
// Fields have the names that encoding/json gives them, are left out and flattened as it does. These
// tags say more, and none is needed: doc:"..." (on a blank field: about the struct),
// default:"..." (a JSON literal, or the bare text), aliases:"old,older", avro:"name" where the name of
// the document can't be one. A field that is tagged omitempty or omitzero has its zero as default: it
// may be added to a type whose events are out, as may one with default and a pointer. Where no doc is
// tagged, comments are docs that "leat schema gen --comments" wrote down (SchemaDocs).
//
// The event's record has the name that Derive is given; the types below it are called as in Go, in
// the same namespace, unless they have SchemaName() string, the full name. A struct without a name is
// called after its field.
//
// A schema that is written by hand may differ in what Go can bear: an int for a Go int (each value is
// looked at), other units of time, a fixed for a decimal, fields with defaults that Go does not have,
// ["null", T] for a T that is tagged omitempty, for slices and for maps.
//
// # Guarantees
//
// Verdicts, their order and places, canonical texts, parsing forms, fingerprints, and what is refused
// are those of Java's Avro 1.12.1, but for this:
//
//   - A difference that Java tells again for each use of one type is told once.
//   - A comparison of more than 524,288 pairs of types is given up (TOO_LARGE).
//   - What Java read up to 1.11 may be registered and is still read: whole numbers beyond 64 bits as
//     properties, and a type without a namespace that is used inside of one before its end.
//
// A text of up to 16 MiB with its references, nested up to 1,000 deep, is read in time that grows with
// its length; a larger one is refused. Nothing here panics on a text, does I/O or changes a Schema.
//
// Java's rules are static. They look past namespaces (a.E is read as b.E) and past precision, scale
// and logical types (see Lint), and they find fault with a branch of a union that no record may ever
// hold.
//
// The text of a type is always the same. Writers and readers are safe for concurrent use. The same
// value gives the same bytes: maps are written in the order of their keys. Append makes no garbage for
// structs, slices, pointers, times, decimals of 63 bits and map[string]string of up to 16 entries. A
// reader takes what the writer's schema says a number means: millis are read as micros, and decimals
// of another scale, without changing their value. Decoded values share no memory with the data; the
// strings of an event of up to 4 KiB share memory with each other.
//
// # Failure
//
// Parse and Validate return an *Error: which text, a JSON pointer into it, what is wrong. Where a
// reader's field matches two of the writer's there is one finding, AMBIGUOUS_FIELD, and no other:
// Java gives up there.
//
// A type that Avro can't express, and a schema and a type that do not go together, are errors that
// name the path and the way out, when the writer or reader is made: [Mismatch] has the path alone.
// A value that does not fit is a [ValueError] and nothing is appended. Data that was not written by
// the writer's schema is an error at a bounded price: a length is believed only as far as there are
// bytes, items that take none are at most 65,536, records nest at most 10,000 deep.
//
// # Test
//
// Thousands of generated schemas and pairs go through Java's Avro and through this package
// (TestVerdictsAreJavas and its neighbours; they fetch it with Maven, and skip without it unless
// LEAT_TEST_REQUIRE names java). One test per rule and direction, golden files in testdata/golden
// (-update writes them), a fuzzed parser, and random data through pairs of schemas with another
// implementation. Random structs and their next versions go through twmb/avro, Python's fastavro and
// JSON; data and documents are fuzzed.
package avro
