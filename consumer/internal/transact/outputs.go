package transact

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

// Outputs makes messages out of what transforms return.
type Outputs struct {
	Group   string
	Encoder *leat.Encoder
	Limits  map[string]int // largest message, by topic
}

// Encode addresses and encodes the outputs of one event. A type that no topic carries is the service's
// fault, and waits for a better one; an output that is too large is the event's.
func (o *Outputs) Encode(ctx context.Context, e *leat.Envelope, events []any) (*Made, error) {
	all := new(Made)
	if all.Messages = all.one[:]; len(events) != 1 {
		all.Messages = make([]leat.Message, len(events))
	}
	now := time.Now()
	for i, event := range events {
		m := &all.Messages[i]
		err := o.Encoder.Encode(m, event, e, o.id(e, i), now)
		if _, unknown := errors.AsType[*leat.UnknownTypeError](err); unknown {
			return nil, leat.Unavailable(fmt.Errorf("output %d: %w", i, err))
		}
		if err != nil {
			return nil, leat.Permanent(fmt.Errorf("output %d: %w", i, err))
		}
		telemetry.Inject(ctx, m)
		if limit, known := o.Limits[m.Topic]; known && m.Size() > limit {
			return nil, leat.Permanent(fmt.Errorf("output %d, a %s: %w: it has %d bytes and topic %s takes %d", i, m.Type, kafka.ErrTooLarge, m.Size(), m.Topic, limit))
		}
	}
	return all, nil
}

// id is the id of an event's n-th output: the same whenever the event is transformed again, so that
// where there are no transactions inboxes know what they have seen.
func (o *Outputs) id(e *leat.Envelope, n int) string {
	w := e.Wire()
	b := appendPart(make([]byte, 0, 192), o.Group)
	if id := w.Header(kafka.HeaderID); len(id) > 0 { // as it mostly is, without making strings of it
		b = appendPart(appendPart(b, w.Header(kafka.HeaderSource)), id)
	} else {
		source, id := e.Identity()
		b = appendPart(appendPart(b, source), id)
	}
	b = appendPart(b, e.Kind().Type)
	sum := sha256.Sum256(binary.AppendUvarint(b, uint64(n)))
	return leat.UUIDv7(w.Timestamp(), [10]byte(sum[:10]))
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}
