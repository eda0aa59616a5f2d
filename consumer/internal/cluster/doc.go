// Package cluster is what a group asks of its cluster, and tells it, beside reading: whether the brokers
// have its protocol, where it stands, where partitions begin and end, how large a record may be.
//
// # What
//
// [Membership] joins a group by the classic protocol or by KIP-848, and leaves it for a while ([Membership.Leave]).
// [Standing], [Bound] and [ParkPlaces] ask for offsets, [Commit] commits them with what stands beside them.
// [PrepareShare] makes sure that a cluster has share groups whose settings lose nothing. A [Watch] waits for
// topics and makes those that a group needs beside them; a [Line] follows the control topic.
//
// # Use
//
//	m := cluster.Membership{Group: group, Protocol: cluster.Classic, Session: session, Rebalance: rebalance}
//	client, err := cfg.Kafka.NewClient(append(m.Options(), ...)...)
//	at, err := cluster.Standing(ctx, client, group, partitions)
//
// # Guarantees
//
// A commit goes out only if its caller lets it, when the member id and the generation that it is sent
// under are settled. A group of a protocol that the cluster lacks is refused, not joined by another.
//
// # Failure
//
// Each question is one request with its context's time; who asks asks again. [ErrNoShareGroups] and
// [ErrClassicOnly] are for good.
//
// # Test
//
// Package consumer's suites, on the embedded broker and on real Kafka.
package cluster
