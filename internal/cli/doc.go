// Package cli is every command of the leat binary.
//
// # What
//
// Main parses the command line and runs one command: the services and the demo that were handed in
// as values, the development broker, and the tools that look at a cluster and a database: send,
// tail, topic, group, dlq, outbox, transaction, doctor.
//
// # Use
//
//	func main() {
//		cli.Main(cli.Config{Version: version, Services: shop.Services(...), Demo: runDemo})
//	}
//
// # Guarantees
//
// Data goes to stdout and talk to stderr. The exit status is 0 for done, 1 for failed, 2 for a wrong
// command line or setting, 3 for a check that found something: a plan with changes, a lag over the
// limit, a doctor's finding, a demo whose books do not balance. A flag wins over the environment,
// that over the file, that over the default. What comes from a cluster is shown with its control
// characters escaped.
//
// # Failure
//
// A wrong address, port or password is said within ten seconds, with what to try. Nothing here
// deletes a topic or a record; outbox skip is the one command that drops an event, and it keeps a
// copy.
//
// # Test
//
// Parsers are tables; each command has a testscript in test/e2e, its errors included;
// docs/reference/cli.md is generated from the commands and compared by a test.
package cli
