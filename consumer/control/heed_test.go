package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/leattest/broker"
)

// The names of a group's own topics lead to the topic whose events they hold.
func TestSourceOfATopic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		topic, want string
		own         bool
	}{
		{leat.ParkTopic("shop.orders", "payment"), "shop.orders", true},
		{leat.RedriveTopic("shop.orders", "payment"), "shop.orders", true},
		{leat.DeadLetters("shop.orders", "payment"), "shop.orders", true},
		{leat.RetryTopics{}.Tiers("shop.orders", "payment")[2].Topic, "shop.orders", true},
		{"shop.orders", "shop.orders", false},
		{leat.ParkTopic("shop.orders", "shipping"), "shop.orders.shipping.park", false},
		{"shop.orders.payment.retry-", "shop.orders.payment.retry-", false},
		{"shop.orders.payment.retry-0", "shop.orders.payment.retry-0", false},
		{"payment.park", "payment.park", false},
		{".payment.park", ".payment.park", false},
		{"parks", "parks", false},
	} {
		if got, own := control.SourceOf("payment", c.topic); got != c.want || own != c.own {
			t.Errorf("%s: %s (%t), want %s (%t)", c.topic, got, own, c.want, c.own)
		}
	}
}

// A command that nobody would heed is not written, and names the topic that is meant.
func TestACommandThatNobodyHeedsIsRefused(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		client := broker.Open(t, b.Config())
		log := control.NewLog(client, b.CreateTopic(t, b.Name("p")+"."+control.Topic, 1, map[string]string{"cleanup.policy": "compact"}))
		park, retry := leat.ParkTopic("shop.orders", "payment"), "shop.orders.payment.retry-2"
		write := func(r control.Record) error {
			r.Group, r.ID = "payment", "1"
			return log.Write(context.Background(), []control.Record{r}, nil)
		}
		for name, r := range map[string]control.Record{
			"pause of a park topic":  {Kind: control.Pause, Topic: park, Partition: control.All},
			"drain of a park topic":  {Kind: control.Pause, Topic: park, Partition: 0, Drain: true},
			"rate of a park topic":   {Kind: control.Rate, Topic: park, Partition: control.All, PerSecond: 1},
			"seek in a park topic":   {Kind: control.Seek, Topic: park, Partition: 0},
			"pause of a retry topic": {Kind: control.Pause, Topic: retry, Partition: control.All},
		} {
			if err := write(r); !errors.Is(err, control.ErrUnheeded) || !strings.Contains(err.Error(), " shop.orders") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if state, err := log.Read(t.Context()); err != nil || len(state.Of("")) > 0 {
			t.Errorf("the topic says %v, %v", state.Of(""), err)
		}
		for name, r := range map[string]control.Record{
			"pause of a source":                   {Kind: control.Pause, Topic: "shop.orders", Partition: 0},
			"seek in a retry topic":               {Kind: control.Seek, Topic: retry, Partition: 0},
			"answer of a retry topic":             {Kind: control.Drained, Topic: retry, Partition: 0},
			"pause of what another group retries": {Kind: control.Pause, Topic: "shop.orders.shipping.retry-2", Partition: control.All},
		} {
			if err := write(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
