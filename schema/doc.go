// Package schema turns the data of events into bytes and back, by the contract of their topic.
//
// # What
//
// JSON is how topics are encoded that say nothing else. It means exactly what encoding/json means and
// costs less: the plan of a Go type is made once and encodes without garbage.
//
// Codec is what services use: it encodes each topic as its Encoding says, in Confluent's wire format,
// by schemas that a registry knows, and reads what others wrote. Client speaks to the registry.
// Language and Format are what a schema language brings (packages avro, jsonschema, protobuf); Check
// judges a schema against the versions before it.
//
// # Use
//
//	leat.Topic{Name: "shop.orders", Carries: ..., Encoding: leat.Avro} // and HostConfig.Registry
//	client, err := schema.NewClient(schema.ClientConfig{URLs: []string{"http://localhost:8081"}})
//	codec, err := schema.NewCodec(schema.CodecConfig{Registry: client, Formats: []schema.Format{avro.Format}})
//
// # Guarantees
//
// What is framed is read by the schema that its frame names, whatever the topic says by now. A schema
// is asked for once. A registry that is away stops nobody who knows its schemas; others wait.
//
// What Append writes is byte for byte what json.Marshal writes; what Decode accepts, and the value
// that comes of it, is what json.Unmarshal accepts and makes of it. Codecs are safe for concurrent
// use.
//
// # Failure
//
// A value that JSON can't express (NaN, a channel) is an error and nothing is appended. Data that is
// not of the type is an error, and the target may be filled in part: do not use it. A registry that
// does not answer is leat.Unavailable, a schema that it does not know is the event's own fault.
//
// # Test
//
// Differential fuzzing against encoding/json both ways, and allocation counts as tests.
package schema
