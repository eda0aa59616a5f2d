// Package sim runs chains of services through seeded schedules of faults, in virtual time.
//
// # What
//
// A seed decides what is played and the faults. The chain: source, whose routes make events; a middle
// link, drawn from Once, Together, OnceBatch and Transform, with parking or without, with large data in a
// store or not; sink; and watch beside it, whose breaker faces a downstream that is away for a while. The
// faults: processes crash at named commit points and anywhere else, drain, join, and stall for longer than
// sessions and transactions live; leaders and coordinators move; requests are refused, and replies get
// lost after the request was carried out; records come twice; foreign bytes lie on the topics; handlers
// fail for a while, for good, or say that their infrastructure is away; groups are paused and slowed by
// the control topic; dead letters are mended and given back, by a tool that may be killed at any step.
// Then the faults end, the rest of the dead letters goes back, and a checker compares what is in the
// databases, the logs and the dead letters with what was asked for.
//
// # Use
//
//	make sim SEEDS=10000   # 4000 in make test; about 0.2 CPU seconds each
//	go test -tags synctests ./test/sim -run TestSimulation -sim.from=1234 -sim.seeds=1 -v
//
// # Guarantees
//
// A seed is a schedule and a workload, not an interleaving: Go's scheduler is not seeded. Run a
// failing seed some hundred times (-count) before calling it gone.
//
// Brokers are not killed: kfake's transactions do not outlive that (test/chaos kills real ones).
//
// # Failure
//
// A failing seed prints its schedule and how to run it again. A run whose faults did not really
// happen fails too, from 1000 seeds on: the coverage of each of them is asserted.
//
// # Test
//
// This is the test; the mutants of test/mutants show that it can fail.
package sim
