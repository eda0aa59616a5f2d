// Package share works on what a share group's brokers give to a member: hands of events and their locks.
//
// # What
//
// A [Session] deals with one hand after the other: it handles the events side by side, renews the brokers'
// locks on those that take long, and tells of each that it is done, or gives it back.
//
// # Use
//
//	s := share.Session{Client: client, Log: log, Drain: drain, Grace: time.Second, Cause: cause, Handle: handle}
//	left := s.Deal(ctx, life, client.PollRecords(ctx, n).Records())
//
// # Guarantees
//
// An event is told done only when Handle says so, and stays this member's while its handler works. Deal
// returns when all have ended.
//
// # Failure
//
// A handler that ends its goroutine gives its event back, and so does one that ignores the end of its
// context: another member gets it. Locks that can't be renewed are told of, and run out.
//
// # Test
//
// Package consumer's suite of share groups on real Kafka; hands by example.
package share
