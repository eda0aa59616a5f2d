package consumer

import (
	"cmp"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/attempt"
	"github.com/leatdev/leat/consumer/internal/payload"
	"github.com/leatdev/leat/consumer/internal/route"
)

// rejects is the scheduler's class of records that never get to a handler.
const rejects = 0

// rejectsInFlight is how many of those are worked on at once.
const rejectsInFlight = 16

const (
	defaultParallel = 64
	defaultTimeout  = 30 * time.Second
)

// handler is what a route's handler has in this member. Consumer.mu guards breaker, limiter,
// ordered and pace.
type handler struct {
	*route.Handler
	breaker *attempt.Breaker       // nil: none
	limiter *attempt.Limiter[work] // nil: none
	ordered float64                // the rate that the control topic says; 0: none
	runs    bool                   // its events may go in runs
	pace    pace
	meters  handlerMetrics
}

// addHandler makes h part of its topic's route, as the next class and, of a batch handler, the one behind
// it.
func (c *Consumer) addHandler(h leat.Handler) {
	h = payload.Claims{Store: c.cfg.Payloads, Max: int64(c.cfg.MaxPayload)}.Wrap(h)
	h.Timeout = max(0, cmp.Or(h.Timeout, defaultTimeout))
	class := len(c.classes)
	own := &handler{Handler: &route.Handler{Handler: h, Class: class, Single: class}, meters: c.metrics.handler(&h)}
	c.classes = append(c.classes, own)
	if h.Batch == nil {
		own.Parallel = cmp.Or(h.Parallel, defaultParallel)
	} else {
		own.Single, own.BatchMax, own.Parallel = class+1, cmp.Or(h.BatchMax, DefaultBatchMax), cmp.Or(h.Parallel, defaultBatches)
		c.classes = append(c.classes, own)
	}
	if h.Breaker != nil {
		own.breaker = attempt.NewBreaker(*h.Breaker)
	}
	own.runs, own.pace = h.Batch == nil && h.Transform == nil && h.Breaker == nil, pace(runSpan)
	if h.Limit != nil {
		own.limiter = attempt.NewLimiter[work](*h.Limit)
	}
	c.handlers = append(c.handlers, own)
	c.routes.Add(c.cfg.Group, own.Handler, c.cfg.Parking)
}

// assign makes w the work on a record.
func (c *Consumer) assign(w *work, r *route.Record) {
	w.rec, w.wire, w.past = r.Record, r.Wire, r.Past
	if r.Handler != nil {
		w.handler = c.classes[r.Handler.Class]
	}
}

// routeOf is what the group does with a topic: a source, or one by which its events come back.
func (c *Consumer) routeOf(topic string) *route.Route {
	if r := c.routes[topic]; r != nil {
		return r
	}
	if r := c.retries[topic]; r != nil {
		return r
	}
	return c.returns[topic]
}
