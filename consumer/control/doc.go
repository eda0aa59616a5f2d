// Package control is the control topic: what people tell a consumer group while it runs, and what its
// members answer.
//
// # What
//
// A [Record] is a command (pause, rate, seek) or an answer (sought, drained, inbox). The topic is
// compacted and has one partition; a record replaces the earlier one of its [Record.Key], a tombstone
// lifts it. [State] is the fold of all of them: pure, the same for whoever reads the same topic. [Log]
// is the topic on a cluster.
//
// # Use
//
//	log := control.NewLog(client, control.Topic)
//	err := log.Ensure(ctx)      // makes the topic
//	state, err := log.Read(ctx) // to its end
//	pause, paused := state.Paused("payment", "shop.orders", 3)
//
// # Guarantees
//
// A seek is carried out exactly once. Its owner lets nothing of the partition run, reads this topic to
// its end, commits the seek's offset and writes the answer, and only when that is written lets events
// run again. Killed anywhere on the way, its heir finds no answer and does the same: it commits the
// same offset again, above which nothing has run. An heir that finds the answer leaves the offset
// alone.
//
// # Failure
//
// A record that can't be read, of a later version or of a kind that this program does not know is
// counted and passed over; what it would have replaced stays in force. A topic that is not compacted
// or has several partitions is [ErrUnfit].
//
// # Test
//
// Golden files for the wire form, tables for the fold, a fuzz target for whatever lies in the topic.
package control
