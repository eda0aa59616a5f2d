// Package order is the order service: it takes orders over HTTP, and says when and how they end.
//
// # What
//
// POST /orders stores an order and publishes order.created in one transaction. What payment,
// inventory and shipping make of it comes back as events and moves the order's machine (Order.Next)
// to one of its two ends. The service also listens to the rest of the shop, its own topic included,
// so that an order can show its timeline: which service did what, when, at which topic, partition
// and offset.
//
// # Use
//
//	POST /orders                {customer_id, currency, items[{sku, quantity, unit_price}]}, Idempotency-Key
//	GET  /orders/{id}           state and timeline
//	GET  /orders/{id}/timeline  the timeline as server-sent events, until the client leaves
//	GET  /orders                ?customer=&state=&after=&limit=
//	POST /orders/{id}/cancel    202; shipping decides
//
// # Guarantees
//
// One order per Idempotency-Key, however often and however concurrently it is sent. An order ends
// once. Cancelling is a wish: if the goods are out of the house first, the order completes.
//
// # Failure
//
// Bad requests get problem details and change nothing: 400 can't be read, 404 no such order, 409
// too late to cancel, 422 read but refused. An event about an order that was never taken here goes
// to the dead letters.
//
// # Test
//
// The machine in every order of arrival; the routes on SQLite and an embedded broker.
package order
