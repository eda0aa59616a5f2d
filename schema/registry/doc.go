// Package registry is a schema registry: a server that takes the place of Confluent's.
//
// # What
//
// A log of records, spelled as in Confluent's topic _schemas, is all that there is to know; the state
// is its replay, and every command is judged against the state and comes to more records or an error.
// The log is memory, a SQLite file or a topic of Kafka; see [Log].
//
// # Use
//
//	log := registry.NewMemory()
//	srv, err := registry.New(registry.Config{Listen: "127.0.0.1:8081", Log: log, Languages: languages})
//	err = srv.Run(ctx)
//
// # Guarantees
//
// No id is given to two schemas of a context and no schema gets two ids, across crashes and for all
// processes that share a log. What was answered with success stays. See docs/guarantees.md.
//
// # Failure
//
// A record that can't be read is counted, shown and passed over. A log that can't be written to
// answers 50001 or 50002; what had been judged may be in it all the same, and registering again gives
// the same id.
//
// # Test
//
// Tables of HTTP requests run against every log; replay and bodies are fuzzed; processes are killed
// with -9 in the middle of a register.
package registry
