// Package e2e holds the tests that run the binary.
//
// # What
//
// Each script under testdata/script runs commands of bin/leat as a person would, errors included: on
// an embedded broker in a process of its own, and on real Kafka where LEAT_TEST_KAFKA names one.
//
// # Use
//
//	go test ./test/e2e -run 'TestCommands/kfake/send'
//
// Scripts are in the language of testscript, with three commands more: "status N program args..."
// wants that exit status, "eventually program args..." runs it until it succeeds, and "silent" opens
// a port that never answers.
//
// # Guarantees
//
// Topics and groups carry a random prefix, $P, so that scripts share a real cluster.
//
// # Failure
//
// Without LEAT_TEST_KAFKA the scripts on real Kafka skip, or fail where LEAT_TEST_REQUIRE says so.
//
// # Test
//
// It is one.
package e2e
