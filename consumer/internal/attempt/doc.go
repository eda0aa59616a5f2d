// Package attempt is one attempt on an event: its context and its time, whether it may begin, and what
// becomes of the event after it.
//
// # What
//
// [Context] is an attempt's context, which costs no timer until somebody asks for its deadline, and [Clock]
// the time that it goes by; [Guarded] calls a handler and makes errors of its panics. [Judge] decides by
// the error and the [History] so far what to do next ([Verdict]). A [Breaker] and a [Limiter] hold attempts
// of a handler back. All but Context and Guarded is pure: times and random numbers come in.
//
// # Use
//
//	err := attempt.Guarded(ctx, envelope, handle)
//	v := attempt.Judge(err, history, retry, rand.Float64())
//	history.Note(err, v, time.Now())
//	if v.Act == attempt.GiveUp {
//		history.Advance(v.Reason, hasExhausted)
//	}
//
// # Guarantees
//
// What the infrastructure is to blame for is never counted, whatever the handler thinks. One panic is
// tried again, two in a row are the event's fault. An open breaker lets nothing through; a limiter lets no
// more through than its rate and burst say, and what waits for one class holds up no other.
//
// # Failure
//
// There is none: a handler that ends its goroutine is reported by the worker that it took along ([Goexit]).
//
// # Test
//
// Tables of outcomes, and models of breaker and limiter at random.
package attempt
