// Package leattest is leat's test kit: what every test needs whatever it tests.
//
// # What
//
// Waiting with a reason (Eventually, Within), names nobody else uses (Name), and
// the rule for tests that need a server (Need): without the server they are
// skipped and say why, and where LEAT_TEST_REQUIRE names it they fail instead.
// The rooms below it bring the servers themselves: leattest/broker a Kafka to
// talk to, leattest/sql a database, leattest/server real processes to start and
// kill.
//
// # Use
//
//	leattest.Eventually(t, "the order is completed", func() error {
//		state := get(t, id)
//		if state != "completed" {
//			return fmt.Errorf("state is %q", state)
//		}
//		return nil
//	})
//
// # Guarantees
//
// Eventually works in a synctest bubble, where its waiting costs no time, and
// out of it. Names are random, so tests that share a server never meet.
//
// # Failure
//
// A wait that ends without success fails the test with what was awaited and
// the last error.
//
// # Test
//
// The package stands on the standard library only, and only packages named
// x_test may import it.
package leattest
