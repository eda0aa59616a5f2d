// Package ledger is the evidence of a shop's service: which event it handled, with what result.
//
// # What
//
// Once is outbox.Once with the two habits of the shop: a payload that says nothing sensible is
// refused for good, and the handling is entered in the service's ledger in the same transaction.
// The table has no unique key on the event on purpose: were an event handled twice, there would be
// two entries, however idempotent the machine behind them is. OnceAfter calls out of the house before
// that transaction begins. Routes shows the ledger to an audit.
//
// # Use
//
//	ledger.Once(contract.Orders, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[contract.OrderCreated]) (string, error) {
//		...
//		return "charge is pending", nil
//	})
//
// # Guarantees
//
// One entry per committed handling: an entry without the effect, or an effect without the entry,
// can't be.
//
// # Failure
//
// An entry that can't be written undoes the handling, which is tried again.
//
// # Test
//
// A repeated event leaves one entry with the inbox and two without it.
package ledger
