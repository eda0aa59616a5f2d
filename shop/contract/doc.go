// Package contract is what the shop's services say to each other: events, topics, money.
//
// # What
//
// One plain Go struct per event type, one topic per service. Types are named
// shop.<noun>.<verb>.v1; key and subject of every event are the order's id, and every payload has
// order_id. Events carry what their readers need (the goods, the customer, the amount), because no
// service asks another one.
//
// # Use
//
//	tx.Publish(ctx, contract.OrderCompleted{OrderID: id, CustomerID: customer, Total: total})
//
// # Guarantees
//
// A field that was published keeps its name, type and meaning; new fields are optional. Money is in
// minor units of its currency and never a float.
//
// # Failure
//
// Validate tells a payload that decodes but says nothing sensible; its reader dead-letters it.
//
// # Test
//
// The wire form of every event is pinned by testdata/events.golden.
package contract
