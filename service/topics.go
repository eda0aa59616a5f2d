package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/control"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
)

// topics makes sure that all topics are there: first those that the services of this host own, so
// that two processes that read from each other do not wait in a circle, then, once the other ones
// are there, the topics of dead letters.
func (r *run) topics(ctx context.Context) error {
	return untilThere(ctx, func() error { return r.makeTopics(ctx) })
}

func (r *run) makeTopics(ctx context.Context) error {
	var owned, read []leat.Topic
	for _, s := range r.h.services {
		owned = append(owned, s.owns()...)
		read = append(read, s.reads()...)
	}
	if r.kafka.Embedded() {
		owned = union(owned, read) // whoever develops a reader need not start the owner
	}
	if err := r.ensure(ctx, owned); err != nil {
		return err
	}
	if err := r.positions(ctx); err != nil {
		return err
	}
	if err := r.await(ctx, names(read)); err != nil {
		return err
	}
	return r.letters(ctx, union(owned, read))
}

// untilThere does again what fails because a broker is away, or because a topic is not there although
// it was seen: brokers learn of a new topic one after the other, so the one that await asked knew it,
// and the next one may not.
func untilThere(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, kafka.ErrNoTopic) && !kafka.IsAway(err) || ctx.Err() != nil {
			return err
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// letters makes the topics of dead letters, and tells of what is dangerous about them and the others.
func (r *run) letters(ctx context.Context, topics []leat.Topic) error {
	var letters []leat.Topic
	for _, s := range r.h.services {
		for _, c := range s.manifest().Consumes {
			own, err := r.kafka.DeadLetterTopics(ctx, s.manifest().GroupOf(c), c.Topic)
			if err != nil {
				return err
			}
			letters = append(letters, own...)
		}
		parks, err := r.kafka.ParkTopics(ctx, s.group(), s.parked()...)
		if err != nil {
			return err
		}
		letters = append(letters, parks...)
		for _, c := range s.manifest().Consumes {
			retries, err := r.kafka.RetryTopics(ctx, s.group(), c.Topic, c.retryTopics()...)
			if err != nil {
				return err
			}
			letters = append(letters, retries...)
		}
	}
	if err := r.ensure(ctx, letters); err != nil {
		return err
	}
	if err := r.findControl(ctx); err != nil {
		return err
	}
	return r.warn(ctx, union(topics, letters))
}

// findControl chooses the topic of commands to the groups, which the first of their members makes.
// Where topics are only to be checked, one that is missing is no fault: the groups take no commands.
func (r *run) findControl(ctx context.Context) error {
	if !slices.ContainsFunc(r.h.services, func(s *Service) bool { return len(s.cfg.Handlers) > 0 }) {
		return nil // no group, and no right to look
	}
	name := r.h.cfg.Prefix + control.Topic
	if r.h.cfg.CheckTopics {
		states, err := r.kafka.TopicStates(ctx, name)
		if err != nil && !errors.Is(err, kafka.ErrNotAllowed) {
			return err
		}
		if _, exists := states[name]; !exists {
			r.h.log.WarnContext(ctx, "no control topic, or no right to it: leat group pause, seek and the like have no effect on these services; leat topic apply makes it", "topic", name)
			return nil
		}
	}
	r.control = name
	return nil
}

// positions makes the topics in which relays keep their positions.
func (r *run) positions(ctx context.Context) error {
	for _, s := range r.h.services {
		if s.box == nil || len(s.cfg.Owns) == 0 {
			continue // it has no relay
		}
		plan, err := outbox.PlanPositions(ctx, r.kafka, positionTopic(r.h.cfg.Prefix, s.name), s.shards())
		if err == nil {
			err = r.carryOut(ctx, plan)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// union is a and what b has beyond it, by name.
func union(a, b []leat.Topic) []leat.Topic {
	all := slices.Clone(a)
	for _, t := range b {
		if !slices.ContainsFunc(all, func(o leat.Topic) bool { return o.Name == t.Name }) {
			all = append(all, t)
		}
	}
	return all
}

// reads are the topics that the service's handlers read, as they are named in the cluster.
func (s *Service) reads() []leat.Topic {
	var topics []leat.Topic
	for _, h := range slices.Concat(s.cfg.Handlers, s.cfg.Shared.Handlers) {
		topics = append(topics, h.Topic)
	}
	return prefixed(s.host.cfg.Prefix, topics)
}

// parked are the names of those whose events are parked.
func (s *Service) parked() []string {
	var topics []leat.Topic
	for _, h := range s.cfg.Handlers {
		if h.Parking != nil {
			topics = append(topics, h.Topic)
		}
	}
	return names(prefixed(s.host.cfg.Prefix, topics))
}

// manifest describes the service as it is named in the cluster.
func (s *Service) manifest() Manifest { return s.cfg.Manifest(s.host.cfg.Prefix) }

// retryTopics are the topics in which events of the topic wait to be tried again.
func (c Consumed) retryTopics() (names []string) {
	for _, r := range c.Retries {
		names = append(names, r.Topic)
	}
	return names
}

func names(topics []leat.Topic) []string {
	var all []string
	for _, t := range topics {
		all = append(all, t.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ensure makes what is missing, or where topics are only to be checked ends the start with the plan.
func (r *run) ensure(ctx context.Context, topics []leat.Topic) error {
	plan, err := r.kafka.PlanTopics(ctx, topics, kafka.PlanConfig{})
	if err != nil {
		return err
	}
	return r.carryOut(ctx, plan)
}

func (r *run) carryOut(ctx context.Context, plan *kafka.Plan) error {
	if r.h.cfg.CheckTopics && !plan.Empty() {
		return fmt.Errorf("topics are not as declared, and they are only to be checked (--topics check); the plan is:\n%s", strings.TrimSuffix(plan.String(), "\n"))
	}
	for line := range strings.Lines(plan.String()) {
		r.h.log.InfoContext(ctx, "topic plan", "plan", strings.TrimSpace(line))
	}
	return plan.Apply(ctx)
}

// await waits until the topics exist: those of other processes come with their owners.
func (r *run) await(ctx context.Context, topics []string) error {
	missing := topics
	for told := false; ctx.Err() == nil; told = true {
		infos, err := r.kafka.TopicStates(ctx, topics...)
		if err != nil && ctx.Err() == nil {
			return err
		}
		missing = slices.DeleteFunc(slices.Clone(topics), func(name string) bool { _, exists := infos[name]; return exists })
		if err == nil && len(missing) == 0 {
			return nil
		}
		r.h.setState(starting, "topics "+strings.Join(missing, ", "))
		if !told {
			r.h.log.InfoContext(ctx, "waiting for topics that other services make", "topics", missing)
		}
		pause(ctx, 200*time.Millisecond)
	}
	return fmt.Errorf("wait for topics %s: %w; each is made by the service that owns it: start that one, with the same --prefix", strings.Join(missing, ", "), context.Cause(ctx))
}

// warn tells of settings of the cluster that can lose events.
func (r *run) warn(ctx context.Context, topics []leat.Topic) error {
	dangers, err := r.kafka.Dangers(ctx, topics)
	if err != nil {
		return err
	}
	for _, d := range dangers {
		r.h.log.WarnContext(ctx, "danger", "danger", d.String())
	}
	return nil
}
