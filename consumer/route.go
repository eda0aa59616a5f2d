package consumer

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/kafka"
)

// rejects is the scheduler's class of records that never get to a handler.
const rejects = 0

// rejectsInFlight is how many of those are worked on at once.
const rejectsInFlight = 16

const (
	defaultParallel = 64
	defaultTimeout  = 30 * time.Second
)

// route is what the group does with one topic.
type route struct {
	topic    leat.Topic
	handlers map[string]*handler // by event type
	foreign  string              // type of records that name none; "": they are no events
	serial   bool                // a handler wants the order of the partition
	parking  *leat.Parking       // nil: its events are not parked
}

// handler is a leat.Handler with its defaults filled.
type handler struct {
	leat.Handler
	class    int
	single   int // class of events of a batch handler that are tried alone
	parallel int
	batchMax int           // of a batch handler
	timeout  time.Duration // 0: none
	breaker  *breaker      // nil: none; guarded by Consumer.mu, as is the next
	limiter  *limiter      // nil: none
	ordered  float64       // the rate that the control topic says; 0: none
	meters   handlerMetrics
}

// addHandler makes h part of its topic's route, as the given class and, of a batch handler, the next
// one, and returns how many of its events may be out at once in each.
func (c *Consumer) addHandler(h leat.Handler, class int) []int {
	h = c.claimed(h)
	r := c.routes[h.Topic.Name]
	if r == nil {
		r = &route{topic: h.Topic, handlers: map[string]*handler{}, foreign: h.Topic.ForeignType()}
		c.routes[h.Topic.Name] = r
	}
	timeout := cmp.Or(h.Timeout, defaultTimeout)
	own := &handler{Handler: h, class: class, single: class, timeout: max(timeout, 0), meters: c.metrics.handler(&h)}
	r.handlers[h.Kind.Type] = own
	c.handlers = append(c.handlers, own)
	r.serial = r.serial || h.Order == leat.ByPartition
	if policy := c.cfg.parkingOf(h); policy != nil {
		parking := policy.WithDefaults()
		r.parking = &parking
	}
	if h.Breaker != nil {
		own.breaker = newBreaker(*h.Breaker)
	}
	if h.Limit != nil {
		own.limiter = newLimiter(*h.Limit)
	}
	if h.Batch == nil {
		own.parallel = cmp.Or(h.Parallel, defaultParallel)
		return []int{own.parallel}
	}
	own.single, own.batchMax, own.parallel = class+1, cmp.Or(h.BatchMax, DefaultBatchMax), cmp.Or(h.Parallel, defaultBatches)
	return []int{own.parallel, own.parallel}
}

// errUnhandled is the cause of a dead letter with that reason.
var errUnhandled = errors.New("no handler takes this event type, and the group is strict")

// sort tells what a record is: for a handler, or to be rejected (handler is nil), or to be passed over.
// w is fresh, and written where it lies: copying it would cost more than all the rest.
func (r *route) sort(w *work, rec *kgo.Record, strict bool) (pass bool) {
	wire, err := kafka.WireOf(rec)
	w.rec, w.wire = rec, wire
	if err != nil {
		w.past = &history{stage: burying, reason: ReasonNotAnEvent, err: err}
		return false
	}
	if typ := wire.Header(kafka.HeaderType); typ != nil {
		w.handler = r.handlers[string(typ)] // without an allocation
	}
	if w.handler != nil {
		return false
	}
	typ := cmp.Or(wire.Attribute("type"), r.foreign)
	w.handler = r.handlers[typ]
	switch {
	case w.handler != nil:
	case typ == "":
		w.past = &history{stage: burying, reason: ReasonNotAnEvent, err: fmt.Errorf("the record names no event type (header %s), and topic %s declares no Foreign type for such records", kafka.HeaderType, r.topic.Name)}
	case strict:
		w.past = &history{stage: burying, reason: ReasonUnhandled, err: fmt.Errorf("%w: %s", errUnhandled, clip(typ, 200))}
	default:
		return true
	}
	return false
}

// key is the lane of a record. A null key means no order; an empty one is a key like others.
func (r *route) key(w *work, seed maphash.Seed) lane.Key {
	switch {
	case r.serial:
		return lane.KeyOf(0)
	case w.rec.Key == nil, w.handler != nil && w.handler.Order == leat.Unordered:
		return lane.Loose
	}
	return lane.KeyOf(maphash.Bytes(seed, w.rec.Key))
}
