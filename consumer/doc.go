// Package consumer is a consumer group at work: it hands the events of topics to handlers, in the
// order of their keys, and answers for each one.
//
// # What
//
// [On] makes a handler of one event type on one topic, [Batch] one that takes several events at once; a
// [Consumer] is a member of a group that runs handlers. Each record is told by its CloudEvents type before anything is decoded, and put into the
// lane of its key: events of one (topic, partition, key) run one after the other, over all types of
// the topic that the group handles, while other keys run on. What can't be handled goes to the dead
// letters, <topic>.<group>.dlq, with its whole story ([DeadLetter]).
//
// With [Park] an event whose attempts are used up moves to <topic>.<group>.park, to the partition with
// its source's number, and is tried again from there; its key's later events queue behind it (package
// park decides, from the records of that partition alone). A partition begins by a claim: commit it,
// write its marker, read up to that, raise the databases' fence ([leat.Fence]), then let the source run.
//
// With [RetryTopics] an event of a handler without order moves to <topic>.<group>.retry-1 instead, and on
// from there; what waits lies in memory within the bounds of its partition, and otherwise in the topic.
//
// [Share] is a member of a share group instead: work without order, as from a queue.
//
// # Use
//
//	c, err := consumer.New(consumer.Config{
//		Group:    "billing",
//		Handlers: []leat.Handler{consumer.On(Orders, bill, consumer.Parallel(64))},
//	})
//	err = c.Run(ctx) // until ctx ends and all in hand is finished and committed
//
// # Guarantees
//
// At least once: an offset is committed only when every record below it was handled, passed over by
// rule, or stands in the dead letters. The commit's metadata says what is finished above it, so that a
// restart repeats what was unfinished. In order: an event of a key starts only when the one before it
// is finished, retries included. Records without a key have no order. A rebalance never stops the
// partitions that stay, and what finishes after its partition was taken away is never committed.
// Memory is bounded by Config's bounds, whatever the handlers do. A group without offsets starts at
// the earliest record; aborted transactions are never seen; lag reaches 0.
//
// Handlers of [Transform] run in a member of their own: the outputs of an event, or its dead letter, and
// the offset behind it become visible in one Kafka transaction, each exactly once for a read_committed
// reader (on the embedded broker at least once, with the same ids).
//
// # Failure
//
// A failing event is tried again in its lane with full-jitter back-off, holding neither a worker nor
// the heartbeat; when its attempts are used up it goes to OnExhausted or to the dead letters. A panic
// is tried once more. [leat.Unavailable] pauses the partition until the infrastructure is back and
// counts as no attempt. While a dead letter can't be written nothing is committed past its record.
// An offset that the log no longer has stops its partition, for nobody knows what was missed.
// A record that can't be written to the park topic, or a newer member's marker there, ends the claim;
// the partition begins anew above it. One that holds as many parked events as it may waits.
// A batch that fails without saying which of its events is at fault is tried one by one. A [Breaker]
// stops a handler that fails too often, a [Limit] bounds its rate; neither holds a worker. A handler
// that ignores its context is told of, and at last ends the consumer ([ErrHung]).
// The first error of a transaction ends the member of the transforms; the next one begins from what is
// committed. [Consumer.Ready] tells of all of these.
//
// # Test
//
// The cores (lane, park, letter, internal/attempt) are tables, models and fuzz targets; the group runs in
// synctest bubbles on kfake with faults, and the same suite on real Kafka. What is not the group's life
// under its lock has rooms of its own (docs/decisions/0056).
package consumer
