package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
)

const (
	valueBytes = 1024
	keys       = 10_000
)

// fillForConsume writes the records once: values of half random bytes, keyed, as CloudEvents.
func fillForConsume(ctx context.Context, o options) error { return fill(ctx, o, valueBytes) }

func fill(ctx context.Context, o options, size int) error {
	value := make([]byte, size)
	_, _ = rand.Read(value[:size/2])
	return fillWith(ctx, o, func(i int) leat.Message {
		return leat.Message{ID: leat.NewID(), Type: "bench.raw.v1", Source: "bench", Subject: "k", Topic: o.topic, Key: fmt.Appendf(nil, "key-%05d", i%keys), ContentType: "application/octet-stream", Data: value}
	})
}

// fillWith writes the messages, unless the topic has them already.
func fillWith(ctx context.Context, o options, at func(i int) leat.Message) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.ProducerBatchMaxBytes(256<<10), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if ends, err := adm.ListEndOffsets(ctx, o.topic); err == nil && ends.Error() == nil {
		var n int64
		ends.Each(func(e kadm.ListedOffset) { n += e.Offset })
		if n == int64(o.records) {
			return nil
		}
		if n != 0 {
			return fmt.Errorf("topic %s has %d records, not %d: take another broker", o.topic, n, o.records)
		}
	} else if err := freshTopic(ctx, o); err != nil {
		return err
	}
	var failed atomic.Pointer[error]
	for i := range o.records {
		m := at(i)
		cl.Produce(ctx, kafka.Record(&m), func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

type rawEvent []byte

func consumeLeat(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	ctx, done := context.WithCancelCause(ctx)
	reached := errors.New("all records handled")
	topic := leat.Topic{Name: o.topic, Carries: []any{leat.KindOf[rawEvent]("bench.raw.v1", nil)}}
	var n atomic.Int64
	h := consumer.On(topic, func(context.Context, *leat.Event[rawEvent]) error {
		if n.Add(1) == int64(o.records) {
			done(reached)
		}
		return nil
	})
	c, err := consumer.New(consumer.Config{
		Group: fmt.Sprintf("leat-%x", mrand.Uint64()), Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")},
		Handlers: []leat.Handler{h}, Codec: noCodec{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	if err := c.Run(ctx); err != nil {
		return int(n.Load()), err
	}
	return int(n.Load()), nil
}

// noCodec hands the bytes on as they are: the case measures the consumer, not a decoder.
type noCodec struct{}

func (noCodec) ContentType(*leat.Kind) string { return "application/octet-stream" }
func (noCodec) Append(dst []byte, _ *leat.Kind, v any) ([]byte, error) {
	if e, ok := v.(outEvent); ok {
		return append(dst, e.data...), nil
	}
	return append(dst, v.(rawEvent)...), nil
}
func (noCodec) Decode(data []byte, _ *leat.Kind, v any) error { *v.(*rawEvent) = data; return nil }
