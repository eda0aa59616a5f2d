package cli

import (
	"cmp"
	"fmt"
	"reflect"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/service"
)

// typed is an event type that a service of this binary writes or reads.
type typed struct {
	kind  leat.Kind
	codec leat.Codec
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
					return &typed{k, cmp.Or(s.Codec, leat.JSON)}
				}
			}
		}
	}
	return nil
}

func topicsOf(s service.Config) []leat.Topic {
	topics := append([]leat.Topic{}, s.Owns...)
	for _, h := range s.Handlers {
		topics = append(topics, h.Topic)
	}
	return topics
}

// check says whether the data is an event of the type, and finds its key.
func (t *typed) check(data []byte) (key string, err error) {
	v := reflect.New(t.kind.Go)
	if err := t.codec.Decode(data, &t.kind, v.Interface()); err != nil {
		return "", fmt.Errorf("the data is no %s: %w", t.kind.Type, err)
	}
	key, _ = t.kind.Key(v.Elem().Interface())
	return key, nil
}
