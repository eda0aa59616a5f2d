// Package shipping is the shipping service: it sends goods out, and it alone decides between
// dispatch and cancel.
//
// # What
//
// inventory.reserved dispatches, order.cancel_requested cancels; they come on two topics, which have
// no order between them, and meet in one row: the first to arrive wins.
//
// # Use
//
//	GET /shipments  ?after=&limit=
//
// # Guarantees
//
// An order is dispatched once or cancelled once, never both, whatever arrives in whichever order.
//
// # Failure
//
// Nothing here can fail but the database.
//
// # Test
//
// The machine in every order of arrival.
package shipping
