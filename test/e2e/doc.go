// Package e2e holds the tests that run the binary.
//
// # What
//
// Each script under testdata/script runs commands of bin/leat as a person would, errors included: on
// an embedded broker in a process of its own, and on real Kafka where LEAT_TEST_KAFKA names one. The
// shop runs as ten processes on servers of the test's own, under kill -9 of all of them; the demo goes
// on after kills; the README's service is built from the README and answers.
//
// # Use
//
//	go test ./test/e2e -run 'TestCommands/kfake/send'
//	go test ./test/e2e -run TestShopSurvivesKills -v [-e2e.seed N]
//
// Scripts are in the language of testscript, with more commands: "status N program args..." wants
// that exit status, "eventually program args..." runs it until it succeeds, "serves URL" waits until
// that answers, "freeport V" finds a free address, "silent" opens a port that never answers, and
// "slurp V file" reads a line into a variable.
//
// # Guarantees
//
// Topics and groups carry a random prefix, $P, so that scripts share a real cluster.
//
// # Failure
//
// Without LEAT_TEST_KAFKA the scripts on real Kafka skip, or fail where LEAT_TEST_REQUIRE says so. So
// do the tests that start servers of their own, where those can't be had. A failed test shows its seed
// and the end of each process's log.
//
// # Test
//
// It is one.
package e2e
