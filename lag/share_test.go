package lag_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/lag"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

type placed struct{}

func (placed) EventType() string { return "test.order.placed.v1" }

// A share group is one of the groups, with its members and how far it is.
func TestAShareGroupIsReadAsOne(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic, group := b.CreateTopic(t, b.Name("lag"), 1, nil), b.Name("share")
		client := broker.Open(t, b.Config())
		event := kgo.RecordHeader{Key: "ce_type", Value: []byte(placed{}.EventType())}
		for range 3 {
			b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("{}"), Headers: []kgo.RecordHeader{event}})
		}
		member, err := consumer.NewShare(consumer.ShareConfig{Group: group, Kafka: b.Config(), Handlers: []leat.Handler{
			consumer.On(leat.Topic{Name: topic, Carries: []any{placed{}}}, func(context.Context, *leat.Event[placed]) error { return nil }, consumer.Unordered()),
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = member.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		leattest.Eventually(t, "the share group is through", func() error {
			all, err := lag.Read(t.Context(), client)
			if err != nil {
				return err
			}
			for _, g := range all {
				if g.Name != group {
					continue
				}
				if !g.Share || len(g.Members) != 1 || len(g.Partitions) != 1 || g.Partitions[0].End != 3 || g.Total() != 0 {
					return fmt.Errorf("%+v", g)
				}
				return nil
			}
			return errors.New("it is not among the groups")
		})
	})
}
