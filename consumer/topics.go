package consumer

import (
	"context"
	"maps"
	"slices"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/cluster"
)

// watchTopics waits for the group's topics and makes those that it needs beside them. Run waits for it.
func (c *Consumer) watchTopics(ctx context.Context) {
	w := cluster.Watch{
		Client: c.client, Log: c.log, Returns: slices.Collect(maps.Keys(c.returns)), Look: c.lookup,
		Missing: c.setMissing, Found: c.setFound,
	}
	for _, topic := range slices.Sorted(maps.Keys(c.routes)) {
		s := cluster.Source{Topic: topic, Letters: leat.DeadLetters(topic, c.cfg.Group), Retries: c.routes[topic].RetryTopics()}
		if c.routes[topic].Parking != nil {
			s.Park = leat.ParkTopic(topic, c.cfg.Group)
		}
		w.Sources = append(w.Sources, s)
	}
	w.Run(ctx)
}
