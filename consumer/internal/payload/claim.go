package payload

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/blob"
)

// Claims is where the data of events lies that carry only a reference to it.
type Claims struct {
	Store blob.Store // nil: there is none
	Max   int64      // bytes of one payload
}

// Wrap is h with the payloads fetched that its events only refer to, before each attempt: what the
// handler gets is whole.
func (c Claims) Wrap(h leat.Handler) leat.Handler {
	if handle := h.Handle; handle != nil {
		h.Handle = func(ctx context.Context, e *leat.Envelope) error {
			e, err := c.whole(ctx, e)
			if err != nil {
				return err
			}
			return handle(ctx, e)
		}
	}
	if transform := h.Transform; transform != nil {
		h.Transform = func(ctx context.Context, e *leat.Envelope) ([]any, error) {
			e, err := c.whole(ctx, e)
			if err != nil {
				return nil, err
			}
			return transform(ctx, e)
		}
	}
	if exhausted := h.Exhausted; exhausted != nil {
		h.Exhausted = func(ctx context.Context, e *leat.Envelope, cause error) error {
			e, err := c.whole(ctx, e)
			if err != nil {
				return err
			}
			return exhausted(ctx, e, cause)
		}
	}
	if batch := h.Batch; batch != nil {
		h.Batch = func(ctx context.Context, envelopes []*leat.Envelope) error {
			return c.wholeBatch(ctx, envelopes, batch)
		}
	}
	return h
}

var errNoStore = errors.New("its data lies in a store of payloads, and this process has none: set payload.url to the store that the sender uses")

// whole is the envelope with its data. A store that is away, or not configured, holds the partition:
// nothing is lost. A payload that is gone or is another ends the event.
func (c Claims) whole(ctx context.Context, e *leat.Envelope) (*leat.Envelope, error) {
	if len(e.Raw()) > 0 { // the headers need not be looked at
		return e, nil
	}
	ref, refers, err := blob.RefOf(e)
	switch {
	case !refers:
		return e, nil
	case err != nil:
		return nil, leat.Permanent(fmt.Errorf("read the reference to the event's data: %w", err))
	case c.Store == nil:
		return nil, leat.Unavailable(errNoStore)
	}
	data, err := blob.Fetch(ctx, c.Store, ref, c.Max)
	switch {
	case blob.Final(err):
		return nil, leat.Permanent(err)
	case err != nil:
		return nil, leat.Unavailable(err)
	}
	return e.WithData(data), nil
}

// wholeBatch calls fn with the events that are whole and tells which are not. Trouble of the store
// holds for the batch.
func (c Claims) wholeBatch(ctx context.Context, envelopes []*leat.Envelope, fn func(context.Context, []*leat.Envelope) error) error {
	var faults []error
	whole, places := make([]*leat.Envelope, 0, len(envelopes)), make([]int, 0, len(envelopes))
	for i, e := range envelopes {
		w, err := c.whole(ctx, e)
		switch {
		case leat.IsUnavailable(err):
			return err
		case err != nil:
			faults = append(faults, leat.FaultAt(i, err))
		default:
			whole, places = append(whole, w), append(places, i)
		}
	}
	if len(whole) == 0 {
		return errors.Join(faults...)
	}
	return errors.Join(append(faults, Replace(fn(ctx, whole), places))...)
}
