package kafka

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/internal/telemetry"
)

const (
	defaultCompression = "lz4"
	defaultBuffer      = 2 << 20
	defaultDelivery    = 30 * time.Second
)

// ProducerConfig says what a producer sends and how.
type ProducerConfig struct {
	// Source is the CloudEvents source of the events: the service's name. Needed for typed events, not
	// for SendMessages.
	Source string
	// Owns are the topics that may be written to; their types name them.
	Owns []leat.Topic
	// Codec encodes the events' data; nil: leat.JSON.
	Codec leat.Codec
	// Claim, where set, is given each typed event before it leaves, and may put its data elsewhere and a
	// reference in its place, so that an event can be larger than its topic takes; see outbox.Box.Claim.
	Claim func(ctx context.Context, m *leat.Message) error
	// Compression of batches: none, gzip, snappy, lz4, zstd; "": lz4.
	Compression string
	// Linger is how long a batch waits for more events; 0: not at all: a batch then holds what has come
	// while the one before it was on its way.
	Linger time.Duration
	// MaxBufferedBytes is how much may wait for acknowledgement before SendAsync waits for room; 0: 2
	// MiB. The property buffer.memory wins.
	MaxBufferedBytes int
	// DeliveryTimeout is how long an event may take until its acknowledgement; 0: 30 s. After it the
	// event has failed for the sender and may still be in the log.
	DeliveryTimeout time.Duration
	// Metrics counts events; nil: nothing does.
	Metrics *telemetry.Registry
}

// Producer sends events without a database: idempotent, acknowledged by all in-sync replicas. It is
// safe for concurrent use. Events of one key that are sent one after the other lie in the log in that
// order; where one fails, those buffered behind it on its partition fail too.
type Producer struct {
	cl      *kgo.Client
	encoder *leat.Encoder // nil: no typed events
	claim   func(context.Context, *leat.Message) error
	pool    sync.Pool // *sending
	scratch sync.Pool // *leat.Message
	budget  *budget
	metrics producerMetrics
}

// Producer makes a producer with its own connections. Close it when done.
func (c *Client) Producer(pc ProducerConfig) (*Producer, error) {
	p := &Producer{
		claim:   pc.Claim,
		budget:  newBudget(int64(cmp.Or(c.set.maxBuffer, pc.MaxBufferedBytes, defaultBuffer))),
		metrics: newProducerMetrics(pc.Metrics),
	}
	if len(pc.Owns) > 0 {
		if pc.Source == "" {
			return nil, errors.New("make a producer: it needs a Source, the service's name")
		}
		catalog, err := leat.NewCatalog(pc.Owns...)
		if err != nil {
			return nil, fmt.Errorf("make a producer: %w", err)
		}
		p.encoder = &leat.Encoder{Catalog: catalog, Codec: pc.Codec, Source: pc.Source}
	}
	codecs, err := compression(cmp.Or(pc.Compression, defaultCompression), nil)
	if err != nil {
		return nil, fmt.Errorf("make a producer: compression: %w", err)
	}
	p.cl, err = kgo.NewClient(c.set.options(append(promptly(),
		kgo.ProducerBatchCompression(codecs...),
		kgo.ProducerLinger(pc.Linger),
		kgo.MaxBufferedRecords(math.MaxInt), // the budget is the bound
		kgo.RecordDeliveryTimeout(cmp.Or(pc.DeliveryTimeout, defaultDelivery)),
		// Without it a record in flight waits without end for a broker that is away.
		kgo.AllowIdempotentProduceCancellation(),
	))...)
	if err != nil {
		return nil, fmt.Errorf("make the Kafka client: %w", err)
	}
	p.pool.New = func() any {
		s := &sending{p: p}
		s.promise = s.settle
		return s
	}
	p.scratch.New = func() any { return new(leat.Message) }
	return p, nil
}

// Close ends the connections. Events that are not acknowledged yet fail; Flush first.
func (p *Producer) Close() { p.cl.Close() }

// Flush waits until every event sent so far is acknowledged or has failed.
func (p *Producer) Flush(ctx context.Context) error {
	if err := p.cl.Flush(ctx); err != nil {
		return fmt.Errorf("flush the producer: %w", context.Cause(ctx))
	}
	return nil
}

// Send sends events, values of types that the topics in Owns carry or leat.With around one, and waits
// until all are acknowledged. Nothing is sent where one of them can't be encoded. Otherwise an error
// is a *SendError, which says which events failed.
func (p *Producer) Send(ctx context.Context, events ...any) error {
	batch := make([]*sending, 0, len(events))
	for i, event := range events {
		s := p.take()
		batch = append(batch, s)
		if err := p.encode(ctx, s, event); err != nil {
			for _, s := range batch {
				p.put(s)
			}
			return fmt.Errorf("send event %d of %d: %w", i+1, len(events), err)
		}
	}
	r := newReport(len(events))
	for i, s := range batch {
		s.done, s.size = func(_ leat.Position, err error) { r.settle(i, err) }, 0 // the call itself is the bound
		p.cl.Produce(ctx, &s.rec, s.promise)
	}
	return r.wait()
}

// SendAsync encodes one event, puts it into the buffer and returns; done is called once with where
// the event lies, or with the error. It waits for room in the buffer, until ctx ends. done runs on
// the client's own goroutine: it must not block, nor send. A nil done means that nobody asks.
//
// An error that SendAsync returns is about this event alone; done is then not called.
func (p *Producer) SendAsync(ctx context.Context, event any, done func(leat.Position, error)) error {
	s := p.take()
	if err := p.encode(ctx, s, event); err != nil {
		p.put(s)
		return fmt.Errorf("send an event: %w", err)
	}
	if err := p.budget.take(ctx, s.size); err != nil {
		s.size = 0
		p.put(s)
		return fmt.Errorf("wait for room in the buffer: %w", err)
	}
	s.done = done
	p.cl.Produce(ctx, &s.rec, s.promise)
	return nil
}

// SendMessages sends messages as they are and waits until all are acknowledged. An error is a
// *SendError. What comes after a failed message on its partition may have failed too or not have been
// tried: to keep the order, close the producer, make a new one, and send all that failed again.
func (p *Producer) SendMessages(ctx context.Context, msgs []leat.Message) error {
	r := newReport(len(msgs))
	b := newBatch(nil, msgs, nil)
	for i := range b.records {
		p.cl.Produce(ctx, &b.records[i], func(rec *kgo.Record, err error) {
			p.metrics.count(err)
			if err != nil {
				err = produceError("send to", rec.Topic, err)
			}
			r.settle(i, err)
		})
	}
	return r.wait()
}

// SendRaw sends records as they are, events or not, to the partitions of their keys (Partition has no
// meaning here), and waits until all are acknowledged. An error is a *SendError.
func (p *Producer) SendRaw(ctx context.Context, raws ...Raw) error {
	r := newReport(len(raws))
	b := newBatch(nil, nil, raws)
	for i := range b.records {
		p.cl.Produce(ctx, &b.records[i], func(rec *kgo.Record, err error) {
			p.metrics.count(err)
			if err != nil {
				err = produceError("send to", rec.Topic, err)
			}
			r.settle(i, err)
		})
	}
	return r.wait()
}

// encode makes the record of an event, with the correlation and the trace of what is being handled.
func (p *Producer) encode(ctx context.Context, s *sending, event any) error {
	if p.encoder == nil {
		return errors.New("the producer owns no topics: set ProducerConfig.Owns and Source")
	}
	m := p.scratch.Get().(*leat.Message)
	defer p.scratch.Put(m)
	m.Data = s.data
	now := time.Now()
	if err := p.encoder.Encode(m, event, leat.FromContext(ctx), newID(now), now); err != nil {
		return err
	}
	if p.claim != nil {
		if err := p.claim(ctx, m); err != nil {
			return fmt.Errorf("put the event's data aside: %w", err)
		}
	}
	telemetry.Created(ctx, m)
	appendRecord(&s.rec, m, &s.clock)
	s.rec.Timestamp = now // the client would ask the clock once more
	s.data, s.size = m.Data, int64(m.Size())
	return nil
}

// newID is leat.NewID from the runtime's own generator, which is seeded by the system and as good for
// a name: ids are no secrets.
func newID(now time.Time) string {
	var random [10]byte
	binary.LittleEndian.PutUint64(random[:], rand.Uint64())
	binary.LittleEndian.PutUint16(random[8:], uint16(rand.Uint32()))
	return leat.UUIDv7(now, random)
}

// sending is an event on its way, with the buffers that it lies in. It goes back to the pool when the
// client has let go of it.
type sending struct {
	p       *Producer
	rec     kgo.Record
	data    []byte // the buffer of rec.Value
	clock   clock
	size    int64                    // taken from the budget
	promise func(*kgo.Record, error) // settle, made once
	done    func(leat.Position, error)
}

func (p *Producer) take() *sending { return p.pool.Get().(*sending) }

// keepBuffer is the largest data buffer that the pool keeps.
const keepBuffer = 64 << 10

func (p *Producer) put(s *sending) {
	if cap(s.data) > keepBuffer {
		return
	}
	s.rec = kgo.Record{Headers: s.rec.Headers[:0]}
	s.done = nil
	p.pool.Put(s)
}

// settle is called by the client once, when it has let go of the record.
func (s *sending) settle(r *kgo.Record, err error) {
	done, at := s.done, leat.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	p := s.p
	p.metrics.count(err)
	p.budget.give(s.size)
	p.put(s)
	if done == nil {
		return
	}
	if err != nil {
		done(leat.Position{Topic: at.Topic, Partition: -1, Offset: -1}, produceError("send to", at.Topic, err))
		return
	}
	done(at, nil)
}
