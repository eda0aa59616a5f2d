package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/service"
)

// typed is an event type that a service of this binary writes or reads.
type typed struct {
	kind  leat.Kind
	codec leat.Codec // that reads what people write: JSON, unless the service brings one of its own
}

// kind looks for the event type among the services of this binary; nil where none knows it.
func (a *app) kind(eventType string) *typed {
	for _, s := range a.cfg.Services {
		for _, t := range topicsOf(s) {
			kinds, err := t.Kinds()
			if err != nil {
				continue // the service says so when it runs
			}
			for _, k := range kinds {
				if k.Type == eventType {
					k.Encoding = cmp.Or(k.Encoding, s.Encoding)
					return &typed{k, cmp.Or(s.Codec, leat.JSON)}
				}
			}
		}
	}
	return nil
}

func topicsOf(s service.Config) []leat.Topic {
	topics := append([]leat.Topic{}, s.Owns...)
	for _, h := range slices.Concat(s.Handlers, s.Shared.Handlers) {
		topics = append(topics, h.Topic)
	}
	return topics
}

// check says whether the data is an event of the type, and gives it with its key.
func (t *typed) check(data []byte) (event any, key string, err error) {
	v := reflect.New(t.kind.Go)
	if err := t.codec.Decode(data, &t.kind, v.Interface()); err != nil {
		return nil, "", fmt.Errorf("the data is no %s: %w", t.kind.Type, err)
	}
	event = v.Elem().Interface()
	key, _ = t.kind.Key(event)
	return event, key, nil
}

// keeps says that a field of the data would be left out of what the type is encoded as.
func (t *typed) keeps(data []byte) error {
	if t.kind.Encoding == leat.Protobuf {
		return nil // its JSON is not that of the Go type
	}
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	err := strict.Decode(reflect.New(t.kind.Go).Interface())
	if err == nil || json.Unmarshal(data, reflect.New(t.kind.Go).Interface()) != nil {
		return nil // it is decoded in a way of its own
	}
	return fmt.Errorf("the data is no %s as this program declares it: %w: with --schema SUBJECT the registry's schema encodes it", t.kind.Type, err)
}

// encoded says whether the topic of the event wants more than plain JSON.
func (t *typed) encoded() bool {
	return t.kind.Encoding != "" && t.kind.Encoding != leat.PlainJSON
}

// encode makes the message's data what the event's topic wants, where that is not plain JSON.
func (t *typed) encode(m *leat.Message, codec leat.MessageCodec, event any) error {
	if !t.encoded() {
		return nil
	}
	if err := t.keeps(m.Data); err != nil {
		return err
	}
	kind := t.kind
	kind.Topic = m.Topic
	m.Data = nil
	return codec.Encode(m, &kind, event)
}
