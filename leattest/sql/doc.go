// Package sql gives a test a database of its own, on SQLite and on PostgreSQL
// behind one type.
//
// # What
//
// Each runs a body as subtests on both; SQLite and Postgres give one. A Database
// is a URL for the code under test and a database/sql handle for the test itself.
//
// # Use
//
//	sql.Each(t, func(t *testing.T, db *sql.Database) {
//		box := open(t, db.URL)
//		...
//		if n := db.Int(t, "select count(*) from outbox"); n != 0 {
//			t.Errorf("%d rows are left", n)
//		}
//	})
//
// # Guarantees
//
// Every database is empty and nobody else's: a file below the test's temporary
// directory, or a database made on the server that LEAT_TEST_POSTGRES names and
// dropped after the test with its connections and replication slots.
//
// # Failure
//
// Without LEAT_TEST_POSTGRES, Postgres skips and says so; where LEAT_TEST_REQUIRE
// names postgres it fails.
//
// # Test
//
// The room tests itself on both databases. It stands on floors 0 and 1.
package sql
