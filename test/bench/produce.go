package main

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// produceRaw is what a careful team writes by hand: encoding/json, key, idempotent, lz4.
func produceRaw(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.DefaultProduceTopic(o.topic), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
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

// produceLeat sends typed events: checked, encoded, with CloudEvents headers and an id each.
func produceLeat(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	cl, err := kafka.Open(ctx, kafka.Config{Brokers: strings.Split(o.brokers, ",")})
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	p, err := cl.Producer(kafka.ProducerConfig{Source: "bench", Owns: []leat.Topic{{Name: o.topic, Carries: []any{order{}}}}, Codec: leat.JSON, Linger: 10 * time.Millisecond})
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
