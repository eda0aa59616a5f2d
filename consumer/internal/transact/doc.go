// Package transact is how the outcomes of transforms leave: their outputs, dead letters and decisions, with
// the offsets behind them.
//
// # What
//
// [Outputs] addresses and encodes what transforms return. A [Bundle] leaves by a [Way]: in one Kafka
// transaction ([OpenTransactions]), or, on a broker that forgets transactions, one thing behind the other
// ([OpenRepeatable]). [Survey] learns what both need to know of the cluster.
//
// # Use
//
//	ground, err := transact.Survey(ctx, cfg.Kafka, topics)
//	way, version, err := transact.OpenTransactions(ctx, cfg.Kafka, id, timeout, ground.Limits, batches)
//	committed, err := way.Deliver(ctx, member, bundle)
//
// # Guarantees
//
// In a transaction all of a bundle becomes visible, or nothing; its offsets are sent under the group's
// generation of the moment, and only while the partitions are the member's. The ids of outputs are the
// same whenever an event is transformed again.
//
// # Failure
//
// The first error ends a way: what became of its transaction is known when the next one opens with the
// same id. [ErrAsleep] says that the process had slept longer than a transaction lives. An output whose
// type no topic carries waits for a better service; one that is too large is the event's fault.
//
// # Test
//
// Package consumer's suites of transforms, with faults at each step of a transaction.
package transact
