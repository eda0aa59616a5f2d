// Package work does what rows wait for outside of any transaction: call a gateway.
//
// # What
//
// A row that waits says when it is due. Loop claims due rows in one transaction, which also puts
// off their next time, does each outside of any transaction, and has its outcome written in a
// second one. Who dies in between leaves a row that is due again later: what is done needs an
// idempotency key.
//
// # Use
//
//	service.Part{Name: "gateway", Run: work.Loop[job]{Claim: claim, Do: do, Wake: wake}.Run}
//
// # Guarantees
//
// At most Parallel rows are in hand. On cancellation nothing new is claimed, and what is in hand is
// finished.
//
// # Failure
//
// A claim that fails is logged and tried again with back-off: the database may be away.
//
// # Test
//
// In a synctest bubble with functions for a database.
package work
