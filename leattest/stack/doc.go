// Package stack runs whole services in a synctest bubble: a kfake cluster on a network in memory,
// SQLite files, and processes that can be stopped, crashed and started again.
//
// # What
//
// Run makes the bubble and the cluster. Start starts a process: a service.Host with one or several
// of the services. A Process answers requests, drains (Stop) or dies as by kill -9 (Crash). Quiet
// waits until everything that was caused has happened.
//
// # Use
//
//	stack.Run(t, stack.Config{Services: shop}, func(t *testing.T, s *stack.Stack) {
//		s.Start()                           // one process with all services
//		second := s.Start("payment")        // and another one with payment
//		s.Do("POST", "/orders", order)      // to a process that has the route's service
//		second.Crash()
//		s.Quiet()
//		...
//	})
//
// Faults of the cluster go through s.Cluster, kfake's own door. Config.Crash is asked at every
// commit point whether the process dies there.
//
// # Guarantees
//
// Time is the bubble's: waiting costs nothing, and a run takes real milliseconds. After Crash a
// process sends and commits nothing any more: its connections are cut, its contexts ended, and a
// transaction that reaches its commit is rolled back.
//
// # Failure
//
// Without the build tag synctests, which kgo needs in a bubble, Run skips the test and says so; with
// LEAT_TEST_REQUIRE=synctests it fails. A process that ends by itself fails the test.
//
// # Test
//
// A chain of two services under crashes at every commit point.
package stack
