package leat

import (
	"errors"
	"fmt"
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
	*m = Message{ID: id, Type: k.Type, Source: e.Source, Time: now.UTC(), Topic: k.Topic, Data: m.Data[:0]}
	if key, ok := k.Key(event); ok {
		m.Key, m.Subject = []byte(key), key
	}
	if cause != nil {
		m.CausationID = cause.ID()
		if m.CorrelationID = cause.wire.Attribute("correlationid"); m.CorrelationID == "" {
			m.CorrelationID = m.CausationID
		}
	}
	if err := encodeData(codec, m, k, event); err != nil {
		return err
	}
	if wrapped {
		out.Apply(m)
	}
	if err := encodeKey(codec, m, k); err != nil {
		return err
	}
	if m.CorrelationID == "" {
		m.CorrelationID = m.ID
	}
	return nil
}

func encodeKey(codec Codec, m *Message, k *Kind) error {
	if k.KeyEncoding == "" || m.Key == nil {
		return nil
	}
	kc, ok := codec.(KeyCodec)
	if !ok {
		return fmt.Errorf("topic %s has keys in %s, which this codec does not write", k.Topic, k.KeyEncoding)
	}
	return kc.EncodeKey(m, k)
}

func encodeData(codec Codec, m *Message, k *Kind, event any) (err error) {
	if mc, ok := codec.(MessageCodec); ok {
		return mc.Encode(m, k, event)
	}
	m.ContentType = codec.ContentType(k)
	m.Data, err = codec.Append(m.Data, k, event)
	return err
}
