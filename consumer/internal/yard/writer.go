package yard

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/kafka"
)

// Writer writes into park topics, in the order in which it is told, and reads single places of topics.
type Writer struct {
	producer *kgo.Client
	single   *kgo.Client // for records larger than a batch
	limits   sync.Map    // park topic -> int32, its largest batch
	hurry    chan struct{}
}

// gather is how long a record waits for others to travel with: a request costs the cluster, and the reader
// that it wakes, as much as a hundred records do. [Writer.Hurry] ends the wait.
const gather = 25 * time.Millisecond

// defaultLargest is a broker's default for max.message.bytes.
const defaultLargest = 1_048_588

// NewWriter makes one. It connects when something is parked.
func NewWriter(cluster kafka.Config) (*Writer, error) {
	opts := []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(gather),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}
	w := &Writer{hurry: make(chan struct{}, 1)}
	var err error
	if w.producer, err = cluster.NewClient(append(slices.Clone(opts), kgo.ProducerBatchMaxBytesFn(w.limit))...); err != nil {
		return nil, fmt.Errorf("make the producer of parked events: %w", err)
	}
	if w.single, err = cluster.NewClient(append(opts, kgo.ProducerBatchMaxBytes(mail.Largest))...); err != nil {
		w.producer.Close()
		return nil, fmt.Errorf("make the producer of parked events: %w", err)
	}
	return w, nil
}

// Hurry lets what was appended go at once: something waits for it.
func (w *Writer) Hurry() {
	select {
	case w.hurry <- struct{}{}:
	default:
	}
}

// Run does what Hurry asks for, until ctx ends.
func (w *Writer) Run(ctx context.Context) {
	for {
		select {
		case <-w.hurry:
			_ = w.producer.Flush(ctx) // it fails with ctx only
		case <-ctx.Done():
			return
		}
	}
}

// Close ends what is under way with an error.
func (w *Writer) Close() {
	w.producer.Close()
	w.single.Close()
}

// Knows says whether the topic's largest batch is known.
func (w *Writer) Knows(topic string) bool {
	_, known := w.limits.Load(topic)
	return known
}

// Learn tells the topic's largest batch.
func (w *Writer) Learn(topic string, largest int) {
	w.limits.Store(topic, int32(min(largest, mail.Largest)))
}

// limit is the largest batch that the topic takes.
func (w *Writer) limit(topic string) int32 {
	if n, ok := w.limits.Load(topic); ok {
		return n.(int32)
	}
	return defaultLargest + mail.Room
}

// Append writes a record behind those before it and calls then with the outcome, now or later; not any
// more when ctx has ended.
func (w *Writer) Append(ctx context.Context, r *kgo.Record, then func(error)) {
	if int32(mail.Size(r)) <= w.limit(r.Topic) {
		w.producer.Produce(ctx, r, func(_ *kgo.Record, err error) { then(err) })
		return
	}
	// Uncompressed it is larger than a batch; the topic decides.
	if err := w.producer.Flush(ctx); err != nil {
		return
	}
	then(w.single.ProduceSync(ctx, r).FirstErr())
}

// Await writes records and waits for all of them, or for the end of ctx or of life: the client does not
// give up what may be under way.
func (w *Writer) Await(ctx, life context.Context, records []*kgo.Record) error {
	written := make(chan error, len(records))
	for _, r := range records {
		w.single.Produce(ctx, r, func(_ *kgo.Record, err error) { written <- err })
	}
	for range records {
		select {
		case err := <-written:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-life.Done():
			return context.Cause(life)
		}
	}
	return nil
}

// Read reads one record of a topic.
func (w *Writer) Read(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	records, err := kafka.NewFetcher(w.single, topic, partition).Fetch(ctx, offset, chunkBytes)
	if err != nil {
		return nil, err
	}
	return records[0], nil
}
