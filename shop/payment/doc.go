// Package payment is the payment service: it charges for orders and gives the money back.
//
// # What
//
// order.created makes a charge that is pending; a loop asks the gateway outside of any transaction,
// with the order's id as idempotency key, and writes the outcome, and what the shop is told, in a
// second transaction. order.cancelled makes it give back what was taken. The gateway is simulated,
// and keeps its own books as one outside of the house would (Gateway, Sandbox).
//
// # Use
//
//	GET /charges  ?after=&limit=  every charge, and what the gateway holds for it
//
// # Guarantees
//
// The money of an order is taken at most once and given back at most once, however often the
// process dies and whichever of its events arrives first. Money is held for no order that has not
// completed once nothing is open any more.
//
// # Failure
//
// A gateway that fails or hangs is asked again with back-off. When the attempts are used up the
// payment has failed, which ends the order; because one of the attempts may have taken the money
// all the same, the key is voided, and that is tried without end, as refunds are.
//
// # Test
//
// The machine in every order of arrival; the sandbox on SQLite; the service with a gateway that
// fails, hangs and loses answers.
package payment
