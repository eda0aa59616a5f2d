// Package house holds the tree to docs/house.md.
//
// # What
//
// Read turns the page's tables (floors, staircase, sideways, materials, root) into
// a Law; Law.Check parses every Go file below a directory and returns what breaks
// it, one line per fault.
//
// # Use
//
//	go test ./internal/house
//
// # Guarantees
//
// The page is the law: there is no second copy of its tables. Generated and
// build-tagged files count, and so do tests. Directories named testdata, those
// that begin with a dot or underscore, and other modules do not.
//
// # Failure
//
// A fault names file, line and rule. A directory that the page does not know is a
// fault, so a new room begins with a line on the page.
//
// # Test
//
// Made-up trees show that each rule turns red.
package house
