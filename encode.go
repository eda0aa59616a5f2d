package leat

import (
	"errors"
	"time"
)

// Encoder makes messages out of events: the one way from a Go value to something that can leave.
// Its fields are read-only after the first use, which may be concurrent.
type Encoder struct {
	Catalog *Catalog // topics that may be written to; required
	Codec   Codec    // nil: JSON
	Source  string   // CloudEvents source, the service's name; required
}

// Encode addresses and encodes event, a value of a type in the catalog or an [Outgoing] around
// one. cause is the envelope of the event that is being handled, or nil; the message inherits its
// correlation. id is a fresh random id (see [NewID]) and now the current time: both enter from
// outside so that this stays a function.
func (e *Encoder) Encode(m *Message, event any, cause *Envelope, id string, now time.Time) error {
	out, wrapped := event.(Outgoing)
	if wrapped {
		event = out.Event
	}
	if event == nil {
		return errors.New("encode an event: it is nil")
	}
	k, err := e.Catalog.Of(event)
	if err != nil {
		return err
	}
	codec := e.Codec
	if codec == nil {
		codec = JSON
	}
	*m = Message{ID: id, Type: k.Type, Source: e.Source, Time: now.UTC(), Topic: k.Topic, ContentType: codec.ContentType(k), Data: m.Data[:0]}
	if key, ok := k.Key(event); ok {
		m.Key, m.Subject = []byte(key), key
	}
	if cause != nil {
		m.CausationID = cause.ID()
		m.CorrelationID = cause.CorrelationID()
	}
	if m.Data, err = codec.Append(m.Data, k, event); err != nil {
		return err
	}
	if wrapped {
		out.Apply(m)
	}
	if m.CorrelationID == "" {
		m.CorrelationID = m.ID
	}
	return nil
}
