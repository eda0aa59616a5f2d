package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
)

// fillTyped writes orders as JSON, keyed, as CloudEvents, once.
func fillTyped(ctx context.Context, o options) error {
	return fillWith(ctx, o, func(i int) leat.Message {
		ev := orderAt(i)
		data, _ := json.Marshal(ev)
		return leat.Message{ID: leat.NewID(), Type: ev.EventType(), Source: "bench", Subject: ev.OrderID, Topic: o.topic, Key: []byte(ev.OrderID), ContentType: "application/json", Data: data}
	})
}

// rawGroup is the poll loop of a bare group; decode reads each record, nil: nothing does.
func rawGroup(decode func([]byte) error) func(context.Context, options) (int, error) {
	return func(ctx context.Context, o options) (int, error) {
		ctx, cancel := deadline(ctx)
		defer cancel()
		cl, err := kgo.NewClient(
			kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.ConsumeTopics(o.topic),
			kgo.ConsumerGroup(fmt.Sprintf("raw-%x", mrand.Uint64())), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.AutoCommitMarks(),
		)
		if err != nil {
			return 0, err
		}
		defer cl.Close()
		n := 0
		for n < o.records {
			fs := cl.PollRecords(ctx, 10_000)
			if err := fs.Err0(); err != nil {
				return n, err
			}
			var failed error
			fs.EachRecord(func(r *kgo.Record) {
				n++
				if decode != nil && failed == nil {
					failed = decode(r.Value)
				}
				cl.MarkCommitRecords(r)
			})
			if failed != nil {
				return n, failed
			}
		}
		return n, cl.CommitMarkedOffsets(ctx)
	}
}

// decodeSame is leat's own decoder.
func decodeSame(value []byte) error {
	var v order
	if err := schema.JSON.Decode(value, &orderKind, &v); err != nil {
		return err
	}
	if v.Total == 0 {
		return errors.New("an order of nothing")
	}
	return nil
}

var orderKind = leat.Kind{Type: order{}.EventType()}

// typedLeat has retries and metrics on, as every service has.
func typedLeat(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	ctx, done := context.WithCancelCause(ctx)
	reached := errors.New("all records handled")
	topic := leat.Topic{Name: o.topic, Carries: []any{order{}}}
	var n atomic.Int64
	h := consumer.On(topic, func(_ context.Context, e *leat.Event[order]) error {
		if e.Data.Total == 0 {
			return errors.New("an order of nothing")
		}
		if n.Add(1) == int64(o.records) {
			done(reached)
		}
		return nil
	})
	c, err := consumer.New(consumer.Config{
		Group: fmt.Sprintf("leat-%x", mrand.Uint64()), Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")},
		Handlers: []leat.Handler{h}, Codec: schema.JSON, Logger: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(),
	})
	if err != nil {
		return 0, err
	}
	err = c.Run(ctx)
	return int(n.Load()), err
}
