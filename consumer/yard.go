package consumer

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/internal/yard"
	"github.com/leatdev/leat/consumer/park"
)

const (
	// loaders read parked events whose time has come, and write dead letters.
	loaders = 4
	// loadedMax bounds the parked events of one partition that are in memory to be run.
	loadedMax = 64
)

// parkYard is what all parked partitions of a consumer share: the writer of the park topics and the reader
// of them, and the goroutines at these. Run waits for the goroutines.
type parkYard struct {
	*yard.Writer
	*yard.Jobs
	c        *Consumer
	reader   *yard.Reader[*partition]
	outbound chan struct{} // the writer looks
	timer    chan struct{} // the clock of due events looks

	out []outgoing // guarded by Consumer.mu
}

// openYard makes the yard, where a topic's events are parked.
func (c *Consumer) openYard() error {
	if !c.routes.Parks() {
		return nil
	}
	w, err := yard.NewWriter(c.cfg.Kafka)
	if err != nil {
		return err
	}
	c.yard = &parkYard{
		Writer: w, Jobs: yard.NewJobs(loaders), c: c, reader: yard.NewReader(c.cfg.Kafka, c.readPark),
		outbound: make(chan struct{}, 1), timer: make(chan struct{}, 1),
	}
	return nil
}

// run starts the goroutines; they end with the consumer's ctx.
func (y *parkYard) run(wg *sync.WaitGroup) {
	wg.Go(y.writeLoop)
	wg.Go(func() { y.Writer.Run(y.c.ctx) })
	wg.Go(func() {
		if err := y.reader.Run(y.c.ctx); err != nil {
			y.c.log.Error("make the reader of parked events", "err", err)
		}
	})
	wg.Go(y.dueLoop)
	for range loaders {
		wg.Go(func() { y.Work(y.c.ctx) })
	}
}

// write hands a record to the writer. mu is held.
func (y *parkYard) write(o outgoing) {
	y.out = append(y.out, o)
	signal(y.outbound)
}

// writeLoop writes records into the park partitions, in the order in which they were decided.
func (y *parkYard) writeLoop() {
	for {
		select {
		case <-y.outbound:
		case <-y.c.ctx.Done():
			return
		}
		y.c.mu.Lock()
		out := y.out
		y.out = nil
		y.c.mu.Unlock()
		for i := range out {
			y.writeOne(&out[i])
		}
	}
}

func (y *parkYard) writeOne(o *outgoing) {
	y.c.mu.Lock()
	over := o.core.Over()
	y.c.mu.Unlock()
	if over {
		return
	}
	r, err := y.recordOf(o)
	if err != nil {
		y.failed(o, err)
		return
	}
	if y.c.txn != nil {
		y.c.leave(o, r)
		return
	}
	y.Append(y.c.ctx, r, func(err error) {
		if err != nil {
			y.failed(o, err)
			return
		}
		y.c.cfg.Hook("park.appended")
	})
	if kind := o.record.Kind; kind != park.Park && kind != park.Fin { // for these two nobody waits
		y.Hurry()
	}
}

// recordOf is the record on the wire.
func (y *parkYard) recordOf(o *outgoing) (*kgo.Record, error) {
	event := o.event
	if o.record.Kind.Carries() && event == nil {
		rec, err := o.part.park.fetcher.Event(o.part.ctx, o.at)
		if err != nil {
			return nil, fmt.Errorf("read a parked event that moves: %w", err)
		}
		event = rec.Record
	}
	return yard.Record(o.part.park.topic, o.part.at.partition, o.record, event, o.story), nil
}

// failed begins anew with the partition of a record that could not be written, or of which nobody
// knows: it may still land.
func (y *parkYard) failed(o *outgoing, err error) {
	c := y.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.part.park.over || o.part.void || c.ctx.Err() != nil {
		return
	}
	c.metrics.parkErrors.With(o.part.at.topic).Inc()
	c.abandonPark(o.part, 0, fmt.Errorf("write to %s: %w", o.part.park.topic, err))
}

// readPark takes what was read of a park partition.
func (c *Consumer) readPark(p *partition, topic string, records []*kgo.Record, err error) {
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.abandonPark(p, 0, fmt.Errorf("read %s: %w", topic, err))
		return
	}
	if c.readBack(p, records) {
		c.cfg.Hook("park.readback")
	}
}

// readBack gives records of the park partition to the core, and says whether one was our own.
func (c *Consumer) readBack(p *partition, records []*kgo.Record) (ours bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := p.park
	for _, r := range records {
		if k.core == nil || k.core.Over() || p.void || r.Offset < k.read {
			return ours
		}
		k.read = r.Offset + 1
		if r.Attrs.IsControl() {
			k.core.Pass(r.Offset)
			continue
		}
		rec, err := park.Parse(r.Key, mail.Headers(r))
		switch {
		case errors.Is(err, park.ErrForeign):
			c.log.Warn("a record that is not of the parking protocol is passed over", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset)
			k.core.Pass(r.Offset)
		case err != nil:
			c.stopParking(p, fmt.Errorf("offset %d of %s/%d: %w", r.Offset, r.Topic, r.Partition, err))
			return ours
		default:
			before := k.core.Unread()
			c.do(p, k.core.Apply(rec, r.Offset))
			ours = ours || k.core.Unread() < before
		}
	}
	return ours
}

// stopParking stops a partition whose parked events can't be known. mu is held.
func (c *Consumer) stopParking(p *partition, err error) {
	p.park.over = true
	p.park.core.Close()
	p.park.away = fmt.Errorf("%w; its events stop until a program runs that can read it", err)
	c.log.Error("partition stopped: its park partition can't be read", "topic", p.at.topic, "partition", p.at.partition, "err", err)
	c.closePart(p)
	c.releaseHand(p)
}

// at lets something happen at a time, if the partition's claim lasts until then. mu is held.
func (y *parkYard) at(p *partition, when time.Time, fire func()) {
	p.park.dues.Add(when, fire)
	signal(y.timer)
}

// dueLoop lets happen what is due. Of a partition with loadedMax parked events in memory nothing is,
// until one of them has ended.
func (y *parkYard) dueLoop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := y.fireDue(time.Now())
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-y.timer:
		case <-y.c.ctx.Done():
			return
		}
	}
}

func (y *parkYard) fireDue(now time.Time) (next time.Duration) {
	next = time.Hour
	y.c.mu.Lock()
	defer y.c.mu.Unlock()
	for _, p := range y.c.parts {
		k := p.park
		if !k.live() || p.lanes.Closed() {
			continue
		}
		if wait, waits := k.dues.Fire(now, func() bool { return k.loaded < loadedMax }); waits {
			next = min(next, wait)
		}
	}
	return next
}
