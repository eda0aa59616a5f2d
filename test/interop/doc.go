// Package interop holds the tests that leat's contracts are those of others.
//
// # What
//
// Programs in Python, JavaScript and Java use the schema registry clients of their languages: what they
// register and write is read by leat's codec, and what leat registers and writes is read by them, by
// leat's registry. Apicurio Registry is a second server for leat's client, and is asked for its verdicts
// on all changes of schemas that leat's rooms are held to. docs/reference/compatibility.md has the
// versions and what differs. TestAsyncAPI holds
// what leat tells of services to the JSON Schema that AsyncAPI publishes. TestSpring has an application of
// Spring Kafka's in a group of leat's, on real Kafka.
//
// # Use
//
//	go test ./test/interop -run 'TestPython|TestApicurio' -v
//
// A program is in testdata/LANGUAGE beside the file that pins what it needs. It reads questions and
// writes answers, a line of JSON each; peer_test.go has the form.
//
// # Guarantees
//
// Nothing is looked up but the packages that are pinned, once; leattest/server keeps them.
//
// # Failure
//
// Without Python, Node.js or Java the tests skip, or fail where
// LEAT_TEST_REQUIRE names python, node, java or kafka.
// Short runs skip them all.
//
// # Test
//
// It is one.
package interop
