package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/shop/contract"
)

// Once handles an event once and enters that in the ledger. fn says in a few words what it did.
func Once[T contract.Event](topic leat.Topic, fn func(context.Context, *outbox.Tx, *leat.Event[T]) (string, error), options ...leat.HandlerOption) leat.Handler {
	return outbox.Once(topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[T]) error {
		if err := check(e); err != nil {
			return err
		}
		detail, err := fn(ctx, tx, e)
		if err != nil {
			return err
		}
		return enter(ctx, tx, e.Envelope, e.Data.EventKey(), detail)
	}, options...)
}

// OnceAfter is Once for what calls out of the house: first runs before the transaction of fn, outside
// of any. It runs with every attempt and every repeat of the event, so it looks on the box what is done
// already, and what it calls has to bear being called again.
func OnceAfter[T contract.Event](topic leat.Topic, first func(context.Context, *outbox.Box, *leat.Event[T]) error, fn func(context.Context, *outbox.Tx, *leat.Event[T]) (string, error), options ...leat.HandlerOption) leat.Handler {
	h := Once(topic, fn, options...)
	bind := h.Bind
	h.Bind = func(resource any) (leat.Handler, error) {
		bound, err := bind(resource)
		if err != nil {
			return bound, err
		}
		once := bound.Handle
		bound.Handle = func(ctx context.Context, e *leat.Envelope) error {
			ev, err := leat.DecodeEvent[T](e)
			if err == nil {
				err = check(ev)
			}
			if err == nil {
				err = first(ctx, resource.(*outbox.Box), ev) // nothing else could be bound
			}
			if err != nil {
				return err
			}
			return once(ctx, e)
		}
		return bound, nil
	}
	return h
}

// check refuses a payload that says nothing sensible.
func check[T contract.Event](e *leat.Event[T]) error {
	if err := e.Data.Validate(); err != nil {
		return leat.Permanent(fmt.Errorf("refuse %s: %w", e.Type(), err))
	}
	return nil
}

func enter(ctx context.Context, tx *outbox.Tx, e *leat.Envelope, orderID, detail string) error {
	source, id := e.Identity()
	at := e.Position()
	_, err := tx.Exec(ctx, `insert into ledger
		(event_source, event_id, event_type, order_id, detail, topic, topic_partition, topic_offset, happened_at, entered_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		source, id, e.Type(), orderID, detail, at.Topic, at.Partition, at.Offset, e.Time().UnixMicro(), time.Now().UnixMicro())
	if err != nil {
		return fmt.Errorf("enter %s in the ledger: %w", e.Type(), err)
	}
	return nil
}

// Cause is what an event that is published later, outside of the handler that decided it, takes
// from its cause: the trace and the causing event. It is stored with the decision.
type Cause struct {
	EventID     string
	TraceParent string
}

// CauseOf is the cause that an event is.
func CauseOf(e *leat.Envelope) Cause {
	return Cause{EventID: e.ID(), TraceParent: e.Header("traceparent")}
}

// Event is an event of an order with what the cause gives it. All events of an order share the
// order's id as their correlation id.
func (c Cause) Event(event contract.Event) leat.Outgoing {
	return leat.With(event, leat.CorrelationID(event.EventKey()), func(m *leat.Message) {
		m.CausationID, m.TraceParent = c.EventID, c.TraceParent
	})
}
