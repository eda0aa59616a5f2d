// Package sim runs chains of services through seeded schedules of faults, in virtual time.
//
// # What
//
// A seed decides the workload and the faults: processes crash at named commit points and anywhere
// else, drain and join; leaders and coordinators move; replies get lost after the request was
// applied; records come twice; foreign bytes lie on the topics; handlers fail for a while, for good,
// or say that their infrastructure is away. Then the faults end, the stack has to become quiet, and
// a checker compares what is in the databases, the logs and the dead letters with what was asked for.
//
// # Use
//
//	make sim SEEDS=10000
//	go test -tags synctests ./test/sim -run TestSimulation -sim.from=1234 -sim.seeds=1 -v
//
// # Guarantees
//
// A seed is a schedule and a workload, not an interleaving: Go's scheduler is not seeded. Run a
// failing seed some hundred times (-count) before calling it gone.
//
// # Failure
//
// A failing seed prints its schedule and how to run it again. A run whose faults did not really
// happen fails too: the coverage of crash points, rebalances and retries is asserted.
//
// # Test
//
// This is the test; the mutants of test/mutants show that it can fail.
package sim
