package leat

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// Position is where a record lies.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is topic/partition@offset.
func (p Position) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

// Wire is a record as it arrived, read on use. Package kafka implements it for Kafka records in
// CloudEvents' binary and structured modes and for records that are no CloudEvents at all.
type Wire interface {
	Position() Position
	Timestamp() time.Time               // the record's own timestamp
	Key() []byte                        // as on the wire; nil: none
	Value() []byte                      // the event's data; nil: a tombstone
	Attribute(name string) string       // CloudEvents attribute or extension ("id", "type", "correlationid"), "" where absent
	Header(name string) []byte          // the last record header of that name, nil where absent
	Headers() iter.Seq2[string, []byte] // all record headers in order
}

// Envelope is an event as it arrived. Its methods parse on use; nothing is allocated for what
// nobody reads. It is valid after its handler has returned, and not safe to change.
type Envelope struct {
	wire    Wire
	attempt int
	kind    *Kind
	codec   Codec
	key     *string // decoded; nil: not yet, or it is a text
}

// NewEnvelope is the envelope of a record. kind and codec say how [Envelope.Decode] reads it; a nil
// codec is [JSON]. attempt counts from 1.
func NewEnvelope(w Wire, kind *Kind, codec Codec, attempt int) *Envelope {
	return &Envelope{wire: w, kind: kind, codec: codec, attempt: attempt}
}

// WithData is the envelope with other data, such as what a reference in the record led to.
func (e *Envelope) WithData(data []byte) *Envelope {
	other := *e
	other.wire = dataWire{e.wire, data}
	return &other
}

// dataWire is a record whose data lay elsewhere.
type dataWire struct {
	Wire
	data []byte
}

func (w dataWire) Value() []byte { return w.data }

// ID is the CloudEvents id, "" where the record has none.
func (e *Envelope) ID() string { return e.wire.Attribute("id") }

// Type is the CloudEvents type; of a foreign record, the type that its topic names for it.
func (e *Envelope) Type() string {
	if t := e.wire.Attribute("type"); t != "" || e.kind == nil {
		return t
	}
	return e.kind.Type
}

// Source is the CloudEvents source: the service that the event comes from.
func (e *Envelope) Source() string { return e.wire.Attribute("source") }

// Subject is the CloudEvents subject.
func (e *Envelope) Subject() string { return e.wire.Attribute("subject") }

// Time is the CloudEvents time, or the record's timestamp where it is absent or not RFC 3339.
func (e *Envelope) Time() time.Time {
	if s := e.wire.Attribute("time"); s != "" {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t
		}
	}
	return e.wire.Timestamp()
}

// Key is the record's key, "" where it has none. Of a topic with a KeyEncoding it is the text that was
// encoded, or the bytes as they are where they can't be read; Decode has made sure that they can.
func (e *Envelope) Key() string {
	if e.key != nil {
		return *e.key
	}
	if key, err := e.readKey(); err == nil {
		return key
	}
	return string(e.wire.Key())
}

func (e *Envelope) readKey() (string, error) {
	if kc, ok := e.codec.(KeyCodec); ok && e.kind != nil && e.kind.KeyEncoding != "" {
		return kc.DecodeKey(e.wire)
	}
	return string(e.wire.Key()), nil
}

// Raw is the event's data as it stands on the wire.
func (e *Envelope) Raw() []byte { return e.wire.Value() }

// Header is the value of the record's last header of that name, "" where absent.
func (e *Envelope) Header(name string) string { return string(e.wire.Header(name)) }

// Position is where the record lies.
func (e *Envelope) Position() Position { return e.wire.Position() }

// Attempt counts the deliveries to the handler in this process, from 1.
func (e *Envelope) Attempt() int { return e.attempt }

// CorrelationID is shared by all that one root event caused; of an event without one, its id.
func (e *Envelope) CorrelationID() string {
	if c := e.wire.Attribute("correlationid"); c != "" {
		return c
	}
	return e.ID()
}

// CausationID is the id of the event that caused this one, "" for a root.
func (e *Envelope) CausationID() string { return e.wire.Attribute("causationid") }

// Wire is the record under the envelope.
func (e *Envelope) Wire() Wire { return e.wire }

// Kind is the contract that the event is read by, nil where it is not known.
func (e *Envelope) Kind() *Kind { return e.kind }

// Identity names the event for de-duplication: source and id, or the coordinates of a record that
// has no id.
func (e *Envelope) Identity() (source, id string) {
	if id = e.ID(); id != "" {
		return e.Source(), id
	}
	return "", e.Position().String()
}

// Decode reads the data into v, a pointer. An error is an [UndecodableError].
func (e *Envelope) Decode(v any) error {
	codec := e.codec
	if codec == nil {
		codec = JSON
	}
	k := e.kind
	if k == nil {
		k = &Kind{Type: e.Type(), Topic: e.Position().Topic}
	}
	err := decodeData(codec, e.wire, k, v)
	if err == nil && k.KeyEncoding != "" && e.key == nil {
		var key string
		if key, err = e.readKey(); err == nil {
			e.key = &key
		}
	}
	if err != nil {
		return &UndecodableError{Type: k.Type, Position: e.Position(), Err: err}
	}
	return nil
}

func decodeData(codec Codec, w Wire, k *Kind, v any) error {
	if k.older != nil {
		if chain := k.chainOf(w.Attribute("type")); chain != nil {
			return upcast(codec, w, chain, v)
		}
	}
	if mc, ok := codec.(MessageCodec); ok {
		return mc.DecodeWire(w, k, v)
	}
	return codec.Decode(w.Value(), k, v)
}

// Event is an event of type T as a handler gets it: its data and its envelope.
type Event[T any] struct {
	Data T
	*Envelope
}

// DecodeEvent reads an envelope's data as a T.
func DecodeEvent[T any](e *Envelope) (*Event[T], error) {
	ev := &Event[T]{Envelope: e}
	if err := e.Decode(&ev.Data); err != nil {
		return nil, err
	}
	return ev, nil
}

type envelopeKey struct{ _ byte }

// NewContext carries the envelope of the event that is being handled, so that what the handler
// publishes inherits its correlation.
func NewContext(ctx context.Context, e *Envelope) context.Context {
	return context.WithValue(ctx, envelopeKey{}, e)
}

// IsEnvelopeKey says whether key is the one under which a context holds the envelope of the event
// that is being handled: for an implementation of [context.Context] that carries it itself.
func IsEnvelopeKey(key any) bool { return key == envelopeKey{} }

// FromContext is the envelope of the event that is being handled, or nil.
func FromContext(ctx context.Context) *Envelope {
	e, _ := ctx.Value(envelopeKey{}).(*Envelope)
	return e
}
