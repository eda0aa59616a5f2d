// Package park is the pure core of order-preserving parking: what the records of a park partition come
// to, and what its owner may do next.
//
// # What
//
// An event that fails moves to the park topic of its topic and group, to the partition with its
// source's number; the later events of its key queue behind it there, and all other keys run on. The
// park partition is a log of decisions ([Record]): an event waits (Park), is given up (Dead), is
// finished (Fin). Whatever is known about a key is a fold of that log ([Fold]); nothing else is kept
// but a number beside the committed offset ([Meta]).
//
// [Core] adds the owner: it takes what happens (a record read, a source event, the end of an attempt)
// and answers with what to do ([Effect]). It knows no clock, no I/O and no payloads; when a parked
// event is due, its [Tries] say to the caller.
//
// # Use
//
//	core := park.New(cfg, start)     // start: from the committed offsets and their metadata
//	commit(core.Claim())             // fenced by the group; refused: give up the partition
//	do(core.Open())                  // writes the marker
//	do(core.Apply(record, offset))   // everything that is read, from start.Park on; Begin comes of it
//	do(core.Begin())                 // after the fence was raised; the source may run
//	do(core.Source(key, offset))     // a source event that is the first of its lane
//	do(core.Result(event, park.Done, past, ""))
//	commit, more := core.Commit(low) // both offsets in one request, every now and then
//	do(core.Committed(commit))
//
// A tool that only looks reads the partition into a [Fold] and asks it for its Keys; [Parse] and
// [Record.Header] are the records' form.
//
// # Guarantees
//
// The first and the last effects of a key's events are in the order of the source, nothing is lost,
// and nothing takes effect after its dead letter was written, whatever crashes and whichever records
// of earlier owners arrive late. What a handler that keeps no inbox may see twice is in
// docs/guarantees.md.
//
// # Failure
//
// A record that can't be written ends the core (ProduceFailed), as does the marker of a newer owner
// (Stop); the caller begins with a new one or gives up the partition. A record that claims to be of
// the protocol and can't be read is [ErrMalformed]: its partition has to stop.
//
// # Test
//
// A model checker walks this very core through every interleaving of small worlds with crashes, late
// records, rebalances and tools, and finds what each rule is for when the rule is switched off.
package park
