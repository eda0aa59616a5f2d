package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
)

// slowCase is one partition of events that each take 0 to 5 ms of waiting, of so many keys: what the
// order of keys costs. Told is the span from the first event to the last, and the order of each key
// is checked by the handler.
func slowCase(keys int) benchCase {
	return inProcess(benchCase{
		records: 10_000, contenders: []string{"goroutines", "leat", "parallel-consumer"}, filled: true,
		work: map[string]func(context.Context, options) (int, error){
			"goroutines": func(ctx context.Context, o options) (int, error) { return slowBare(o, keys) },
			"leat":       slowLeat,
		},
		prepare: func(ctx context.Context, o options) error { return fillSlow(ctx, o, keys) },
	})
}

// slowEvent is the i-th event of the case: the same in every run and language.
func slowEvent(i, keys int) (key string, wait time.Duration, number int) {
	rng := mrand.New(mrand.NewPCG(7, uint64(i)))
	return fmt.Sprintf("key-%04d", i%keys), time.Duration(rng.IntN(5000)) * time.Microsecond, i / keys
}

// fillSlow writes the events; a value is the wait in microseconds and the number within the key, 4
// bytes each, big-endian.
func fillSlow(ctx context.Context, o options, keys int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.DefaultProduceTopic(o.topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if ends, err := adm.ListEndOffsets(ctx, o.topic); err == nil && ends.Error() == nil {
		return nil
	}
	if r, err := adm.CreateTopic(ctx, 1, 1, nil, o.topic); err != nil || r.Err != nil {
		return errors.Join(err, r.Err)
	}
	for i := range o.records {
		key, wait, number := slowEvent(i, keys)
		value := binary.BigEndian.AppendUint32(nil, uint32(wait/time.Microsecond))
		m := leat.Message{ID: leat.NewID(), Type: "bench.raw.v1", Source: "bench", Topic: o.topic, Key: []byte(key), Data: binary.BigEndian.AppendUint32(value, uint32(number))}
		cl.Produce(ctx, kafka.Record(&m), nil)
	}
	return cl.Flush(ctx)
}

// slowBare only sleeps: one goroutine for each key, at most 100 at work.
func slowBare(o options, keys int) (int, error) {
	byKey := make([][]time.Duration, keys)
	for i := range o.records {
		_, wait, _ := slowEvent(i, keys)
		byKey[i%keys] = append(byKey[i%keys], wait)
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, slowParallel)
	var n atomic.Int64
	defer spanOf(time.Now())
	for _, waits := range byKey {
		wg.Go(func() {
			for _, d := range waits {
				room <- struct{}{}
				time.Sleep(d)
				<-room
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return int(n.Load()), nil
}

const slowParallel = 100

func slowLeat(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	ctx, done := context.WithCancelCause(ctx)
	reached := errors.New("all records handled")
	topic := leat.Topic{Name: o.topic, Carries: []any{leat.KindOf[rawEvent]("bench.raw.v1", nil)}}
	var n, disorder atomic.Int64
	var mu sync.Mutex
	var first time.Time
	last := map[string]uint32{}
	h := consumer.On(topic, func(_ context.Context, e *leat.Event[rawEvent]) error {
		key, number := e.Key(), binary.BigEndian.Uint32(e.Data[4:])
		mu.Lock()
		if first.IsZero() {
			first = time.Now()
		}
		if last[key] != number {
			disorder.Add(1)
		}
		last[key] = number + 1
		mu.Unlock()
		time.Sleep(time.Duration(binary.BigEndian.Uint32(e.Data)) * time.Microsecond)
		if n.Add(1) == int64(o.records) {
			spanOf(first)
			done(reached)
		}
		return nil
	}, consumer.Parallel(slowParallel))
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
	if bad := disorder.Load(); bad != 0 {
		return int(n.Load()), fmt.Errorf("%d events out of their key's order", bad)
	}
	return int(n.Load()), nil
}
