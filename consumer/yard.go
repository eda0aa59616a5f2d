package consumer

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/park"
	"github.com/leatdev/leat/kafka"
)

const (
	// chunkBytes is about what is read around one parked event, since its neighbours mostly come next.
	chunkBytes = 128 << 10
	// loaders read parked events whose time has come, and write dead letters.
	loaders = 4
	// loadedMax bounds the parked events of one partition that are in memory to be run.
	loadedMax = 64
	// readerMetadata bounds how long a partition that is new to the reader waits for its leader's name.
	readerMetadata = 20 * time.Millisecond
	// lettersMax bounds the dead letters of parked topics that are under way.
	lettersMax = 64
)

// yard is what all parked partitions of a consumer share: a producer into the park topics and a reader
// of them, beside the group's client, and the goroutines at these. The reader consumes partitions
// directly: the group's protocol knows nothing of park topics. Run waits for the goroutines.
type yard struct {
	c        *Consumer
	producer *kgo.Client // in the order of the core's effects
	single   *kgo.Client // for records larger than a batch; also reads single places
	reader   *kgo.Client
	limits   sync.Map      // park topic -> int32, its largest batch
	outbound chan struct{} // the writer looks
	inbound  chan struct{} // a loader looks
	timer    chan struct{} // the clock of due events looks

	// The rest is guarded by Consumer.mu.
	out    []outgoing
	jobs   []func() // for the loaders
	flying int      // dead letters under way
	queued []func() // dead letters that wait for these
	orders []readOrder
	stop   context.CancelFunc // ends the reader's poll under way
}

// readOrder tells the reader to begin with a partition, or to leave it.
type readOrder struct {
	part *partition
	from int64 // -1: leave it
}

func newYard(c *Consumer) *yard {
	return &yard{
		c: c, outbound: make(chan struct{}, 1), inbound: make(chan struct{}, loaders),
		timer: make(chan struct{}, 1),
	}
}

// open makes the producers. They connect when something is parked.
func (y *yard) open() (err error) {
	opts := []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}
	if y.producer, err = y.c.cfg.Kafka.NewClient(append(slices.Clone(opts), kgo.ProducerBatchMaxBytesFn(y.limit))...); err != nil {
		return fmt.Errorf("make the producer of parked events: %w", err)
	}
	if y.single, err = y.c.cfg.Kafka.NewClient(append(opts, kgo.ProducerBatchMaxBytes(largestLetter))...); err != nil {
		y.producer.Close()
		return fmt.Errorf("make the producer of parked events: %w", err)
	}
	return nil
}

// run starts the goroutines; they end with the consumer's ctx.
func (y *yard) run(wg *sync.WaitGroup) {
	wg.Go(y.writeLoop)
	wg.Go(y.readLoop)
	wg.Go(y.dueLoop)
	for range loaders {
		wg.Go(y.loadLoop)
	}
}

func (y *yard) close() {
	y.producer.Close()
	y.single.Close()
}

// limit is the largest batch that the topic takes.
func (y *yard) limit(topic string) int32 {
	if n, ok := y.limits.Load(topic); ok {
		return n.(int32)
	}
	return defaultLargest + letterRoom
}

// defaultLargest is a broker's default for max.message.bytes.
const defaultLargest = 1_048_588

// write hands a record to the writer. mu is held.
func (y *yard) write(o outgoing) {
	y.out = append(y.out, o)
	signal(y.outbound)
}

// writeLoop writes records into the park partitions, in the order in which they were decided.
func (y *yard) writeLoop() {
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

func (y *yard) writeOne(o *outgoing) {
	y.c.mu.Lock()
	over, topic := o.core.Over(), o.part.park.topic
	y.c.mu.Unlock()
	if over {
		return
	}
	r, err := y.recordOf(o)
	if err != nil {
		y.failed(o, err)
		return
	}
	client := y.producer
	if int32(recordSize(r)) > y.limit(topic) {
		client = y.single // uncompressed it is larger than a batch; the topic decides
		if err := y.producer.Flush(y.c.ctx); err != nil {
			return
		}
	}
	acked := func(_ *kgo.Record, err error) {
		if err != nil {
			y.failed(o, err)
			return
		}
		y.c.cfg.Hook("park.appended")
	}
	if client == y.single {
		acked(r, client.ProduceSync(y.c.ctx, r).FirstErr())
		return
	}
	client.Produce(y.c.ctx, r, acked)
}

// recordOf is the record on the wire.
func (y *yard) recordOf(o *outgoing) (*kgo.Record, error) {
	event := o.event
	if o.record.Kind.Carries() && event == nil {
		rec, err := o.part.park.fetcher.event(o.part.ctx, o.part.at, o.at)
		if err != nil {
			return nil, fmt.Errorf("read a parked event that moves: %w", err)
		}
		event = rec.Record
	}
	return parkRecord(o.part.park.topic, o.part.at.partition, o.record, event, o.story), nil
}

// failed begins anew with the partition of a record that could not be written, or of which nobody
// knows: it may still land.
func (y *yard) failed(o *outgoing, err error) {
	c := y.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.part.park.over || o.part.void || c.ctx.Err() != nil {
		return
	}
	c.metrics.parkErrors.With(o.part.at.topic).Inc()
	c.abandonPark(o.part, 0, fmt.Errorf("write to %s: %w", o.part.park.topic, err))
}

// post gives the loaders something to do. mu is held.
func (y *yard) post(job func()) {
	y.jobs = append(y.jobs, job)
	signal(y.inbound)
}

// postLetter is post for a dead letter, of which few are under way at once. mu is held.
func (y *yard) postLetter(job func()) {
	if y.flying >= lettersMax {
		y.queued = append(y.queued, job)
		return
	}
	y.flying++
	y.post(job)
}

// landed lets the next dead letter go. mu is held.
func (y *yard) landed() {
	if len(y.queued) == 0 {
		y.flying--
		return
	}
	y.post(y.queued[0])
	y.queued[0] = nil
	y.queued = y.queued[1:]
}

func (y *yard) loadLoop() {
	for {
		select {
		case <-y.inbound:
		case <-y.c.ctx.Done():
			return
		}
		for {
			y.c.mu.Lock()
			if len(y.jobs) == 0 {
				y.c.mu.Unlock()
				break
			}
			job := y.jobs[0]
			y.jobs[0] = nil
			y.jobs = y.jobs[1:]
			if len(y.jobs) > 0 {
				signal(y.inbound)
			}
			y.c.mu.Unlock()
			job()
		}
	}
}

// order tells the reader. mu is held.
func (y *yard) order(o readOrder) {
	y.orders = append(y.orders, o)
	if y.stop != nil {
		y.stop()
	}
}

// readLoop reads the park partitions and gives their records to the cores. It adds and removes
// partitions between two polls, so that nothing that was fetched for an earlier assignment comes in a
// later one.
func (y *yard) readLoop() {
	reading := map[at]*partition{}
	defer func() {
		if y.reader != nil {
			y.reader.Close()
		}
	}()
	for {
		y.c.mu.Lock()
		orders := y.orders
		y.orders = nil
		ctx, stop := context.WithCancel(y.c.ctx)
		y.stop = stop
		y.c.mu.Unlock()
		if err := y.obey(orders, reading); err != nil {
			y.c.log.Error("make the reader of parked events", "err", err)
			stop()
			return
		}
		if y.reader == nil {
			<-ctx.Done()
		} else {
			y.poll(ctx, reading)
		}
		stop()
		if y.c.ctx.Err() != nil {
			return
		}
	}
}

// obey carries out what the reader was told.
func (y *yard) obey(orders []readOrder, reading map[at]*partition) error {
	for _, o := range orders {
		name := at{o.part.park.topic, o.part.at.partition}
		if was := reading[name]; was != nil {
			if o.from < 0 && was != o.part {
				continue // somebody else's by now
			}
			delete(reading, name)
			y.reader.RemoveConsumePartitions(map[string][]int32{name.topic: {name.partition}})
		}
		if o.from < 0 {
			continue
		}
		reading[name] = o.part
		from := map[string]map[int32]kgo.Offset{name.topic: {name.partition: kgo.NewOffset().At(o.from)}}
		if y.reader != nil {
			y.reader.AddConsumePartitions(from)
			continue
		}
		reader, err := y.c.cfg.Kafka.NewClient(
			kgo.ConsumePartitions(from),
			kgo.ConsumeResetOffset(kgo.NoResetOffset()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.KeepControlRecords(),
			kgo.MetadataMinAge(readerMetadata),
		)
		if err != nil {
			return err
		}
		y.reader = reader
	}
	return nil
}

func (y *yard) poll(ctx context.Context, reading map[at]*partition) {
	fetches := y.reader.PollRecords(ctx, pollRecords)
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := reading[at{f.Topic, f.Partition}]
		switch {
		case p == nil:
		case f.Err != nil && !errors.Is(f.Err, context.Canceled):
			y.c.mu.Lock()
			y.c.abandonPark(p, 0, fmt.Errorf("read %s: %w", f.Topic, f.Err))
			y.c.mu.Unlock()
		case len(f.Records) > 0:
			if y.c.readBack(p, f.Records) {
				y.c.cfg.Hook("park.readback")
			}
		}
	})
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
		rec, err := park.Parse(r.Key, headersOf(r))
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

// due is something that is to happen at a time.
type due struct {
	at   time.Time
	fire func() // mu is held
}

type dues []due

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = due{}
	*d = (*d)[:last]
	return x
}

// at lets something happen at a time, if the partition's claim lasts until then. mu is held.
func (y *yard) at(p *partition, when time.Time, fire func()) {
	heap.Push(&p.park.dues, due{when, fire})
	signal(y.timer)
}

// dueLoop lets happen what is due. Of a partition with loadedMax parked events in memory nothing is,
// until one of them has ended.
func (y *yard) dueLoop() {
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

func (y *yard) fireDue(now time.Time) (next time.Duration) {
	next = time.Hour
	y.c.mu.Lock()
	defer y.c.mu.Unlock()
	for _, p := range y.c.parts {
		k := p.park
		if !k.live() || p.lanes.Closed() {
			continue
		}
		for len(k.dues) > 0 && k.loaded < loadedMax {
			if wait := k.dues[0].at.Sub(now); wait > 0 {
				next = min(next, wait)
				break
			}
			heap.Pop(&k.dues).(due).fire()
		}
	}
	return next
}

// fetcher reads single parked events of one partition. What came with the last one is kept.
type fetcher struct {
	log   *kafka.Fetcher
	mu    sync.Mutex
	chunk []*kgo.Record
}

// at returns the record at an offset.
func (f *fetcher) at(ctx context.Context, offset int64) (*kgo.Record, error) {
	if r := f.kept(offset); r != nil {
		return r, nil
	}
	records, err := f.log.Fetch(ctx, offset, chunkBytes)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.chunk = records
	f.mu.Unlock()
	return records[0], nil
}

func (f *fetcher) kept(offset int64) *kgo.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, found := slices.BinarySearchFunc(f.chunk, offset, func(r *kgo.Record, o int64) int { return cmp.Compare(r.Offset, o) })
	if !found {
		return nil
	}
	return f.chunk[i]
}

// event returns the event that the record at an offset carries, as it was at its source.
func (f *fetcher) event(ctx context.Context, source at, offset int64) (carried, error) {
	r, err := f.at(ctx, offset)
	if err != nil {
		return carried{}, err
	}
	return carriedBy(source, r)
}

func headersOf(r *kgo.Record) []leat.Header {
	hs := make([]leat.Header, len(r.Headers))
	for i, h := range r.Headers {
		hs[i] = leat.Header(h)
	}
	return hs
}
