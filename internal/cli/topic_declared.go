package cli

import (
	"context"
	"slices"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/service"
)

// declared are the topics of the manifests, but for those of outboxes' positions: owned ones and that of
// commands first, then dead letters and the like. Those whose source is not there yet wait: they are made
// like it.
func declared(ctx context.Context, client *kafka.Client, manifests []service.Manifest) (topics []leat.Topic, waiting []planView, err error) {
	var sources []string
	for _, m := range manifests {
		for _, t := range m.Owns {
			topics = append(topics, leat.Topic{Name: t.Topic, Partitions: t.Partitions, Replication: t.Replication, Config: t.Config})
			sources = append(sources, t.Topic)
		}
		if m.Control != "" {
			topics = append(topics, control.Declare(m.Control))
		}
		for _, c := range m.Consumes {
			sources = append(sources, c.Topic)
		}
	}
	there, err := client.TopicStates(ctx, sources...)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range manifests {
		var left []string // whose events may stay in the outbox
		for _, t := range m.Owns {
			if _, ok := there[t.Topic]; ok && m.Outbox != nil {
				left = append(left, t.Topic)
			}
		}
		letters, err := client.DeadLetterTopics(ctx, m.Sender(), left...)
		if err != nil {
			return nil, nil, err
		}
		topics = append(topics, letters...)
		for _, c := range m.Consumes {
			if _, ok := there[c.Topic]; !ok {
				waiting = append(waiting, planView{Act: "wait", Topic: c.DeadLetters, Why: "its source " + c.Topic + " is not there yet"})
				continue
			}
			beside, err := besides(ctx, client, m, c)
			if err != nil {
				return nil, nil, err
			}
			topics = append(topics, beside...)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(topics, func(t leat.Topic) bool {
		again := seen[t.Name]
		seen[t.Name] = true
		return again
	}), waiting, nil
}

// besides are the topics that a group has beside one that it reads.
func besides(ctx context.Context, client *kafka.Client, m service.Manifest, c service.Consumed) ([]leat.Topic, error) {
	topics, err := client.DeadLetterTopics(ctx, m.GroupOf(c), c.Topic)
	if err == nil && c.Park != "" {
		var parks []leat.Topic
		parks, err = client.ParkTopics(ctx, m.Group, c.Topic)
		topics = append(topics, parks...)
	}
	for _, r := range c.Retries {
		if err == nil {
			var retries []leat.Topic
			retries, err = client.RetryTopics(ctx, m.Group, c.Topic, r.Topic)
			topics = append(topics, retries...)
		}
	}
	return topics, err
}
