// Package outbox is the way of events out of a database transaction, and of their effects into one.
//
// # What
//
// A Box is the outbox and the inbox of one service in its own database. A Tx is a database
// transaction that carries events: what it writes and what it publishes are committed together or
// not at all. Once makes a handler that takes effect once per event, OnceBatch one for several events
// in one transaction. A Relay brings the committed
// events to Kafka, in order per key.
//
// # Use
//
//	box, err := outbox.New(outbox.Config{DB: db, Source: "payment", Owns: []leat.Topic{Payments}})
//	...
//	err = box.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
//		if _, err := tx.Exec(ctx, `insert into charge (order_id, cents) values ($1, $2)`, id, cents); err != nil {
//			return err
//		}
//		return tx.Publish(ctx, PaymentSucceeded{OrderID: id})
//	})
//
//	handlers, err := box.Bind(outbox.Once(Orders, charge))
//	relay, err := outbox.NewRelay(outbox.RelayConfig{Box: box, Kafka: cluster})
//	err = relay.Run(ctx)
//
// # Guarantees
//
// On Apache Kafka a read_committed reader sees each event of a committed transaction exactly once,
// and no event of any other, across kill -9 of the relay, the broker or the database. Events of one
// key come in the order of the commits, if the transactions that publish them hold a lock in common
// when they commit: the aggregate's row, or a unique version. No open transaction holds others up.
//
// In mode wal, on PostgreSQL, they come in the order of the commits across keys too, from when the
// relay reads its replication slot; a slot that is lost costs that order, and no event.
//
// In mode message events lie in the server's log alone and no row is written: the same order, exactly
// once, but a slot that is lost takes with it what it had not delivered, which is told.
//
// In mode retain rows stay when they have left, for audit and replay: the same guarantees, with a cursor
// in the database in place of the deletes, and partitions that go when they are old.
//
// On the embedded broker, whose transactions do not survive a kill, an event may come again after a
// crash, then maybe behind later ones. Once passes over what it has handled, so that its effects
// stay exactly once; plain handlers see the repeat.
//
// # Failure
//
// After any error the relay throws its client away and takes over anew: what became of the last
// transaction it reads from Kafka. An event that can't leave is parked in leat_outbox_parked with a
// letter in its place, and the others go on; Skip parks one by hand. Where the database is not the
// one that the position in Kafka was written for, nothing is deleted that is not the very row that
// left, and Status and the log tell.
//
// # Test
//
// Pure cores (ids, mark, position, attributes) by tables, properties and fuzzing; the relay on
// SQLite and PostgreSQL, embedded and real Kafka, killed and stopped with writers that do their
// worst.
package outbox
