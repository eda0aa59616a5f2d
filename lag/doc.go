// Package lag says how far consumer groups are behind.
//
// # What
//
// Read puts a group's committed offsets beside the partitions' starts and ends; List names the
// groups of a cluster. Of is the pure core: what lag means for one partition.
//
// # Use
//
//	groups, err := lag.Read(ctx, client, "payment")
//	if groups[0].Total() > 0 { ... }
//
// # Guarantees
//
// Lag is never negative, an empty partition has none, and a partition that a group has not committed
// counts from its first record, if the group has committed another partition of the topic or is
// assigned one: a group of leat begins there. Of a share group the lag is what its brokers tell, or else
// what lies above the lowest event that is not done. What the offset map of a leat group names as finished
// above its offset is no lag. A group member of either protocol (classic, KIP-848) is seen.
//
// # Failure
//
// A partition whose offsets can't be read has its error and does not count; Total covers the rest. A
// group that does not exist is [ErrNoGroup].
//
// # Test
//
// A table for the core, and the same suite on kfake and on real Kafka.
package lag
