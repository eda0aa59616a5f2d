// Package payload gets handlers the data of their events: fetched where an event only refers to it, and
// decoded, several at a time for those that take batches.
//
// # What
//
// [Claims] wraps a handler so that what it gets is whole. [DecodeBatch] reads the events of a batch;
// [Replace] brings the indexes of a handler's faults back to the places that the events had.
//
// # Use
//
//	h = payload.Claims{Store: store, Max: 64 << 20}.Wrap(h)
//
// # Guarantees
//
// A handler gets the bytes that were put, or is not called. One event of a batch that can't be read or
// fetched is a fault of its own: the others are handled.
//
// # Failure
//
// A store that is away, or not configured, is [leat.Unavailable]: the event waits. A payload that is gone
// or another is permanent.
//
// # Test
//
// Package consumer's suites of payloads and batches.
package payload
