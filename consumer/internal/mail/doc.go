// Package mail carries events that failed on the wire: to the dead letters, to retry topics, and back.
//
// # What
//
// [Writer] writes what becomes of an event that its group could not handle ([Note]): its key, its value
// and its headers as they were, behind them the story (package letter), and what says where it waits. A
// [Topic] is a retry topic: it takes the event out of a record as it was at its source, by leat's header
// or by those of Spring Kafka. [AtSource] does the same for an event that came back by a redrive topic.
//
// # Use
//
//	w, err := mail.NewWriter(cfg.Kafka, group)
//	w.Send(ctx, w.Record(&mail.Note{Event: record, Story: story}), false, func(err error) { ... })
//
// # Guarantees
//
// What is read is what was written: place, time, key, value and own headers of the event are those of its
// source. A letter lies on the partition with its source's number.
//
// # Failure
//
// Send tells what became of the record; it tries again for as long as the client does, and gives up for a
// record that is too large: the caller leaves out more ([Omissible]) or sends it alone. A record that is
// none of ours is passed over, never an error.
//
// # Test
//
// Records as Spring Kafka writes them, and fuzzing of what comes back.
package mail
