package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	wkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/components/metrics"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/prometheus/client_golang/prometheus"
)

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Fetch.Default = 1 << 20
	c.ChannelBufferSize = 1024
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	c.Producer.Compression = sarama.CompressionLZ4
	c.Producer.Flush.Frequency = 10 * time.Millisecond
	c.Producer.Flush.Bytes = 512 << 10
	c.Producer.Return.Successes = true
	return c
}

// saramaHandler counts what handle takes, and ends when all is there.
type saramaHandler struct {
	n      atomic.Int64
	want   int64
	done   context.CancelFunc
	handle func(value []byte) error
}

func (*saramaHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*saramaHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *saramaHandler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-c.Messages():
			if !ok {
				return nil
			}
			if err := h.handle(m.Value); err != nil {
				return err
			}
			s.MarkMessage(m, "")
			if h.n.Add(1) == h.want {
				h.done()
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

func saramaConsume(ctx context.Context, o options, handle func([]byte) error) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	group, err := sarama.NewConsumerGroup(strings.Split(o.brokers, ","), fmt.Sprintf("sarama-%x", mrand.Uint64()), saramaConfig())
	if err != nil {
		return 0, err
	}
	h := &saramaHandler{want: int64(o.records), done: cancel, handle: handle}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{o.topic}, h); err != nil {
			return int(h.n.Load()), errors.Join(err, group.Close())
		}
	}
	return int(h.n.Load()), group.Close()
}

func consumeSarama(ctx context.Context, o options) (int, error) {
	return saramaConsume(ctx, o, func([]byte) error { return nil })
}

func typedSarama(ctx context.Context, o options) (int, error) {
	return saramaConsume(ctx, o, decodeOrder)
}

// decodeOrder is the typed handler of the peers that have no decoder of their own.
func decodeOrder(value []byte) error {
	var v order
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	if v.Total == 0 {
		return errors.New("an order of nothing")
	}
	return nil
}

func produceSarama(_ context.Context, o options) (int, error) { return saramaSends(o, false) }

// produceSaramaEvents is the same with CloudEvents headers, which is what leat writes.
func produceSaramaEvents(_ context.Context, o options) (int, error) { return saramaSends(o, true) }

func saramaSends(o options, events bool) (int, error) {
	p, err := sarama.NewAsyncProducer(strings.Split(o.brokers, ","), saramaConfig())
	if err != nil {
		return 0, err
	}
	var acked int
	var failed error
	var wg, out sync.WaitGroup
	wg.Go(func() {
		for range p.Successes() {
			acked++
			out.Done()
		}
	})
	wg.Go(func() {
		for err := range p.Errors() {
			failed = err
			out.Done()
		}
	})
	for i := range o.records {
		ev := orderAt(i)
		data, err := json.Marshal(ev)
		if err != nil {
			return 0, err
		}
		m := &sarama.ProducerMessage{Topic: o.topic, Key: sarama.StringEncoder(ev.OrderID), Value: sarama.ByteEncoder(data)}
		if events {
			m.Headers = make([]sarama.RecordHeader, 0, 8)
			for key, value := range attributes(ev) {
				m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(key), Value: value})
			}
		}
		out.Add(1)
		p.Input() <- m
	}
	out.Wait() // a message that is tried again when the producer closes is an error
	p.AsyncClose()
	wg.Wait()
	return acked, failed
}

// watermillConsume runs a router with the middlewares.
func watermillConsume(ctx context.Context, o options, handle func([]byte) error, dress func(*message.Router, message.Subscriber) (message.Subscriber, error)) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	var sub message.Subscriber
	sub, err := wkafka.NewSubscriber(wkafka.SubscriberConfig{
		Brokers: strings.Split(o.brokers, ","), Unmarshaler: wkafka.DefaultMarshaler{},
		ConsumerGroup: fmt.Sprintf("watermill-%x", mrand.Uint64()), OverwriteSaramaConfig: saramaConfig(),
	}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	if dress != nil {
		if sub, err = dress(router, sub); err != nil {
			return 0, err
		}
	}
	var n atomic.Int64
	router.AddNoPublisherHandler("bench", o.topic, sub, func(m *message.Message) error {
		if err := handle(m.Payload); err != nil {
			return err
		}
		if n.Add(1) == int64(o.records) {
			cancel()
		}
		return nil
	})
	err = router.Run(ctx)
	return int(n.Load()), err
}

func consumeWatermill(ctx context.Context, o options) (int, error) {
	return watermillConsume(ctx, o, func([]byte) error { return nil }, nil)
}

func typedWatermill(ctx context.Context, o options) (int, error) {
	return watermillConsume(ctx, o, decodeOrder, func(r *message.Router, sub message.Subscriber) (message.Subscriber, error) {
		b := metrics.NewPrometheusMetricsBuilder(prometheus.NewRegistry(), "", "")
		b.AddPrometheusRouterMetrics(r)
		r.AddMiddleware(middleware.Recoverer, middleware.Retry{MaxRetries: 3, InitialInterval: 100 * time.Millisecond}.Middleware)
		return b.DecorateSubscriber(sub)
	})
}

// watermillSenders is how many goroutines publish: the publisher waits for each message's answer.
const watermillSenders = 1000

func produceWatermill(_ context.Context, o options) (int, error) {
	cfg := saramaConfig()
	cfg.Producer.Flush.Frequency, cfg.Producer.Flush.Bytes = 2*time.Millisecond, 0
	p, err := wkafka.NewPublisher(wkafka.PublisherConfig{
		Brokers: strings.Split(o.brokers, ","), OverwriteSaramaConfig: cfg,
		Marshaler: wkafka.NewWithPartitioningMarshaler(func(_ string, m *message.Message) (string, error) { return m.Metadata.Get("key"), nil }),
	}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	var next, acked atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range watermillSenders {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < o.records; i = int(next.Add(1)) - 1 {
				ev := orderAt(i)
				data, err := json.Marshal(ev)
				if err == nil {
					m := message.NewMessage(strconv.Itoa(i), data)
					m.Metadata.Set("key", ev.OrderID)
					err = p.Publish(o.topic, m)
				}
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				acked.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return int(acked.Load()), errors.Join(*err, p.Close())
	}
	return int(acked.Load()), p.Close()
}
