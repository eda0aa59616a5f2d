package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// positionTopic is how the topic of positions is wanted: only the last record of a key counts, and
// little has to be read through at a takeover.
func positionTopic(name string, partitions int) leat.Topic {
	return leat.Topic{Name: name, Partitions: partitions, Config: map[string]string{
		"cleanup.policy":            "compact",
		"segment.bytes":             strconv.Itoa(4 << 20),
		"min.cleanable.dirty.ratio": "0.1",
	}}
}

// PlanPositions compares the topic of a relay's positions (RelayConfig.PositionTopic) with the cluster: it
// has a partition for each shard. What shards that are no more have left stays, and partitions are added
// at need: a record's shard says where it lies, so no key moves. An embedded broker has no such topic.
func PlanPositions(ctx context.Context, c *kafka.Client, topic string, shards int) (*kafka.Plan, error) {
	if c.Embedded() {
		return &kafka.Plan{}, nil
	}
	there, err := c.TopicStates(ctx, topic)
	if err != nil && !errors.Is(err, kafka.ErrNotAllowed) { // the plan says more of that
		return nil, fmt.Errorf("look for the relay's position topic: %w", err)
	}
	wanted := positionTopic(topic, max(shards, 1, there[topic].Partitions))
	return c.PlanTopics(ctx, []leat.Topic{wanted}, kafka.PlanConfig{Grow: true})
}

// inspectKafka makes the position topic where it is missing, checks that it keeps what it gets, and
// asks how large a record the service's topics take.
func (r *shard) inspectKafka(ctx context.Context, s *setup) error {
	if s.transactional {
		if err := r.inspectPositions(ctx, s.client); err != nil {
			return err
		}
	}
	owned := map[string]bool{}
	for _, t := range r.box.cfg.Owns {
		owned[t.Name] = true
	}
	return r.learnLimits(ctx, s.client, owned)
}

func (r *shard) inspectPositions(ctx context.Context, c *kafka.Client) error {
	infos, err := c.TopicStates(ctx, r.cfg.PositionTopic)
	if err == nil && infos[r.cfg.PositionTopic].Partitions < r.of {
		made := r.growPositions(ctx, c)
		// The other shards are at it too: what counts is what is there.
		if infos, err = c.TopicStates(ctx, r.cfg.PositionTopic); err == nil && infos[r.cfg.PositionTopic].Partitions < r.of {
			return made
		}
	}
	if err != nil {
		return fmt.Errorf("inspect the relay's position topic: %w", err)
	}
	return positionFault(infos[r.cfg.PositionTopic])
}

func (r *shard) growPositions(ctx context.Context, c *kafka.Client) error {
	plan, err := PlanPositions(ctx, c, r.cfg.PositionTopic, r.of)
	if err == nil {
		err = plan.Apply(ctx)
	}
	if err != nil {
		return fmt.Errorf("make the relay's position topic: %w", err)
	}
	return fmt.Errorf("make the relay's position topic: it has fewer than %d partitions yet", r.of)
}

// positionFault says why the topic would not keep the relay's position.
func positionFault(info kafka.TopicState) error {
	policy := info.Config["cleanup.policy"]
	if info.Config == nil || policy == "compact" { // nil: this user may not look
		return nil
	}
	return &SetupError{
		What: fmt.Sprintf("topic %s, which keeps the relay's position, has cleanup.policy %q and would forget it", info.Name, policy),
		Hint: "set its cleanup.policy to compact, or give PositionTopic another name",
	}
}

// learnLimits asks how large a record the topics take. A topic that is missing has no limit yet.
func (r *shard) learnLimits(ctx context.Context, c *kafka.Client, topics map[string]bool) error {
	there, err := c.TopicStates(ctx, slices.Sorted(maps.Keys(topics))...)
	if err != nil {
		return fmt.Errorf("ask for the topics' limits: %w", err)
	}
	limits, err := c.MaxMessageBytes(ctx, slices.Sorted(maps.Keys(there))...)
	if err != nil {
		return fmt.Errorf("ask for the topics' limits: %w", err)
	}
	maps.Copy(r.hurdle.limits, limits)
	return nil
}

// relearn asks for the limits of the topics of a batch that was refused.
func (g *reign) relearn(ctx context.Context, b *batch) error {
	topics := map[string]bool{}
	for i := range b.events {
		topics[b.events[i].Topic] = true
	}
	return g.learnLimits(ctx, g.setup.client, topics)
}

// letterTopic says whether the topic of letters about topic is there, and makes it at need.
func (g *reign) letterTopic(ctx context.Context, topic string) bool {
	if g.hurdle.mute[leat.DeadLetters(topic, g.box.cfg.Group)] {
		return false
	}
	if there, known := g.setup.letters[topic]; known {
		return there
	}
	declared, err := g.setup.client.DeadLetterTopics(ctx, g.box.cfg.Group, topic)
	if errors.Is(err, kafka.ErrNoTopic) {
		declared, err = []leat.Topic{{Name: leat.DeadLetters(topic, g.box.cfg.Group), Config: map[string]string{"retention.ms": "-1"}}}, nil
	}
	if err == nil {
		_, err = g.setup.client.EnsureTopics(ctx, declared)
	}
	if err != nil {
		g.log.WarnContext(ctx, "no letter is left in place of a parked event: its topic can't be made", "topic", leat.DeadLetters(topic, g.box.cfg.Group), "error", err)
	}
	g.setup.letters[topic] = err == nil
	return err == nil
}
