// Package leat is the language of the system: events, envelopes, topics, handlers, outcomes, retry.
//
// # What
//
// An event is a plain Go value whose type names its contract (EventType) and its key (EventKey).
// A Topic lists the event types it carries. A Message is an event encoded and addressed, ready to
// leave; an Envelope is an event as it arrived, read on use; Event[T] is the envelope with its data.
// A Handler is a value that says what a consumer group does with one type of one topic.
//
// # Use
//
//	var Orders = leat.Topic{Name: "shop.orders", Carries: []any{OrderCreated{}}}
//
// The rooms that act on these words are kafka (the wire), consumer and outbox (motion) and
// service (the host).
//
// # Guarantees
//
// Values here are data and pure functions: no clock, no I/O, no goroutine, no global state. The
// package imports the standard library only.
//
// # Failure
//
// A handler answers with an outcome: nil, any error (retry), [Permanent], [RetryAfter], [Skip];
// infrastructure answers with [Unavailable], which never counts as an attempt.
//
// # Test
//
// Tables, properties and fuzz targets beside each file.
package leat
