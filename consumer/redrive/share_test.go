package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// A share group has no way back of its own: its letters stay where they are, and no topic is made that
// nobody reads. They can be discarded.
func TestLettersDoNotGoBackToAShareGroup(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		client := broker.Open(t, b.Config())
		r := &rig{client: client, group: b.Name("share"), topic: leat.Topic{Name: b.CreateTopic(t, b.Name("orders"), 1, nil), Carries: []any{placed{}}}}
		// Longer than a machine may stall, which would bring the event a second time.
		b.ConfigureGroup(t, r.group, "share.record.lock.duration.ms", "30000")
		b.ConfigureGroup(t, r.group, "share.session.timeout.ms", "45000")
		share, err := consumer.NewShare(consumer.ShareConfig{
			Group: r.group, Kafka: b.Config(), Logger: slog.New(slog.DiscardHandler),
			Handlers: []leat.Handler{consumer.On(r.topic, func(context.Context, *leat.Event[placed]) error {
				return leat.Permanent(errors.New("no"))
			}, consumer.Unordered())},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = share.Run(ctx) })
		defer func() { cancel(); wg.Wait() }()
		p, err := client.Producer(kafka.ProducerConfig{Source: "test", Owns: []leat.Topic{r.topic}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := p.Send(t.Context(), placed{"k", 0}); err != nil {
			t.Fatal(err)
		}
		leattest.Eventually(t, "a dead letter", func() error {
			states, err := client.TopicStates(t.Context(), leat.DeadLetters(r.topic.Name, r.group))
			if err != nil || len(states) == 0 {
				return fmt.Errorf("no topic yet (%w)", err)
			}
			if n := len(b.ReadAll(t, leat.DeadLetters(r.topic.Name, r.group), kgo.ReadCommitted())); n != 1 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		if _, err := r.job(redrive.Redriven).Run(t.Context()); !errors.Is(err, redrive.ErrShareGroup) {
			t.Errorf("redrive: %v, want ErrShareGroup", err)
		}
		name := leat.RedriveTopic(r.topic.Name, r.group)
		if states, err := client.TopicStates(t.Context(), name); err != nil || len(states) != 0 {
			t.Errorf("the redrive topic is there: %v (%v)", states, err)
		}
		if n, err := r.job(redrive.Discarded).Run(t.Context()); err != nil || n.Done != 1 {
			t.Errorf("discarded %+v (%v)", n, err)
		}
	})
}
