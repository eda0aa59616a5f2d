// Package audit judges what a system under chaos did, by what its actors wrote down.
//
// # What
//
// A history is append-only NDJSON: one [Line] per operation that began, per operation that ended (ok,
// fail, or info where nobody knows), and per fact that was found at the end, when everything had come
// to rest: whole topics under both isolation levels, offsets of groups, tables of services. [Audit]
// reads any number of such files and returns its findings, each of one [Class].
//
// # Use
//
//	log, err := audit.Create("load.ndjson", "load")
//	n, err := log.Begin(audit.Line{Op: audit.Order, Key: key})
//	...
//	err = log.End(n, audit.OK, audit.Line{Op: audit.Order, Key: key, Order: id})
//
//	report, err := audit.Audit("load.ndjson", "final.ndjson")
//	for _, f := range report.Findings { ... }
//
// # Guarantees
//
// A clean history has no finding. A fault is found under its own class and, where it has no other
// consequences, under no other. An operation without an end counts as one of unknown end: it may have
// had its effect or not, but not half of it.
//
// # Failure
//
// A line cut off at the end of a file, as kill -9 leaves it, is passed over; any other line that can't
// be read is an error.
//
// # Test
//
// For every class there is a history that is clean but for one mutation, and the audit finds that
// class and nothing else; a hundred generated clean histories pass; a million operations take less
// than a minute.
package audit
