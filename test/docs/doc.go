// Package docs holds the tests that keep the reference pages true to the code.
//
// # What
//
// Every header, metric and property that the code knows is on its page, and no page tells of one
// that the code does not know.
//
// # Use
//
//	go test ./test/docs
//
// # Guarantees
//
// None beyond the tests.
//
// # Failure
//
// The test names the page and what is missing from it, or from the code.
//
// # Test
//
// This is the test.
package docs
