// Package api is how the shop's services talk HTTP: JSON in and out, problem details, pages.
//
// # What
//
// Handle turns a function that may fail into an http.Handler: a Problem goes out as RFC 9457
// problem details, an unavailable database as 503, anything else as 500 without its inside. Read
// decodes one bounded JSON body strictly. Page is one page of a keyset listing.
//
// # Use
//
//	service.Routes{"GET /orders/{id}": api.Handle(s.Logger(), func(w http.ResponseWriter, r *http.Request) error { ... })}
//
// # Guarantees
//
// A request that is refused has changed nothing: bodies are read and checked before a transaction
// begins.
//
// # Failure
//
// Every refusal says what is wrong and, where it helps, what to send.
//
// # Test
//
// Tables over requests and their problems, a fuzz target for bodies.
package api
