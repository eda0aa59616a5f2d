package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/leatdev/leat"
)

// TransformConfig says how the transforms of a group write.
type TransformConfig struct {
	// Source is the CloudEvents source of the outputs; "": the group's name.
	Source string
	// Owns are the topics that outputs may go to; their types name them. Required where there are
	// transforms.
	Owns []leat.Topic
	// MaxEvents bounds the events that one transaction is about; 0: 1000.
	MaxEvents int
	// CommitInterval is the time between two transactions while less than MaxEvents wait; 0: 100 ms. It
	// is what a read_committed reader waits for an output, at most and when all is well.
	CommitInterval time.Duration
	// Timeout is how long the broker lets a transaction stay open when its process has stopped (an open
	// one holds back the read_committed readers of its partitions); half of it is how long a transaction
	// may take before the member begins anew. 0: 10 s; the property transaction.timeout.ms wins.
	Timeout time.Duration
}

func (t TransformConfig) withDefaults(group string) TransformConfig {
	t.Source = cmp.Or(t.Source, group)
	t.MaxEvents = cmp.Or(t.MaxEvents, 1000)
	t.CommitInterval = cmp.Or(t.CommitInterval, 100*time.Millisecond)
	t.Timeout = cmp.Or(t.Timeout, 10*time.Second)
	return t
}

// TransactionalIDs is what the transactional ids of a group's transforms begin with, for whoever grants
// rights: the InstanceID follows, or a random ending.
func TransactionalIDs(group string) string { return group + ".transform." }

// Transform turns the events of type In on the topic into other events, exactly once: the outputs of an
// event and the group's offset behind it become visible in one Kafka transaction, or neither does.
//
//	consumer.Transform(Orders, func(ctx context.Context, e *leat.Event[OrderCreated]) ([]Invoice, error) { ... })
//
// Each output goes to the topic that carries its type ([TransformConfig.Owns]); Out may be an interface,
// such as any, for outputs of several types, and an output may be wrapped by [leat.With]. The outputs of
// one key leave in the order of its events. fn answers with outcomes as [On]'s does; of an error nothing
// leaves. fn itself may run again after a crash or a rebalance, so it must not act on the world: what it
// returns is all that happens once. With [Park], what becomes of an event is decided in the same
// transactions: one output or one dead letter, also over restarts.
//
// A topic has either transforms or other handlers in one group.
func Transform[In, Out any](from leat.Topic, fn func(context.Context, *leat.Event[In]) ([]Out, error), options ...leat.HandlerOption) leat.Handler {
	h := leat.NewHandler[In](from, options)
	if fn == nil {
		h.Err = fmt.Errorf("transform of %s on %s has no function", h.Kind.Type, from.Name)
		return h
	}
	if out := reflect.TypeFor[Out](); out.Kind() != reflect.Interface && out != reflect.TypeFor[leat.Outgoing]() {
		h.Makes = out
	}
	h.Transform = func(ctx context.Context, e *leat.Envelope) ([]any, error) {
		ev, err := leat.DecodeEvent[In](e)
		if err != nil {
			return nil, err
		}
		outs, err := fn(ctx, ev)
		if err != nil {
			return nil, err
		}
		if len(outs) == 0 {
			return nil, nil
		}
		all := make([]any, len(outs))
		for i := range outs {
			all[i] = outs[i]
		}
		return all, nil
	}
	return h
}

// Validate reports what would keep the transforms among a group's handlers from running; without any
// there is nothing to report.
func (t TransformConfig) Validate(group string, handlers []leat.Handler) error {
	transformed, other := map[string]bool{}, map[string]bool{}
	for _, h := range handlers {
		if h.Transform != nil {
			transformed[h.Topic.Name] = true
		} else {
			other[h.Topic.Name] = true
		}
	}
	if len(transformed) == 0 {
		return nil
	}
	var errs []error
	for _, topic := range slices.Sorted(maps.Keys(transformed)) {
		if other[topic] {
			errs = append(errs, fmt.Errorf("topic %s has transforms and other handlers in group %s: its offsets are committed either with a transaction or without; put one of the two into a group (a service) of its own", topic, group))
		}
	}
	if t.MaxEvents < 0 || t.CommitInterval < 0 || t.Timeout < 0 {
		errs = append(errs, errors.New("transforms: MaxEvents, CommitInterval and Timeout can't be negative"))
	}
	return errors.Join(append(errs, t.validateOutputs(handlers))...)
}

// validateOutputs looks for the topics of the outputs whose types are known.
func (t TransformConfig) validateOutputs(handlers []leat.Handler) error {
	if len(t.Owns) == 0 {
		return errors.New("transforms: Owns is empty: list the topics that the outputs go to")
	}
	catalog, err := leat.NewCatalog(t.Owns...)
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range handlers {
		if h.Makes != nil && !carries(catalog, h.Makes) {
			errs = append(errs, fmt.Errorf("transform of %s on %s: none of the topics in Owns carries %v: add it to a topic's Carries", h.Kind.Type, h.Topic.Name, h.Makes))
		}
	}
	return errors.Join(errs...)
}

func carries(c *leat.Catalog, t reflect.Type) bool {
	_, err := c.Of(reflect.Zero(t).Interface())
	return err == nil
}
