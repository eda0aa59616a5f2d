package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
)

const (
	transformIn  = "bench.transform.in"
	perTx        = 1000
	transformOut = 300 // bytes of a value
)

// transformCase copies events from topic to topic, exactly once, 1,000 in a transaction; the raw client
// does the same by a bare GroupTransactSession, with the CloudEvents headers that leat writes and without.
// What each left behind is counted by a read_committed reader.
func transformCase() benchCase {
	c := benchCase{
		records: 300_000, contenders: []string{"kgo+ce", "kgo", "leat", "java", "spring"},
		work:    map[string]func(context.Context, options) (int, error){"kgo+ce": transformRawEvents, "kgo": transformRaw, "leat": transformLeat},
		prepare: fillForTransform,
	}
	c.measure = func(ctx context.Context, o options, contender string, _ int) (figures, error) {
		o.topic = fmt.Sprintf("bench.transform.%x", mrand.Uint64())
		if err := c.prepare(ctx, o); err != nil {
			return figures{}, fmt.Errorf("prepare: %w", err)
		}
		start := spawn
		if c.work[contender] == nil {
			start = spawnJVM
		}
		f, err := start(ctx, o, contender)
		if err != nil {
			return figures{}, err
		}
		return f, o.countOutputs(ctx)
	}
	return c
}

// countOutputs reads what a contender has committed, in the parent's time.
func (o options) countOutputs(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.ConsumeTopics(o.topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for n := 0; n < o.records; {
		fs := cl.PollRecords(ctx, 10_000)
		if err := fs.Err0(); err != nil {
			return fmt.Errorf("count the outputs after %d of %d: %w", n, o.records, err)
		}
		if n += fs.NumRecords(); n > o.records {
			return fmt.Errorf("%d outputs of %d records", n, o.records)
		}
	}
	return nil
}

func fillForTransform(ctx context.Context, o options) error {
	in := o
	in.topic = transformIn
	if err := fill(ctx, in, transformOut); err != nil {
		return err
	}
	return freshTopic(ctx, o)
}

func transformRaw(ctx context.Context, o options) (int, error) {
	return transformBare(ctx, o, func(r *kgo.Record) *kgo.Record {
		return &kgo.Record{Topic: o.topic, Key: r.Key, Value: r.Value}
	})
}

func transformRawEvents(ctx context.Context, o options) (int, error) {
	return transformBare(ctx, o, func(r *kgo.Record) *kgo.Record {
		cause, trace := "", mrand.Uint64()
		for _, h := range r.Headers {
			if h.Key == kafka.HeaderID {
				cause = string(h.Value)
			}
		}
		m := leat.Message{
			ID: leat.NewID(), Type: "bench.copy.v1", Source: "bench", Subject: string(r.Key), Time: time.Now(), Topic: o.topic, Key: r.Key,
			ContentType: "application/octet-stream", Data: r.Value, CausationID: cause, CorrelationID: cause,
			TraceParent: fmt.Sprintf("00-%016x%016x-%016x-00", trace, trace, trace),
		}
		return kafka.Record(&m)
	})
}

// transformBare is the loop that franz-go's own examples show.
func transformBare(ctx context.Context, o options, copied func(*kgo.Record) *kgo.Record) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	s, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.ConsumeTopics(transformIn), kgo.TransactionalID(o.topic),
		kgo.ConsumerGroup(fmt.Sprintf("raw-%x", mrand.Uint64())), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
	)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	n := 0
	for n < o.records {
		fs := s.PollRecords(ctx, perTx)
		if err := fs.Err0(); err != nil {
			return n, err
		}
		if err := s.Begin(); err != nil {
			return n, err
		}
		var failed atomic.Pointer[error]
		fs.EachRecord(func(r *kgo.Record) {
			s.Produce(ctx, copied(r), func(_ *kgo.Record, err error) {
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			})
		})
		committed, err := s.End(ctx, kgo.TryCommit)
		if err == nil && failed.Load() != nil {
			err = *failed.Load()
		}
		if err != nil || !committed {
			return n, fmt.Errorf("a transaction was not committed: %w", err)
		}
		n += fs.NumRecords()
	}
	return n, nil
}

type copied []byte

func transformLeat(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	ctx, done := context.WithCancelCause(ctx)
	reached := errors.New("all records committed")
	defer done(nil)
	in := leat.Topic{Name: transformIn, Carries: []any{leat.KindOf[rawEvent]("bench.raw.v1", nil)}}
	out := leat.Topic{Name: o.topic, Carries: []any{leat.KindOf[outEvent]("bench.copy.v1", func(e outEvent) string { return e.key })}}
	h := consumer.Transform(in, func(_ context.Context, e *leat.Event[rawEvent]) ([]outEvent, error) {
		return []outEvent{{e.Key(), copied(e.Data)}}, nil
	})
	c, err := consumer.New(consumer.Config{
		Group: fmt.Sprintf("leat-%x", mrand.Uint64()), Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")},
		Handlers: []leat.Handler{h}, Codec: noCodec{}, Logger: slog.New(slog.DiscardHandler),
		Transforms: consumer.TransformConfig{Owns: []leat.Topic{out}, MaxEvents: perTx},
	})
	if err != nil {
		return 0, err
	}
	committed := 0
	go func() {
		for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			sum := 0
			for _, p := range c.Stats().Partitions {
				sum += int(max(0, p.Committed))
			}
			if sum >= o.records {
				committed = sum
				done(reached)
			}
		}
	}()
	err = c.Run(ctx)
	return committed, err
}

// outEvent is an output that carries its key beside its bytes.
type outEvent struct {
	key  string
	data copied
}
