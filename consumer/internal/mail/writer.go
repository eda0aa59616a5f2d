package mail

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/letter"
	"github.com/leatdev/leat/kafka"
)

// Room is how much larger than its source's largest record a dead letter may be.
const Room = 64 << 10

// Largest is the largest dead letter that the client itself allows: the topic's own limit
// decides.
const Largest = 64 << 20

// Writer writes dead letters, and what goes to retry topics, with clients of its
// own, which connect when there is a first one. Letters travel in batches, and a topic's limit holds for a
// whole batch: when one is too large, its letters are sent again one by one, by the second client, so that each answers for itself.
type Writer struct {
	group  string
	client *kgo.Client
	single *kgo.Client
	turn   chan struct{} // holds one value: the right to send by single
	wg     sync.WaitGroup
}

// NewWriter makes one for a group. It connects with the first letter.
func NewWriter(cluster kafka.Config, group string) (*Writer, error) {
	opts := []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
			return func(r *kgo.Record, n int) int { return int(r.Partition) % n } // the source's number
		})),
	}
	client, err := cluster.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the dead-letter producer: %w", err)
	}
	single, err := cluster.NewClient(append(opts, kgo.ProducerBatchMaxBytes(Largest))...)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("make the dead-letter producer: %w", err)
	}
	return &Writer{group: group, client: client, single: single, turn: make(chan struct{}, 1)}, nil
}

// Request sends a request of another kind by the same connections.
func (w *Writer) Request(ctx context.Context, r kmsg.Request) (kmsg.Response, error) {
	return w.client.Request(ctx, r)
}

// Close ends what is still under way with an error.
func (w *Writer) Close() {
	w.client.Close()
	w.single.Close()
	w.wg.Wait()
}

// Send writes r and calls then with the outcome, at once or later. alone sends it in a batch of its
// own.
func (w *Writer) Send(ctx context.Context, r *kgo.Record, alone bool, then func(error)) {
	if !alone {
		w.client.TryProduce(ctx, r, func(_ *kgo.Record, err error) { then(err) })
		return
	}
	w.wg.Go(func() {
		select {
		case w.turn <- struct{}{}:
		case <-ctx.Done():
			then(context.Cause(ctx))
			return
		}
		err := w.single.ProduceSync(ctx, r).FirstErr()
		<-w.turn
		then(err)
	})
}

// Omissible is what a dead letter leaves out when it is too large for its topic, in this order. The
// record itself stays at its source as long as the topic keeps it.
var Omissible = []string{"stack", "error", "value"}

// Note is what is to be written of an event that failed.
type Note struct {
	Event  *kgo.Record
	Story  letter.DeadLetter
	Omit   int       // how much of Omissible is left out
	Spring bool      // with Spring Kafka's headers
	Cause  error     // that they tell the type of
	Later  *Deferral // where it waits; nil: it goes to the dead letters
}

// Deferral is how an event goes to a retry topic.
type Deferral struct {
	Topic string
	Tier  int // from 1 on
	Due   time.Time
}

// Record is what is written.
func (w *Writer) Record(n *Note) *kgo.Record {
	r := w.Compose(n.Event, n.Story, n.Omit)
	if n.Spring {
		r.Headers = append(r.Headers, springStory(n)...)
	}
	if n.Later == nil {
		return r
	}
	r.Topic = n.Later.Topic
	if n.Spring {
		r.Headers = append(r.Headers, springRetry(n)...)
	}
	r.Headers = append(r.Headers, retryHeader(n.Later))
	return r
}

// Compose is a dead letter: the record's key, value and headers as they were, and the story behind.
func (w *Writer) Compose(rec *kgo.Record, d letter.DeadLetter, omit int) *kgo.Record {
	d.Omitted = Omissible[:omit]
	r := &kgo.Record{
		Topic:     leat.DeadLetters(rec.Topic, w.group),
		Partition: rec.Partition,
		Key:       rec.Key,
		Value:     rec.Value,
		Headers:   slices.Clip(rec.Headers),
	}
	for _, what := range d.Omitted {
		switch what {
		case "stack":
			d.Stack = ""
		case "error":
			d.Error = letter.Clip(d.Error, 100)
		case "value":
			r.Value = nil
		}
	}
	for _, h := range d.Headers() {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}

// Size is at least what a record takes in a batch of its own.
func Size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value) + 128
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

// Headers are the headers of a record.
func Headers(r *kgo.Record) []leat.Header {
	hs := make([]leat.Header, len(r.Headers))
	for i, h := range r.Headers {
		hs[i] = leat.Header(h)
	}
	return hs
}

// Raw is a record for a transactor.
func Raw(r *kgo.Record) kafka.Raw {
	return kafka.Raw{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: Headers(r)}
}
