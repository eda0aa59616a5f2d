// Command 01-hello is the first service of the guides: it takes orders, charges them, and says so.
//
// # What
//
// One handler, one table, one topic of its own. The code is the README's, to the letter.
//
// # Use
//
//	leat dev             # a broker, in another terminal
//	go run ./examples/01-hello
//	leat send acme.orders --type acme.order.created.v1 --key o-1 '{"order_id":"o-1","cents":1200}'
//	leat tail acme.payments --from start
//
// # Guarantees
//
// Each order is charged once, and PaymentSucceeded is published if and only if it was.
//
// # Failure
//
// An order over the limit goes to the topic acme.orders.payment.dlq.
//
// # Test
//
// The process is run against an embedded broker, killed, and stopped.
package main
