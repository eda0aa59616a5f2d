// Package demo drives the shop through its real HTTP API, makes trouble, and audits what came of it.
//
// # What
//
// Run starts the shop on an embedded stack, or on given servers, or drives one that runs elsewhere.
// A seeded generator places orders and makes trouble: declined payments, articles that are sold out,
// a gateway that fails or hangs, mailboxes that are full, cancels at bad moments, requests that are wrong or sent twice,
// records that are no events, events of unknown type, events sent twice. Then the audit compares
// what every service, every topic and every group says.
//
// # Use
//
//	report, err := demo.Run(ctx, demo.Config{Orders: 1000, Trouble: 20, Exit: true, Out: os.Stdout})
//
// # Guarantees
//
// What the generator is about to do is written to a journal, and synced, before it does it. After
// kill -9 the same configuration goes on where the journal ends: what was begun is done again, which
// changes nothing where it had been done. Orders counts all orders of a directory.
//
// # Failure
//
// Report.OK is false if any promise does not hold, and Report.Findings says which and where. An
// error of Run means that there is no verdict.
//
// # Test
//
// The audit against a table of wrongs; the whole on the embedded stack; a loop of kills.
package demo
