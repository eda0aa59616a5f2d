package consumer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
)

// outputs makes messages out of what transforms return.
type outputs struct {
	group   string
	encoder *leat.Encoder
	limits  map[string]int // largest message, by topic
}

// transform calls a transform once and encodes what it returns.
func (c *Consumer) transform(ctx context.Context, w *work, e *leat.Envelope) error {
	events, err := w.handler.Transform(ctx, e)
	if err != nil || len(events) == 0 {
		return err
	}
	w.out, err = c.txn.outputs.encode(ctx, e, events)
	return err
}

// encode addresses and encodes the outputs of one event. A type that no topic carries is the service's
// fault, and waits for a better one; an output that is too large is the event's.
func (o *outputs) encode(ctx context.Context, e *leat.Envelope, events []any) ([]leat.Message, error) {
	messages := make([]leat.Message, len(events))
	now := time.Now()
	for i, event := range events {
		m := &messages[i]
		err := o.encoder.Encode(m, event, e, o.id(e, i), now)
		if _, unknown := errors.AsType[*leat.UnknownTypeError](err); unknown {
			return nil, leat.Unavailable(fmt.Errorf("output %d: %w", i, err))
		}
		if err != nil {
			return nil, leat.Permanent(fmt.Errorf("output %d: %w", i, err))
		}
		telemetry.Inject(ctx, m)
		if limit, known := o.limits[m.Topic]; known && m.Size() > limit {
			return nil, leat.Permanent(fmt.Errorf("output %d, a %s: %w: it has %d bytes and topic %s takes %d", i, m.Type, kafka.ErrTooLarge, m.Size(), m.Topic, limit))
		}
	}
	return messages, nil
}

// id is the id of an event's n-th output: the same whenever the event is transformed again, so that
// where there are no transactions inboxes know what they have seen.
func (o *outputs) id(e *leat.Envelope, n int) string {
	source, id := e.Identity()
	b := make([]byte, 0, 128)
	for _, part := range []string{o.group, source, id, e.Type()} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(binary.AppendUvarint(b, uint64(n)))
	return leat.UUIDv7(e.Wire().Timestamp(), [10]byte(sum[:10]))
}

// letter is the dead letter of w as a record of the transaction: the largest that its topic takes.
func (c *Consumer) letter(w *work) kafka.Raw {
	limit, known := c.txn.outputs.limits[leat.DeadLetters(w.rec.Topic, c.cfg.Group)]
	for ; ; w.past.omit++ {
		r := c.letters.record(w, c.cfg.Version)
		raw := kafka.Raw{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: make([]leat.Header, len(r.Headers))}
		size := len(r.Key) + len(r.Value) + 96
		for i, h := range r.Headers {
			raw.Headers[i] = leat.Header(h)
			size += len(h.Key) + len(h.Value) + 6
		}
		if !known || size <= limit || w.past.omit == len(omissible) {
			return raw
		}
	}
}
