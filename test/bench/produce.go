package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
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
		headers := make([]kgo.RecordHeader, 0, 8)
		for key, value := range attributes(ev) {
			headers = append(headers, kgo.RecordHeader{Key: key, Value: value})
		}
		cl.Produce(ctx, &kgo.Record{Key: []byte(ev.OrderID), Value: data, Headers: headers}, func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
	}
	err = cl.Flush(ctx)
	return int(acked.Load()), err
}

// attributes are the headers that leat writes with an event.
func attributes(ev order) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		trace := rand.Uint64()
		_ = yield("ce_specversion", []byte("1.0")) &&
			yield("ce_id", []byte(leat.NewID())) &&
			yield("ce_type", []byte(ev.EventType())) &&
			yield("ce_source", []byte("bench")) &&
			yield("ce_subject", []byte(ev.OrderID)) &&
			yield("ce_time", time.Now().UTC().AppendFormat(nil, time.RFC3339Nano)) &&
			yield("content-type", []byte("application/json")) &&
			yield("traceparent", fmt.Appendf(nil, "00-%016x%016x-%016x-00", trace, trace, trace))
	}
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
