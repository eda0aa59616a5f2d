package leat

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Handler says what a consumer group does with the events of one type on one topic. It is a value:
// consumer.On and outbox.Once make it, a service's config lists it, and it means the same in the
// host and without it. Its fields are for the rooms that make and run handlers.
type Handler struct {
	Topic Topic
	Kind  Kind  // Kind.Type is the event type that is taken
	Err   error // what was wrong when it was made; reported by whoever runs it

	Order    Order
	Parallel int           // events in flight at once; 0: 64
	Retry    Retry         // inline attempts
	Timeout  time.Duration // of one attempt; 0: 30 s, negative: none
	Parking  *Parking      // what happens when the inline attempts are used up; nil: the dead letters at once
	Later    *RetryTopics  // the same, for handlers without order; nil: as Parking says

	// Handle does one attempt on one event.
	Handle func(ctx context.Context, e *Envelope) error
	// Batch, where set, does one attempt on several events, at most one of a key. Faults per index are
	// told by [FaultAt]; after an error without an index the events are tried one by one, by Handle.
	Batch     func(ctx context.Context, events []*Envelope) error
	BatchMax  int           // events in a batch at most; 0: 500
	BatchWait time.Duration // how long a batch waits to become full; 0: 10 ms, negative: not at all

	// Transform, where set, stands in place of Handle: it turns an event into the events that leave with
	// its offset, in one Kafka transaction.
	Transform func(ctx context.Context, e *Envelope) ([]any, error)
	// Makes is the type of a transform's outputs, so that its topic can be looked for at start; nil:
	// several types.
	Makes reflect.Type

	Breaker *Breaker   // nil: none
	Limit   *RateLimit // nil: none

	// Exhausted, where set, ends an event whose attempts are used up or that failed for good, in
	// place of the dead letter; its own error is retried like Handle's.
	Exhausted func(ctx context.Context, e *Envelope, cause error) error
	// Fence, where set, makes a new claim to a parked partition known where the handler's effects are,
	// before anything of the partition runs under it: from then on effects under older claims are
	// refused there.
	Fence func(ctx context.Context, f Fence) error
	// Bind, where set, makes the handler whole with the resource that it needs (outbox.Once: the
	// box); until then Handle is nil.
	Bind func(resource any) (Handler, error)

	// Unbound holds what options gave for Bind to pick up.
	Unbound any
}

// HandlerOption is a choice about one handler, for example consumer.Parallel(64).
type HandlerOption func(*Handler)

// Order says which events of a handler wait for each other.
type Order int

const (
	// ByKey keeps the order of events of one (topic, partition, key); other keys run on.
	ByKey Order = iota
	// ByPartition keeps the order of the whole partition.
	ByPartition
	// Unordered keeps none.
	Unordered
)

// NewHandler is a handler of T on the topic with the options applied and Handle still to be set.
func NewHandler[T any](topic Topic, options []HandlerOption) Handler {
	h := Handler{Topic: topic}
	k, err := kindIn[T](topic)
	if err != nil {
		h.Err = err
	} else {
		h.Kind = k
	}
	for _, o := range options {
		o(&h)
	}
	return h
}

func kindIn[T any](topic Topic) (Kind, error) {
	kinds, err := topic.Kinds()
	if err != nil {
		return Kind{}, err
	}
	want := KindOf[T]("", nil).Go
	for _, k := range kinds {
		switch {
		case k.Go == want:
			return k, nil
		case k.Go == reflect.PointerTo(want), want.Kind() == reflect.Pointer && want.Elem() == k.Go:
			return Kind{}, fmt.Errorf("topic %s carries %v, and the handler takes %v: let it take %v", topic.Name, k.Go, want, k.Go)
		}
	}
	return Kind{}, fmt.Errorf("topic %s does not carry %v: add it to its Carries", topic.Name, want)
}

// Validate reports what would keep the handler from running.
func (h Handler) Validate() error {
	switch {
	case h.Err != nil:
		return h.Err
	case h.Unbound != nil && h.Bind == nil:
		return fmt.Errorf("handler of %s on %s got an option that only outbox.Once takes", h.Kind.Type, h.Topic.Name)
	case h.Handle == nil && h.Bind != nil:
		return fmt.Errorf("handler of %s on %s is not bound: pass it through the box's Bind, or run it in a service with a database", h.Kind.Type, h.Topic.Name)
	case h.Transform != nil:
		if err := h.validateTransform(); err != nil {
			return err
		}
	case h.Handle == nil:
		return fmt.Errorf("handler of %s on %s has no function", h.Kind.Type, h.Topic.Name)
	}
	errs := []error{h.Topic.Validate(), h.Retry.Validate()}
	if h.Parking != nil {
		errs = append(errs, h.Parking.Validate())
	}
	if h.Later != nil {
		errs = append(errs, h.validateLater())
	}
	if h.Breaker != nil {
		errs = append(errs, h.Breaker.Validate())
	}
	if h.Limit != nil {
		errs = append(errs, h.Limit.Validate())
	}
	if h.Batch != nil && h.Order == ByPartition {
		errs = append(errs, fmt.Errorf("handler of %s on %s: a batch has at most one event of what is kept in order, so ByPartition would make it one of a single event per partition: leave one of the two out", h.Kind.Type, h.Topic.Name))
	}
	if h.Batch == nil && h.BatchMax != 0 {
		errs = append(errs, fmt.Errorf("handler of %s on %s takes events one by one, and got an option for batches", h.Kind.Type, h.Topic.Name))
	}
	if h.BatchMax < 0 {
		errs = append(errs, fmt.Errorf("handler of %s on %s: BatchMax is %d, want at least 1, or 0 for the default", h.Kind.Type, h.Topic.Name, h.BatchMax))
	}
	return errors.Join(errs...)
}

// validateLater refuses retry topics where events would lose an order, or more, on their way.
func (h Handler) validateLater() error {
	refused := ""
	switch {
	case h.Parking != nil:
		refused = "Park, which keeps the order of keys: leave one of the two out"
	case h.Order != Unordered:
		refused = "an order, for later events would overtake: give it consumer.Unordered(), or consumer.Park in their place"
	case h.Transform != nil:
		refused = "a transform: what it retries would leave its transaction; give it consumer.Park"
	case h.Later.Spring != nil && (h.Breaker != nil || h.Limit != nil):
		refused = "a breaker or a limit where Spring's groups read them: each would count alone"
	default:
		return h.Later.Validate()
	}
	return fmt.Errorf("handler of %s on %s: retry topics do not go with %s", h.Kind.Type, h.Topic.Name, refused)
}

func (h Handler) validateTransform() error {
	refused := ""
	switch {
	case h.Handle != nil:
		refused = "a Handle"
	case h.Exhausted != nil:
		refused = "OnExhausted: what it does would not be part of the transaction"
	default:
		return nil
	}
	return fmt.Errorf("transform of %s on %s does not take %s", h.Kind.Type, h.Topic.Name, refused)
}
