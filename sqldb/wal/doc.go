// Package wal reads PostgreSQL's write-ahead log: the replication connection, its slot and the
// decoder of pgoutput.
//
// # What
//
// A Conn is a replication connection: it creates slots and streams what a publication lets through,
// transaction by transaction in the order of their commits. A Decoder turns the stream's messages
// into Changes; it is pure. Slots, Free and Drop look after slots by an ordinary connection.
//
// # Use
//
//	conn, err := wal.Open(ctx, db.URL())
//	defer conn.Close()
//	err = conn.Start(ctx, slot, publication, 0)
//	var d wal.Decoder
//	var c wal.Change
//	for {
//		frame, err := conn.Receive()
//		...
//		err = d.Decode(frame.Data, &c)
//		...
//		err = conn.Acknowledge(c.End, false) // once it is safe elsewhere
//	}
//
// # Guarantees
//
// The server sends a transaction only when it is committed and on its disk, and sends it again after
// a restart until its end is acknowledged. No message makes the decoder panic or hold more than
// the message has.
//
// # Failure
//
// The server keeps all of its log from the oldest unacknowledged transaction on, until the disk is
// full or max_slot_wal_keep_size is passed; then the slot is lost, and with it what it had not
// delivered. Slot tells how much is kept and how much may still come. What can be mended comes with
// a hint in an *Error. One connection reads a slot at a time.
//
// # Test
//
// The decoder by messages recorded from a real server and by fuzzing, the connection and the slots
// on a real server.
package wal
