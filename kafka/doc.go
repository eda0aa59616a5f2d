// Package kafka is one Kafka cluster: its configuration and client, topics, and the way between
// events and records.
//
// # What
//
// Config names a cluster with Go fields or with Java's and librdkafka's property names. Open
// answers within seconds whether it can be reached. Record and WireOf turn messages into CloudEvents
// records and back. Producer sends typed events; Transactor is the exactly-once way out that the
// outbox relay uses; PlanTopics shows what topics lack and creates it; Dangers looks for settings
// that lose data.
//
// # Use
//
//	client, err := kafka.Open(ctx, kafka.Config{Brokers: []string{"localhost:9092"}})
//	...
//	defer client.Close()
//	producer, err := client.Producer(kafka.ProducerConfig{Source: "payment", Owns: topics})
//	...
//	err = producer.Send(ctx, PaymentSucceeded{OrderID: "42"})
//
// # Guarantees
//
// Producers are idempotent and wait for all in-sync replicas. A keyed record goes to the partition
// that Java's producer would choose. Every property that is accepted has its effect; any other is
// refused with the reason or the nearest name. Secrets print redacted. A transactor that has met
// any error commits nothing more. What Kafka left open of a transaction that has ended, the next
// transactor of its id ends as it was decided, or says that it may not (ErrHanging). Nothing here deletes a topic or a record, shrinks retention or
// adds partitions unless told to.
//
// # Failure
//
// Errors are of type *Error where a topic or an act matters, and carry a hint: what to try next. A
// wrong address, port, certificate or password is told apart by Open, within its deadline. A
// producer that times out does not know whether its record is in the log. ErrFenced means that
// another transactor with the same id has taken over.
//
// # Test
//
// Golden files for the wire form and for Java's partitions, fuzz targets for every parser, and the
// same suite on kfake and on real Kafka.
package kafka
