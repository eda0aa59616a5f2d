// Package broker gives a test a Kafka to talk to: the embedded one and the real
// one behind one type.
//
// # What
//
// Each runs a body as subtests on kfake and on real Kafka; Fake gives a kfake
// cluster, on loopback or on a virtual network that lives in a synctest bubble,
// with its faults; Real gives the cluster that LEAT_TEST_KAFKA names; At wraps
// brokers the test started itself.
//
// # Use
//
//	broker.Each(t, func(t *testing.T, b *broker.Broker) {
//		topic := b.CreateTopic(t, b.Name("orders"), 3, nil)
//		...
//		got := b.ReadAll(t, topic, kgo.ReadCommitted())
//	})
//
// # Guarantees
//
// A virtual cluster needs no real socket, so a bubble's clock runs while clients
// wait for it; it must be made inside the bubble. Topics keep their records until
// the test ends: retention is unlimited unless the test says otherwise.
//
// # Failure
//
// Without LEAT_TEST_KAFKA, Real skips and says so; where LEAT_TEST_REQUIRE names
// kafka it fails. A broker that does not answer fails the test within a minute.
// kfake is not Kafka: what it gets wrong (transactions across kill -9, compaction,
// authorization by certificate) is only proved on real Kafka.
//
// # Test
//
// The room tests itself on both clusters. It stands on floors 0 and 1.
package broker
