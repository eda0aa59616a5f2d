// Package redrive gives dead letters back to the group that could not handle them, through its park
// topic or a topic of its own, and keeps what was done as notes in the dead-letter topic itself.
//
// # What
//
// [Story] is the fold of one dead-letter topic: its letters, one per source coordinate, and the notes
// about them. [Story.Plan] chooses letters, in the order of the source, and says which it refuses and
// why. [Letter.Edit] is another payload for one of them. [Job.Run] carries it out on a cluster;
// [Job.Release] lets a held key go on without its letters.
//
// # Use
//
//	story, err := redrive.Read(ctx, client, "payment", "shop.orders")
//	filter := redrive.Filter{Reason: consumer.ReasonExhausted}
//	plan := story.Plan(redrive.Redriven, filter, redrive.Guard{}) // what would be done
//	tally, err := redrive.Job{
//		Client: client, Group: "payment", Topic: "shop.orders",
//		Filter: filter, Canary: 5, Rate: 100, Act: redrive.Redriven, By: "ann@host",
//	}.Run(ctx)
//
// # Guarantees
//
// Only the group that failed sees the event again. On Kafka the record in the park topic and the note
// are one transaction: killed at any moment and run again, a letter is redriven once per round. On the
// embedded broker a repeat carries the same round, which the owner of the partition passes over while
// it knows the event. Redriven events of a key keep their order among each other; they have none
// against live events of the key. What became of an event is read from the park topic, whose fold it
// is; notes keep it where the topic is gone.
//
// # Failure
//
// What a [Guard] tells is refused. A held key that gets another letter while it goes back stays held and
// whole: [ErrHeld], and the same job does it again.
//
// # Test
//
// Tables for fold and plan; the whole way on kfake and on real Kafka, with a crash between the records.
package redrive
