package route

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/mail"
)

// Table is what a group does, by topic.
type Table map[string]*Route

// Add makes h part of its topic's route in a group, whose default is to park as said (nil: not at all).
func (t Table) Add(group string, h *Handler, parking *leat.Parking) {
	r := t[h.Topic.Name]
	if r == nil {
		r = &Route{Topic: h.Topic, Handlers: map[string]*Handler{}, foreign: h.Topic.ForeignType()}
		t[h.Topic.Name] = r
	}
	r.Handlers[h.Kind.Type] = h
	r.olderTo(h)
	r.list()
	r.serial = r.serial || h.Order == leat.ByPartition
	if policy := ParkingOf(h.Handler, parking); policy != nil {
		filled := policy.WithDefaults()
		r.Parking = &filled
	}
	if h.Later != nil {
		r.Later, r.Spring = h.Later.Tiers(h.Topic.Name, group), h.Later.Spring != nil
	}
}

// Parks says whether the events of some topic are parked.
func (t Table) Parks() bool {
	for _, r := range t {
		if r.Parking != nil {
			return true
		}
	}
	return false
}

// Returns are the routes of the redrive topics, which mostly do not exist. A failed event that came back goes
// to the dead letters at once: it has been parked already, or come through the retry topics, if its topic's
// events do.
func (t Table) Returns(group string) Table {
	back := Table{}
	for name, r := range t {
		own := *r
		own.Returns, own.Parking, own.Later = true, nil, nil
		back[leat.RedriveTopic(name, group)] = &own
	}
	return back
}

// Retries are the routes of the group's retry topics that the given reader reads: the group itself, or one
// of Spring's beside it.
func (t Table) Retries(group, reader string) Table {
	retries := Table{}
	for _, r := range t {
		for _, tier := range r.Later {
			if tier.Group == reader {
				own := *r
				own.Parking = nil
				own.Retry = &mail.Topic{Name: tier.Topic, Source: r.Topic.Name, Group: group, Tiers: r.Later, Spring: r.Spring}
				retries[tier.Topic] = &own
			}
		}
	}
	return retries
}

// ParkingOf is how the events of a handler's topic are parked, nil where they are not.
func ParkingOf(h leat.Handler, parking *leat.Parking) *leat.Parking {
	if h.Later != nil {
		return h.Parking
	}
	return cmp.Or(h.Parking, parking)
}

// Validate reports what is wrong with the handlers of a group: a type has one, and a topic one policy.
func Validate(group string, handlers []leat.Handler, parking *leat.Parking) error {
	type key struct{ topic, typ string }
	var errs []error
	seen := map[key]bool{}
	for _, h := range handlers {
		if err := h.Validate(); err != nil {
			errs = append(errs, err)
			continue
		}
		if k := (key{h.Topic.Name, h.Kind.Type}); seen[k] {
			errs = append(errs, fmt.Errorf("two handlers of %s on %s: a group has one for a type on a topic", k.typ, k.topic))
		} else {
			seen[k] = true
		}
		if group != "" {
			if err := leat.ValidTopicName(leat.DeadLetters(h.Topic.Name, group)); err != nil {
				errs = append(errs, fmt.Errorf("dead letters of %s: %w", h.Topic.Name, err))
			}
			if err := leat.ValidTopicName(leat.ParkTopic(h.Topic.Name, group)); err != nil {
				errs = append(errs, fmt.Errorf("park topic of %s: %w", h.Topic.Name, err))
			}
		}
	}
	return errors.Join(append(append(errs, validateLater(group, handlers)...), validateParking(handlers, parking))...)
}

// validateParking holds the handlers of one topic to one policy, which keeps the order of keys.
func validateParking(handlers []leat.Handler, parking *leat.Parking) error {
	var errs []error
	if parking != nil {
		errs = append(errs, parking.Validate())
	}
	policies := map[string]*leat.Parking{}
	for _, h := range handlers {
		policy := ParkingOf(h, parking)
		if was := policies[h.Topic.Name]; was != nil && policy != nil && !reflect.DeepEqual(was.WithDefaults(), policy.WithDefaults()) {
			errs = append(errs, fmt.Errorf("handlers of %s park in different ways: a topic has one policy in a group", h.Topic.Name))
		}
		if policy != nil {
			policies[h.Topic.Name] = policy
		}
	}
	for _, h := range handlers {
		if policies[h.Topic.Name] != nil && h.Order != leat.ByKey {
			errs = append(errs, fmt.Errorf("handler of %s on %s: parking keeps the order of keys, and does not go with ByPartition or Unordered: leave one of the two out", h.Kind.Type, h.Topic.Name))
		}
	}
	return errors.Join(errs...)
}

// validateLater holds the handlers of one topic to one policy, and the topic to no order.
func validateLater(group string, handlers []leat.Handler) (errs []error) {
	first := map[string]*leat.RetryTopics{}
	for _, h := range handlers {
		if h.Later == nil || h.Validate() != nil {
			continue
		}
		topic := h.Topic.Name
		tiers := h.Later.Tiers(topic, group)
		if was := first[topic]; was != nil && !slices.Equal(was.Tiers(topic, group), tiers) {
			errs = append(errs, fmt.Errorf("handlers of %s have retry topics in different ways: a topic has one policy in a group", topic))
		}
		first[topic] = cmp.Or(first[topic], h.Later)
		for _, tier := range tiers {
			if err := leat.ValidTopicName(tier.Topic); err != nil {
				errs = append(errs, fmt.Errorf("retry topic of %s: %w", topic, err))
			}
		}
	}
	for _, h := range handlers {
		if first[h.Topic.Name] != nil && h.Order == leat.ByPartition {
			errs = append(errs, fmt.Errorf("handler of %s on %s: ByPartition orders all handlers of the topic, and another one has retry topics, which keep no order: leave one of the two out", h.Kind.Type, h.Topic.Name))
		}
		for topic := range first {
			for _, tier := range first[topic].Tiers(topic, group) {
				if h.Topic.Name == tier.Topic {
					errs = append(errs, fmt.Errorf("handler of %s on %s: the topic is one of the group's retry topics", h.Kind.Type, h.Topic.Name))
				}
			}
		}
	}
	return errs
}
