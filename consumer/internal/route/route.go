package route

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/letter"
	"github.com/leatdev/leat/kafka"
)

// Handler is a handler with its defaults filled, and where its events run.
type Handler struct {
	leat.Handler
	Class  int // the scheduler's
	Single int // of events of a batch handler that are tried alone
}

// Route is what a group does with one topic.
type Route struct {
	Topic   leat.Topic       // the source
	Parking *leat.Parking    // nil: its events are not parked
	Later   []leat.RetryTier // where events go that are tried again later; nil: nowhere
	Spring  bool             // by Spring's names and headers
	Returns bool             // of the redrive topic: what comes lay in Topic before
	Retry   *mail.Topic      // what comes waits until it is due; nil: of no retry topic

	Handlers map[string]*Handler // by event type, older types that upcasts take among them

	types   []string   // of the handlers, while they are few: to compare takes less than to hash
	takes   []*Handler // who takes them
	foreign string     // type of records that name none; "": they are no events
	serial  bool       // a handler wants the order of the partition
}

// olderTo routes the older types that upcasts turn into the handler's, but those that have a handler
// of their own or one that fewer steps lead to.
func (r *Route) olderTo(h *Handler) {
	for steps, typ := range h.Kind.Older() {
		to := r.Handlers[typ]
		if to == nil || to.Kind.Type != typ && slices.Index(to.Kind.Older(), typ) > steps {
			r.Handlers[typ] = h
		}
	}
}

// few is how many types are compared one by one.
const few = 4

// list notes the handlers of few types.
func (r *Route) list() {
	r.types, r.takes = nil, nil
	if len(r.Handlers) > few {
		return
	}
	for _, typ := range slices.Sorted(maps.Keys(r.Handlers)) {
		r.types, r.takes = append(r.types, typ), append(r.takes, r.Handlers[typ])
	}
}

// of is who takes a type, nil where nobody does.
func (r *Route) of(typ []byte) *Handler {
	if r.types == nil {
		return r.Handlers[string(typ)] // without an allocation
	}
	for i, t := range r.types {
		if t == string(typ) {
			return r.takes[i]
		}
	}
	return nil
}

// RetryTopics are the topics in which events of the source wait, each once.
func (r *Route) RetryTopics() (names []string) {
	for _, tier := range r.Later {
		names = append(names, tier.Topic)
	}
	return slices.Compact(names)
}

// Record is an event on its way into the lanes, as it was at its source.
type Record struct {
	*kgo.Record
	Wire    leat.Wire
	Handler *Handler         // nil: to be rejected
	Past    *attempt.History // nil: nothing went wrong
	Due     int64            // when it may start, in Unix nanoseconds; 0: at once
}

// Fate is what becomes of a record.
type Fate uint8

// The fates.
const (
	Runs      Fate = iota // it goes into a lane
	Foreign               // passed over: it is none of the group's
	Unhandled             // passed over: nobody takes its type
)

// Take tells what a record of the route is, and takes the event out of one that waited or came back. s is
// written where it lies: copying it would cost more than all the rest.
func (r *Route) Take(s *Record, rec *kgo.Record, strict bool) Fate {
	s.Past, s.Due = nil, 0
	switch {
	case r.Returns:
		if rec = mail.AtSource(rec, r.Topic.Name); rec == nil {
			return Foreign
		}
		strict = true
	case r.Retry != nil:
		w, ok := r.Retry.Read(rec)
		if !ok {
			return Foreign
		}
		past, due := waited(&w), w.Due.UnixNano()
		r.Sort(s, w.Event, true)
		if s.Past == nil {
			s.Past = past
		}
		s.Due = due
		return Runs
	}
	if r.Sort(s, rec, strict) {
		return Unhandled
	}
	return Runs
}

// waited is what an event out of a retry topic has behind it.
func waited(w *mail.Waiting) *attempt.History {
	return &attempt.History{Tier: w.Tier, Attempts: w.Story.Attempts, First: w.Story.FirstFailure, Last: w.Story.LastFailure}
}

// errUnhandled is the cause of a dead letter with that reason.
var errUnhandled = errors.New("no handler takes this event type, and the group is strict")

// Sort tells what an event is: for a handler, or to be rejected (Handler is nil), or to be passed over.
func (r *Route) Sort(s *Record, rec *kgo.Record, strict bool) (pass bool) {
	wire, err := kafka.WireOf(rec)
	s.Record, s.Wire, s.Handler, s.Past, s.Due = rec, wire, nil, nil, 0
	if err != nil {
		s.Past = &attempt.History{Stage: attempt.Burying, Reason: letter.ReasonNotAnEvent, Err: err}
		return false
	}
	if typ := wire.Header(kafka.HeaderType); typ != nil {
		s.Handler = r.of(typ)
	}
	if s.Handler != nil {
		return false
	}
	typ := cmp.Or(wire.Attribute("type"), r.foreign)
	s.Handler = r.Handlers[typ]
	switch {
	case s.Handler != nil:
	case typ == "":
		s.Past = &attempt.History{Stage: attempt.Burying, Reason: letter.ReasonNotAnEvent, Err: fmt.Errorf("the record names no event type (header %s), and topic %s declares no Foreign type for such records", kafka.HeaderType, r.Topic.Name)}
	case strict:
		s.Past = &attempt.History{Stage: attempt.Burying, Reason: letter.ReasonUnhandled, Err: fmt.Errorf("%w: %s", errUnhandled, letter.Clip(typ, 200))}
	default:
		return true
	}
	return false
}

// Key is the lane of a record. A null key means no order; an empty one is a key like others.
func (r *Route) Key(s *Record, seed maphash.Seed) lane.Key {
	switch {
	case r.serial:
		return lane.KeyOf(0)
	case s.Record.Key == nil, s.Handler != nil && s.Handler.Order == leat.Unordered:
		return lane.Loose
	}
	return lane.KeyOf(maphash.Bytes(seed, s.Record.Key))
}
