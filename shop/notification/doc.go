// Package notification is the notification service: it tells customers what became of their orders.
//
// # What
//
// Four events call for a notice each: completed, cancelled, refunded, dispatched. A notice is
// stored with the event and sent by a loop outside of any transaction, to the log or to an SMTP
// server; notification.sent follows in a second transaction.
//
// # Use
//
//	GET /notifications  ?after=&limit=
//
// # Guarantees
//
// One notice per order and reason. It is sent to the log's or the server's hands at least once: who
// dies between the server's answer and the commit sends the mail again, with the same Message-ID.
//
// # Failure
//
// A mail that the server does not take is tried again with back-off, without end, and the log calls
// for a person every tenth time.
//
// # Test
//
// Every event's notice, repeats, and a real conversation with an SMTP server in the test.
package notification
