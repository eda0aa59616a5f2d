// Package yard carries parked events: records into the park topics, in order, and out of them.
//
// # What
//
// A park partition is a log of decisions (package park). [Writer] appends to it; [Reader] reads many of them
// beside the group's client, each for an owner; [Fetcher] reads single events out of the middle, whose
// time has come. [Record] and [EventOf] are the form of a record. [Jobs] are for the goroutines that load
// events and write dead letters, [Dues] is what waits for its time. What is decided, package consumer's
// parking decides.
//
// # Use
//
//	w, err := yard.NewWriter(cfg.Kafka)
//	go w.Run(ctx)
//	w.Append(ctx, yard.Record(topic, partition, decision, event, nil), func(err error) { ... })
//	w.Hurry() // something waits for it
//	r := yard.NewReader(cfg.Kafka, take)
//	r.Begin(owner, topic, partition, offset)
//	err = r.Run(ctx)
//
// # Guarantees
//
// Records of one partition are written in the order of Append, within 25 ms and those of that time in one
// request, or at once. Nothing that was fetched for an earlier
// owner of a partition comes to a later one. An event that is read is what it was at its source: place,
// time, key, value and headers.
//
// # Failure
//
// A record that was not written, or of which nobody knows, is told: it may still land, and its owner
// begins anew. A record that claims to be ours and can't be read is [park.ErrMalformed].
//
// # Test
//
// Package consumer's suites of parking; the form of records and the order of what is due by example.
package yard
