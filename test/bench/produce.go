package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
)

func rawProducer(o options) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.DefaultProduceTopic(o.topic), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
}

// produceRaw is what a careful team writes by hand: encoding/json, key, idempotent, lz4.
func produceRaw(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	cl, err := rawProducer(o)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var acked atomic.Int64
	for i := range o.records {
		ev := orderAt(i)
		data, err := json.Marshal(ev)
		if err != nil {
			return 0, err
		}
		cl.Produce(ctx, &kgo.Record{Key: []byte(ev.OrderID), Value: data}, func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
	}
	err = cl.Flush(ctx)
	return int(acked.Load()), err
}

// produceRawEvents is the same with CloudEvents headers, which is what leat writes.
func produceRawEvents(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	cl, err := rawProducer(o)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var acked atomic.Int64
	for i := range o.records {
		ev := orderAt(i)
		data, err := json.Marshal(ev)
		if err != nil {
			return 0, err
		}
		key := []byte(ev.OrderID)
		trace := rand.Uint64()
		cl.Produce(ctx, &kgo.Record{Key: key, Value: data, Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(leat.NewID())},
			{Key: "ce_type", Value: []byte(ev.EventType())},
			{Key: "ce_source", Value: []byte("bench")},
			{Key: "ce_subject", Value: key},
			{Key: "ce_time", Value: time.Now().UTC().AppendFormat(nil, time.RFC3339Nano)},
			{Key: "content-type", Value: []byte("application/json")},
			{Key: "traceparent", Value: fmt.Appendf(nil, "00-%016x%016x-%016x-00", trace, trace, trace)},
		}}, func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
	}
	err = cl.Flush(ctx)
	return int(acked.Load()), err
}

// produceLeat sends typed events: checked, encoded, with CloudEvents headers and an id each.
func produceLeat(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	cl, err := kafka.Open(ctx, kafka.Config{Brokers: strings.Split(o.brokers, ",")})
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	p, err := cl.Producer(kafka.ProducerConfig{Source: "bench", Owns: []leat.Topic{{Name: o.topic, Carries: []any{order{}}}}, Codec: schema.JSON, Linger: 10 * time.Millisecond})
	if err != nil {
		return 0, err
	}
	var acked atomic.Int64
	for i := range o.records {
		err := p.SendAsync(ctx, orderAt(i), func(_ leat.Position, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
		if err != nil {
			return i, err
		}
	}
	err = p.Flush(ctx)
	return int(acked.Load()), err
}
