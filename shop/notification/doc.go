// Package notification is the notification service: it tells customers what became of their orders.
//
// # What
//
// Four events call for a notice each: completed, cancelled, refunded, dispatched. Their handler stores
// the notice, hands it to a mail server outside of any transaction, and stores that it was sent with
// the event notification.sent. The sandbox takes the server's place where there is none.
//
// # Use
//
//	GET /notifications  ?after=&limit=
//
// # Guarantees
//
// One notice per order and reason. It is handed to the server at least once: who dies between the
// server's answer and the commit sends the mail again, with the same Message-ID. The notices of an
// order that come of one topic are sent in its order.
//
// # Failure
//
// A mail that is not taken now (a full mailbox) is tried again at once and then parked: later events
// of its order wait behind it, nobody else does. After a day, or at once where it will never be taken,
// its event is a dead letter, and the notice is pending until that is redriven. A server that takes
// nobody's mail pauses the partitions, without limit, and /readyz says so.
//
// # Test
//
// Every event's notice, repeats, a full mailbox beside others, and a real conversation with an SMTP
// server in the test.
package notification
