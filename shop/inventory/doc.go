// Package inventory is the inventory service: it takes goods out of stock for paid orders and puts
// them back.
//
// # What
//
// payment.succeeded takes all of an order's goods or none; order.cancelled puts back what was taken,
// and stays as a tombstone where it comes first.
//
// # Use
//
//	PUT /stock/{sku}   {quantity}: there are that many pieces for sale now
//	GET /stock/{sku}
//	GET /stock         ?after=&limit=
//	GET /reservations  ?after=&limit=
//
// # Guarantees
//
// Stock is never negative, and what is out of stock is what reserved orders hold: counted = taken +
// available, for every article at every time.
//
// # Failure
//
// A count below zero is refused with problem details.
//
// # Test
//
// The machine in every order of arrival; the routes on SQLite and an embedded broker.
package inventory
