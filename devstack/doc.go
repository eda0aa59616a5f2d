// Package devstack is a Kafka broker, a schema registry and a home for SQLite files in one process:
// what `leat dev`, `leat demo` and a laptop run on.
//
// # What
//
// Open starts a broker (kfake) that any Kafka client can talk to, on one directory, with
// Config.Registry a schema registry beside it, and tells where the services' SQLite files go. The
// broker's cluster id begins with [kafka.EmbeddedPrefix], so that a client tells it from Apache
// Kafka, also from another process.
//
// # Use
//
//	stack, err := devstack.Open(ctx, devstack.Config{Dir: "./data", Listen: "127.0.0.1:9092"})
//	defer stack.Close()
//	host := service.HostConfig{Kafka: stack.Config(), DatabaseURL: stack.DatabaseURL(), ...}
//
// # Guarantees
//
// What a producer got an acknowledgement for, and every committed offset, is there after kill -9 of
// the process. Nothing is ever deleted by time, by size or by compaction, whatever a topic's
// configuration says: its cleaner can lose a compacted topic when it is killed half way, passes open
// transactions, and trims compacted topics by age. One process holds a directory; a second one is
// told who does. No client can stop the broker with a malformed frame: frames of unknown kind or
// impossible size end their connection before the broker sees them, and a large frame takes memory
// only as its bytes arrive.
//
// # Failure
//
// It is a broker for development, demos and tests. After kill -9, weaker than Apache Kafka:
//
//   - transactions: an open one can come back half committed, or hide later ones of its producer;
//   - idempotent producers: a batch that is sent again across the restart can be there twice;
//   - records that DeleteRecords removed come back.
//
// The relay and the inbox know an embedded cluster and rest on none of that. Also: a power cut can
// take the newest records (nothing is synced per write), a full disk can acknowledge what it could
// not keep, a restart after kill -9 reads the whole log into memory, and a frame that lies about the
// number of its tagged fields costs seconds of CPU. There is one broker, no authentication, no TLS
// and no ACL, so it listens on loopback unless told otherwise.
//
// # Test
//
// Frames are tables and a fuzz target; the broker is started in child processes, killed with -9 and
// started again.
package devstack
