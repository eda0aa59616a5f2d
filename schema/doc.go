// Package schema turns the data of events into bytes and back.
//
// # What
//
// JSON is the codec that services use unless they choose another. It means exactly what encoding/json
// means and costs less: the plan of a Go type is made once and encodes without garbage.
//
// # Use
//
//	service.Config{Codec: schema.JSON} // the default
//	data, err := schema.JSON.Append(buf, kind, event)
//
// # Guarantees
//
// What Append writes is byte for byte what json.Marshal writes; what Decode accepts, and the value
// that comes of it, is what json.Unmarshal accepts and makes of it. Codecs are safe for concurrent
// use.
//
// # Failure
//
// A value that JSON can't express (NaN, a channel) is an error and nothing is appended. Data that is
// not of the type is an error, and the target may be filled in part: do not use it.
//
// # Test
//
// Differential fuzzing against encoding/json both ways, and allocation counts as tests.
package schema
