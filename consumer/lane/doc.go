// Package lane is the pure core of a consumer: which event may start now, and which offset may be
// committed.
//
// # What
//
// [Tracker] follows the records of one partition from their arrival to their end and tells the low
// water: the offset below which all is finished; [Finished] is what is finished above it. [Progress] adds
// what is committed of that and how far there is to go. [Scheduler] keeps the events of each key in a lane,
// one behind the other, and gives out the heads of lanes within the limits of their class and of the
// whole, one by one or in batches. A [Gate] holds items back that could start.
//
// # Use
//
//	seq, fresh := tracker.Add(offset, epoch)
//	scheduler.Add(item, class, part, lane.KeyOf(hash), size)
//	for it := scheduler.Next(); it != nil; it = scheduler.Next() {
//		...
//		scheduler.Done(it)
//		tracker.Done(seq)
//	}
//
// # Guarantees
//
// At most one item of a lane is out at a time, and they come out in the order in which they went in.
// The low water never passes an unfinished record and never goes back. Each step costs constant
// time (delays: logarithmic) and allocates nothing per item.
//
// # Failure
//
// Finishing what is not out, or twice, is a bug of the caller's and panics.
//
// # Test
//
// Models that do the same naively, walked at random and by fuzzing. The package knows no clock, no
// context and no I/O: times and hashes come in as numbers. Its types are not safe for concurrent
// use.
package lane
