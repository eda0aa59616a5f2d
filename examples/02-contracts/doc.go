// Command 02-contracts is a contract on the way from its first version to its second.
//
// # What
//
// A topic of Avro through a schema registry. Its first type had to break: the second one stands beside
// it, and an upcast makes one handler enough for both. Broker, registry and services are in this
// process; nothing needs to be installed.
//
// # Use
//
//	go run ./examples/02-contracts
//
// # Guarantees
//
// The handler gets each price once as the newest type, whatever it was written as.
//
// # Failure
//
// A price that can't be upcast goes to the topic hotel.prices.desk.dlq.
//
// # Test
//
// The program is run, and what it prints is compared.
package main
