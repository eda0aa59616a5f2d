// Package redrive gives dead letters back to the group that could not handle them, through its park
// topic, and keeps what was done as notes in the dead-letter topic itself.
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
//	plan := story.Plan(redrive.Filter{Reason: consumer.ReasonExhausted}, redrive.MaxRounds) // what would be done
//	done, err := redrive.Job{
//		Client: client, Group: "payment", Topic: "shop.orders", Rounds: redrive.MaxRounds,
//		Filter: redrive.Filter{Reason: consumer.ReasonExhausted}, Act: redrive.Redriven, By: "ann@host",
//	}.Run(ctx)
//
// # Guarantees
//
// Only the group that failed sees the event again. On Kafka the record in the park topic and the note
// are one transaction: killed at any moment and run again, a letter is redriven once per round. On the
// embedded broker a repeat carries the same round, which the owner of the partition passes over while
// it knows the event. Redriven events of a key keep their order among each other; they have none
// against live events of the key.
//
// # Failure
//
// A letter whose payload was left out for size, or that came back as often as the loop guard allows, is
// refused. A group without a park topic is [ErrNotParked].
//
// # Test
//
// Tables for fold and plan; the whole way on kfake and on real Kafka, with a crash between the records.
package redrive
