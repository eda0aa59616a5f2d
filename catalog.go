package leat

import (
	"errors"
	"fmt"
	"reflect"
)

// Catalog knows, for a set of topics, which Go type is which contract on which topic. It is
// read-only once made.
type Catalog struct {
	topics map[string]Topic
	byGo   map[reflect.Type]*Kind
	byName map[typeOnTopic]*Kind
}

type typeOnTopic struct{ topic, typ string }

// NewCatalog makes a catalog of topics, and reports every clash: a type belongs to exactly one
// topic, a topic is declared once.
func NewCatalog(topics ...Topic) (*Catalog, error) {
	c := &Catalog{
		topics: map[string]Topic{},
		byGo:   map[reflect.Type]*Kind{},
		byName: map[typeOnTopic]*Kind{},
	}
	var errs []error
	names := map[string]string{}
	for _, t := range topics {
		if err := t.Validate(); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, dup := c.topics[t.Name]; dup {
			errs = append(errs, fmt.Errorf("topic %s is declared twice", t.Name))
			continue
		}
		c.topics[t.Name] = t
		kinds, _ := t.Kinds()
		for i := range kinds {
			k := &kinds[i]
			if other, dup := names[k.Type]; dup {
				errs = append(errs, fmt.Errorf("event type %s is on two topics, %s and %s: a type belongs to one", k.Type, other, t.Name))
				continue
			}
			if other, dup := c.byGo[k.Go]; dup {
				errs = append(errs, fmt.Errorf("%v is two event types, %s and %s", k.Go, other.Type, k.Type))
				continue
			}
			names[k.Type] = t.Name
			c.byGo[k.Go] = k
			c.byName[typeOnTopic{t.Name, k.Type}] = k
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// Of returns the kind of v, an event of one of the catalog's types (a value, or a pointer to one).
func (c *Catalog) Of(v any) (*Kind, error) {
	t := reflect.TypeOf(v)
	if k := c.byGo[t]; k != nil {
		return k, nil
	}
	return nil, &UnknownTypeError{Go: t, Topics: len(c.topics)}
}

// Named returns the kind with the given event type on the topic, or nil.
func (c *Catalog) Named(topic, eventType string) *Kind {
	return c.byName[typeOnTopic{topic, eventType}]
}

// Topic returns the declaration of the named topic.
func (c *Catalog) Topic(name string) (Topic, bool) {
	t, ok := c.topics[name]
	return t, ok
}

// UnknownTypeError says that an event's Go type is carried by none of the topics at hand.
type UnknownTypeError struct {
	Go     reflect.Type
	Topics int // how many topics were looked through
}

func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("%v is carried by none of the %d topics this service owns: add it to a topic's Carries and the topic to Owns (publish the value, not a pointer, where the value is listed)", e.Go, e.Topics)
}
