package leat

import (
	"fmt"
	"reflect"
)

// Named is implemented by an event type that names its contract, for example
// "shop.order.created.v1" (domain.noun.verbPast.vN). It becomes the CloudEvents type.
type Named interface{ EventType() string }

// Keyed is implemented by an event type that has a key. The key decides the partition and so the
// order: events of one key are handled in the order in which they were written. An empty key, or
// no method, means no order.
type Keyed interface{ EventKey() string }

// Described is implemented by an event type whose schema is written by hand: EventSchema is its
// text, often embedded from an .avsc, .proto or .json file. The type must satisfy it, which is
// checked when the service starts.
type Described interface{ EventSchema() string }

// Kind is the contract of one event type: its name, its Go type, where it goes and how its key is
// found. Kinds come out of a [Catalog], or of [KindOf] for Go types without methods.
type Kind struct {
	Type  string       // CloudEvents type, never empty
	Topic string       // name of the topic that carries it, set by the catalog
	Go    reflect.Type // T as the handler and the publisher write it

	Encoding    Encoding     // of its topic; "": left to the codec
	KeyEncoding Encoding     // of its topic; "": keys are texts
	Subjects    SubjectNames // of its topic, never "" once a catalog holds the kind
	Schema      string       // hand-written schema, see Described; "": derived from Go

	older [][]upcaster // chains of upcasts that end in this kind, the nearest type first
	key   func(any) string
}

// KindOf names the contract and the key of a Go type that has no EventType method, such as a
// generated Protobuf message. A nil key means that its events have no order. The result goes into
// [Topic.Carries].
func KindOf[T any](eventType string, key func(T) string) Kind {
	k := Kind{Type: eventType, Go: reflect.TypeFor[T]()}
	if key != nil {
		k.key = func(v any) string { return key(v.(T)) }
	}
	return k
}

// Described is the kind with a schema that is written by hand.
func (k Kind) Described(schema string) Kind {
	k.Schema = schema
	return k
}

// Key returns the key of v, an event of this kind; ok is false where the event has none.
func (k *Kind) Key(v any) (key string, ok bool) {
	switch {
	case k.key != nil:
		key = k.key(v)
	default:
		kv, is := v.(Keyed)
		if !is {
			return "", false
		}
		key = kv.EventKey()
	}
	return key, key != ""
}

// kindOf reads the kind from one entry of Topic.Carries.
func kindOf(entry any) (Kind, error) {
	switch e := entry.(type) {
	case nil:
		return Kind{}, fmt.Errorf("a nil entry in Carries: name an event type, for example OrderCreated{}")
	case Kind:
		if e.Type == "" || e.Go == nil {
			return Kind{}, fmt.Errorf("an empty leat.Kind in Carries: make it with leat.KindOf")
		}
		return e, nil
	case Named:
		name, err := nameOf(e)
		if err != nil {
			return Kind{}, err
		}
		k := Kind{Type: name, Go: reflect.TypeOf(entry)}
		if d, ok := entry.(Described); ok {
			k.Schema = d.EventSchema()
		}
		return k, nil
	default:
		return Kind{}, fmt.Errorf("%T has no EventType method: give it one, or list it with leat.KindOf", entry)
	}
}

func nameOf(e Named) (name string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%T.EventType panicked on its zero value: %v", e, p)
		}
	}()
	if name = e.EventType(); name == "" {
		err = fmt.Errorf("%T.EventType is empty on its zero value", e)
	}
	return name, err
}
