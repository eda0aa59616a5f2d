// Package server starts real Apache Kafka and PostgreSQL as plain processes, so
// that a test can kill, stop and restart them. No containers.
//
// # What
//
// StartKafka runs one node or a quorum of three, on wish behind a proxy of the
// test's own; StartPostgres runs one server, StartApicurio a schema registry that is not leat's.
// What they need is fetched once with Maven (Kafka's jars, and PostgreSQL's
// binaries where the system has none) and kept in ${XDG_CACHE_HOME:-$HOME/.cache}/leat;
// from then on no network is needed. StartProgram runs a program of the
// test's own in the same way; Java, Python and Node find what one in those languages
// needs.
//
// # Use
//
//	k, err := server.StartKafka(ctx, server.KafkaConfig{Nodes: 3})
//	if err != nil {
//		t.Fatal(err)
//	}
//	k.CloseAfter(t)
//	b := broker.At(k.Brokers()...)
//	...
//	err = k.Kill(1)                                      // kill -9
//	err = errors.Join(k.Restart(ctx, 1), k.WaitISR(ctx)) // wait before the next kill
//
// # Guarantees
//
// A server that was started is ours and works: its process lives, it answers with
// our cluster id, all its nodes are in, a topic was made and a record acknowledged
// by every replica (PostgreSQL: it answers from our data directory). No child
// outlives the process that started it, even if that is killed (Linux; elsewhere
// Close must run). Everything listens on 127.0.0.1, on ports below the ephemeral
// range, so that no outgoing connection sits on a port when its server restarts.
//
// # Failure
//
// A server that does not come up tells so with the end of its log. CloseAfter
// keeps data and logs of a failed test and says where they lie. A killed single
// node is usable again after about two seconds: its old registration must expire
// first. After an unclean restart in a quorum wait for WaitISR before the next
// kill, or a partition may be left without a leader.
//
// # Test
//
// The room's own tests start, kill -9 and restart both servers; they are layer 2.
// It imports no testing package, so mains may use it (test/servers does). It
// stands on floors 0 and 1.
package server
