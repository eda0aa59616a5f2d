package leat

import (
	"time"
)

// Header is one record header as it stands on the wire.
type Header struct {
	Key   string
	Value []byte
}

// Message is an event encoded and addressed, ready to leave: what the producer sends and what an
// outbox row holds.
type Message struct {
	ID      string    // CloudEvents id: random, never a row id; unique per source
	Type    string    // CloudEvents type
	Source  string    // CloudEvents source: the service
	Subject string    // CloudEvents subject: the key unless With said otherwise
	Time    time.Time // when it happened, UTC

	Topic string
	Key   []byte // nil: no key, no order

	ContentType string // media type of Data
	DataSchema  string // CloudEvents dataschema: where the schema of Data is registered, "" for none
	Data        []byte // nil: a tombstone

	CorrelationID string // same for all that one root event causes
	CausationID   string // id of the event that caused this one, "" for a root
	TraceParent   string // W3C trace context, "" for none
	TraceState    string

	Headers []Header // further headers, as they go on the wire
}

// Size is the number of bytes that the message takes in a record, near enough for a limit: key,
// data and headers with their framing.
func (m *Message) Size() int {
	n := len(m.Key) + len(m.Data) + 96 // record framing and the names of the attributes that are always there
	for _, s := range []string{m.ID, m.Type, m.Source, m.Subject, m.ContentType, m.DataSchema, m.CorrelationID, m.CausationID, m.TraceParent, m.TraceState} {
		n += len(s) + 16
	}
	for i := range m.Headers {
		n += len(m.Headers[i].Key) + len(m.Headers[i].Value) + 6
	}
	return n
}

// Outgoing is an event with what its sender says of its envelope; [With] makes it, and every
// method that publishes or sends takes it in place of the event.
type Outgoing struct {
	Event any
	apply []MessageOption
}

// Apply sets on m what With was given.
func (o Outgoing) Apply(m *Message) {
	for _, f := range o.apply {
		f(m)
	}
}

// MessageOption sets one attribute of an outgoing event.
type MessageOption func(*Message)

// With says more about one outgoing event than its type does:
//
//	tx.Publish(ctx, leat.With(OrderCreated{...}, leat.CorrelationID(id)))
func With(event any, options ...MessageOption) Outgoing {
	return Outgoing{Event: event, apply: options}
}

// ID sets the event's id, for a sender that must be able to repeat itself.
func ID(id string) MessageOption { return func(m *Message) { m.ID = id } }

// Subject sets the CloudEvents subject in place of the key.
func Subject(subject string) MessageOption { return func(m *Message) { m.Subject = subject } }

// CorrelationID sets the correlation id in place of the one that is inherited from the cause.
func CorrelationID(id string) MessageOption { return func(m *Message) { m.CorrelationID = id } }

// At sets the time at which the event happened.
func At(t time.Time) MessageOption { return func(m *Message) { m.Time = t.UTC() } }

// WithHeader adds a record header.
func WithHeader(key string, value []byte) MessageOption {
	return func(m *Message) { m.Headers = append(m.Headers, Header{Key: key, Value: value}) }
}
