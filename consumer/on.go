package consumer

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/leatdev/leat"
)

// On handles the events of type T on the topic, at least once, in the order of their keys:
//
//	consumer.On(Orders, func(ctx context.Context, e *leat.Event[OrderCreated]) error { ... })
//
// fn answers with an outcome: nil, any error (tried again in its lane), [leat.Permanent],
// [leat.RetryAfter], [leat.Skip], [leat.Unavailable]. An event may come again after a crash or a
// rebalance.
func On[T any](topic leat.Topic, fn func(context.Context, *leat.Event[T]) error, options ...leat.HandlerOption) leat.Handler {
	h := leat.NewHandler[T](topic, options)
	if fn == nil {
		h.Err = fmt.Errorf("handler of %s on %s has no function", h.Kind.Type, topic.Name)
		return h
	}
	h.Handle = func(ctx context.Context, e *leat.Envelope) error {
		ev, err := leat.DecodeEvent[T](e)
		if err != nil {
			return err
		}
		return fn(ctx, ev)
	}
	return h
}

// Parallel lets up to n events of the handler be in flight at once, in one member of the group;
// without it 64. Events of one key never are. Config.MaxInFlight bounds all handlers together.
func Parallel(n int) leat.HandlerOption {
	return func(h *leat.Handler) {
		if n < 1 && h.Err == nil {
			h.Err = fmt.Errorf("handler of %s on %s: Parallel(%d), want at least 1", h.Kind.Type, h.Topic.Name, n)
		}
		h.Parallel = n
	}
}

// WithRetry sets how often and after which pauses a failing event is tried again.
func WithRetry(r leat.Retry) leat.HandlerOption {
	return func(h *leat.Handler) { h.Retry = r }
}

// Park moves an event whose inline attempts are used up to the group's park topic, <topic>.<group>.park,
// and tries it again from there, tier by tier; its key's later events queue behind it, other keys run
// on. One policy holds for all handlers of the topic in the group. What a [Transform] parks leaves in its
// transactions, and takes as many as it has steps.
func Park(p leat.Parking) leat.HandlerOption {
	return func(h *leat.Handler) { h.Parking = &p }
}

// RetryTopics moves an event whose inline attempts are used up to <topic>.<group>.retry-1, tries it
// once more when its time there has come, then to retry-2, and so on, at last to the dead letters. The
// events of its key run on meanwhile, so it is for handlers with [Unordered], and none else. One policy
// holds for all handlers of the topic in the group that have one. Take a delay away only when its topic
// is empty (leat group lag): nobody reads it then.
func RetryTopics(r leat.RetryTopics) leat.HandlerOption {
	return func(h *leat.Handler) { h.Later = &r }
}

// Timeout bounds one attempt: its context ends after d with [ErrTimeout] as the cause, and the
// attempt counts as failed if the handler returns an error. Without it 30 seconds; negative: none.
func Timeout(d time.Duration) leat.HandlerOption {
	return func(h *leat.Handler) { h.Timeout = d }
}

// ByPartition makes each partition of the topic serial: every event waits for the one before it,
// whatever their keys, for all handlers of the topic in this group.
func ByPartition() leat.HandlerOption {
	return func(h *leat.Handler) { h.Order = leat.ByPartition }
}

// Unordered lets the handler's events run as they come, also those of one key.
func Unordered() leat.HandlerOption {
	return func(h *leat.Handler) { h.Order = leat.Unordered }
}

// OnExhausted calls fn in place of the dead letter for an event whose attempts are used up or that
// failed for good; cause is the last error. fn's own error is tried again like the handler's; when
// that is used up too, or is permanent, the event goes to the dead letters. Records whose data is no
// T always do. It is an option of [On]; a handler of outbox.Once takes outbox.OnExhausted.
func OnExhausted[T any](fn func(ctx context.Context, e *leat.Event[T], cause error) error) leat.HandlerOption {
	return func(h *leat.Handler) {
		if want := reflect.TypeFor[T](); h.Kind.Go != nil && h.Kind.Go != want && h.Err == nil {
			h.Err = fmt.Errorf("handler of %s on %s takes %v, its OnExhausted takes %v", h.Kind.Type, h.Topic.Name, h.Kind.Go, want)
		}
		h.Exhausted = func(ctx context.Context, e *leat.Envelope, cause error) error {
			ev, err := leat.DecodeEvent[T](e)
			if err != nil {
				return err
			}
			return fn(ctx, ev, cause)
		}
	}
}
