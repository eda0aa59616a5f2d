// Package shop is the reference system: five services that sell things by telling each other what
// happened.
//
// # What
//
// Services lists order, payment, inventory, shipping and notification as values. Each is its own
// consumer group with its own database, and none calls another: order.created makes payment charge,
// payment.succeeded makes inventory reserve, inventory.reserved makes shipping dispatch,
// shipment.dispatched completes the order. Everything undone hangs on order.cancelled alone. Events
// are Avro, their schemas derived from the structs of shop/contract.
//
// # Use
//
//	service.NewHost(service.HostConfig{
//		Kafka: kafka, Registry: registry, DatabaseURL: "sqlite:data", Services: shop.Services(shop.Config{}),
//	})
//
// # Guarantees
//
// Every order ends, completed or cancelled, once. When nothing is under way any more, the money held
// is the total of the completed orders and the goods out of stock are those that were shipped.
//
// # Failure
//
// Each service's page says what it does about its own.
//
// # Test
//
// Every interleaving of one order through all machines is walked; shop/demo drives the whole with
// trouble and audits it.
package shop
