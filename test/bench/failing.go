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

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/internal/telemetry"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/schema"
)

// retryAfter is how long a failing event waits for its second attempt.
const retryAfter = 10 * time.Second

// failingCase is what failing keys cost the others: the same handler with the same policy, of which the
// first attempt on each event of 1 % of the keys fails, or none does. Failed events wait 10 s in the park
// topic, and their keys with them. The run ends, and its span is told, when all events of the keys that
// do not fail are handled. Beside it stands what the broker used, where ./test/servers started it.
func failingCase() benchCase {
	c := inProcess(benchCase{
		records: 1_000_000, contenders: []string{"none-fails", "1%-fail"}, filled: true,
		work: map[string]func(context.Context, options) (int, error){
			"none-fails": func(ctx context.Context, o options) (int, error) { return failingLeat(ctx, o, false) },
			"1%-fail":    func(ctx context.Context, o options) (int, error) { return failingLeat(ctx, o, true) },
		},
		prepare: fillTyped,
	})
	c.bySpan = true
	c.measure = func(ctx context.Context, o options, contender string, _ int) (figures, error) {
		o.topic = "bench." + o.name
		if err := c.prepare(ctx, o); err != nil {
			return figures{}, fmt.Errorf("prepare: %w", err)
		}
		return withServers(o, func() (figures, error) { return spawn(ctx, o, contender) })
	}
	return c
}

// ofFailingKey is one key in a hundred.
func ofFailingKey(key string) bool { return strings.HasSuffix(key, "07") }

func failingLeat(ctx context.Context, o options, fails bool) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	healthy := 0
	for i := range o.records {
		if !ofFailingKey(orderAt(i).OrderID) {
			healthy++
		}
	}
	topic := leat.Topic{Name: o.topic, Carries: []any{order{}}}
	var well, began atomic.Int64
	h := consumer.On(topic, func(_ context.Context, e *leat.Event[order]) error {
		if began.Load() == 0 {
			began.CompareAndSwap(0, time.Now().UnixNano())
		}
		sick := ofFailingKey(e.Data.OrderID)
		if sick && fails && e.Attempt() == 1 {
			return errors.New("not yet")
		}
		if !sick && well.Add(1) == int64(healthy) {
			spanOf(time.Unix(0, began.Load()))
			stop(errors.New("all of the others are handled"))
		}
		return nil
	}, consumer.WithRetry(leat.Retry{Attempts: 1}), consumer.Park(leat.Parking{Tiers: []time.Duration{retryAfter, retryAfter}}))
	c, err := consumer.New(consumer.Config{
		Group: fmt.Sprintf("leat-%x", mrand.Uint64()), Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")},
		Handlers: []leat.Handler{h}, Codec: schema.JSON, Logger: slog.New(slog.DiscardHandler), Metrics: telemetry.NewRegistry(),
	})
	if err != nil {
		return 0, err
	}
	err = c.Run(ctx)
	return int(well.Load()) + o.records - healthy, err
}
