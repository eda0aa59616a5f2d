package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat"
)

// Once is a handler that takes effect once per event: its inbox row, what fn writes and what fn
// publishes are committed together or not at all, and a repeat finds the row and is passed over.
// An event is what its source and id say, or where it lies if it has no id.
//
// fn must be repeatable: an error rolls all back and is retried. Remote calls do not belong in it:
// they would hold the transaction, and can't be rolled back.
func Once[T any](topic leat.Topic, fn func(context.Context, *Tx, *leat.Event[T]) error, options ...leat.HandlerOption) leat.Handler {
	h := leat.NewHandler[T](topic, options)
	if h.Err == nil && fn == nil {
		h.Err = errors.New("outbox.Once got no function")
	}
	return bindable[T](h, func(h leat.Handler, box *Box) leat.Handler {
		h.Handle = func(ctx context.Context, e *leat.Envelope) error {
			ev, err := leat.DecodeEvent[T](e)
			if err != nil {
				return err
			}
			return box.once(ctx, e, func(ctx context.Context, tx *Tx) error { return fn(ctx, tx, ev) })
		}
		if h.BatchMax > 1 {
			h.Batch = together(box, fn)
		}
		return h
	})
}

// bindable is h with a Bind that makes it whole on a box, by make and with its OnExhausted.
func bindable[T any](h leat.Handler, make func(h leat.Handler, box *Box) leat.Handler) leat.Handler {
	exhausted, ok := h.Unbound.(exhaustedFunc[T])
	if h.Err == nil && h.Unbound != nil && !ok {
		h.Err = fmt.Errorf("the outbox.OnExhausted of the handler of %s takes another event type", h.Kind.Type)
	}
	if h.Err == nil && h.Exhausted != nil {
		h.Err = fmt.Errorf("the handler of %s is one of package outbox and takes outbox.OnExhausted, not consumer.OnExhausted", h.Kind.Type)
	}
	h.Bind = func(resource any) (leat.Handler, error) {
		box, ok := resource.(*Box)
		if !ok {
			return leat.Handler{}, fmt.Errorf("the handler of %s needs an *outbox.Box, not %T", h.Kind.Type, resource)
		}
		return withExhausted(make(h, box), box, exhausted), nil
	}
	return h
}

// withExhausted is h, bound, with the end of its failed events.
func withExhausted[T any](h leat.Handler, box *Box, exhausted exhaustedFunc[T]) leat.Handler {
	h.Bind, h.Unbound, h.Fence = nil, nil, box.raise
	if exhausted == nil {
		return h
	}
	h.Exhausted = func(ctx context.Context, e *leat.Envelope, cause error) error {
		ev, err := leat.DecodeEvent[T](e)
		if err != nil {
			return err
		}
		return box.once(ctx, e, func(ctx context.Context, tx *Tx) error { return exhausted(ctx, tx, ev, cause) })
	}
	return h
}

type exhaustedFunc[T any] func(context.Context, *Tx, *leat.Event[T], error) error

// OnExhausted is an option of Once: fn ends an event whose attempts are used up or that failed for
// good, in place of the dead letter. It runs in a transaction of its own with the inbox row, so that
// it too takes effect once. An event that can't be decoded goes to the dead letters all the same.
func OnExhausted[T any](fn func(context.Context, *Tx, *leat.Event[T], error) error) leat.HandlerOption {
	return func(h *leat.Handler) {
		switch {
		case fn == nil:
			h.Err = errors.Join(h.Err, errors.New("outbox.OnExhausted got no function"))
		case h.Unbound != nil:
			h.Err = errors.Join(h.Err, errors.New("outbox.OnExhausted is given twice"))
		default:
			h.Unbound = exhaustedFunc[T](fn)
		}
	}
}
