// Package service hosts services: one call makes a process out of handlers, topics and routes.
//
// # What
//
// Main reads flags, environment and a file, and runs one service until SIGTERM. A Host runs several
// services in one process behind one HTTP listener: database and migrations, topics, consumers,
// relays, parts, routes, probes, metrics, traces.
//
// # Use
//
//	func main() {
//		service.Main(service.Config{
//			Name:       "payment",
//			Owns:       []leat.Topic{Payments},
//			Migrations: migrations,
//			Handlers:   []leat.Handler{outbox.Once(Orders, charge)},
//		})
//	}
//
// # Guarantees
//
// Nothing takes work before what it needs is there, and the end comes in the opposite order: no new
// requests, requests in hand answered, events in hand finished and committed, parts returned, the
// outbox emptied as far as the time allows. Each service has its own database and its own group.
//
// # Failure
//
// A start that can't succeed ends with an error that says what was awaited and what to try. A part,
// a consumer or a relay that fails for good ends the process: an orchestrator starts it again, and
// nothing is lost by that. What is away for a while shows in /readyz and heals.
//
// # Test
//
// Whole services in a synctest bubble (leattest/stack), processes under SIGTERM and kill -9.
package service
