package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
)

// settleTimeout is how long Apply waits for the leaders of new topics.
const settleTimeout = 30 * time.Second

// Apply does what the plan says, and returns when every topic has its leaders. That another process
// was quicker is no error. Where the user has not the right, the error holds the plan, for somebody
// who has it.
func (p *Plan) Apply(ctx context.Context) error {
	if p.Empty() {
		return nil
	}
	err := errors.Join(p.create(ctx), p.grow(ctx), p.alter(ctx))
	if err == nil {
		return p.settle(ctx)
	}
	if notAllowed(err) {
		return fmt.Errorf("apply topics: %w (%w); have this done by somebody who has the right (Create, Alter and AlterConfigs on the topics), then start again:\n%s", ErrNotAllowed, err, strings.TrimSuffix(p.String(), "\n"))
	}
	return fmt.Errorf("apply topics: %w", err)
}

func notAllowed(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.PolicyViolation)
}

// perRequest is how many partitions are asked for together: a controller takes 10,000 changes at a time.
const perRequest = 2000

func (p *Plan) create(ctx context.Context) error {
	var errs []error
	for rest := p.Create; len(rest) > 0; {
		req := kmsg.NewPtrCreateTopicsRequest()
		for n := 0; len(rest) > 0 && (n == 0 || n+partitionsOf(rest[0]) <= perRequest); rest = rest[1:] {
			n += partitionsOf(rest[0])
			req.Topics = append(req.Topics, creation(rest[0]))
		}
		resp, err := req.RequestWith(ctx, p.client.kgo)
		if err != nil {
			return fmt.Errorf("create %d topics, %s first: %w", len(req.Topics), req.Topics[0].Topic, err)
		}
		for _, t := range resp.Topics {
			err := kerr.ErrorForCode(t.ErrorCode)
			if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
				continue
			}
			message := ""
			if t.ErrorMessage != nil {
				message = *t.ErrorMessage
			}
			errs = append(errs, topicError("create topic", t.Topic, err, message))
		}
	}
	return errors.Join(errs...)
}

func creation(t leat.Topic) kmsg.CreateTopicsRequestTopic {
	req := kmsg.NewCreateTopicsRequestTopic()
	req.Topic, req.NumPartitions, req.ReplicationFactor = t.Name, int32(partitionsOf(t)), -1
	if t.Replication > 0 {
		req.ReplicationFactor = int16(t.Replication)
	}
	for name, value := range t.Config {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, &value
		req.Configs = append(req.Configs, config)
	}
	return req
}

func (p *Plan) grow(ctx context.Context) error {
	var errs []error
	for _, g := range p.Grow {
		resps, err := p.client.adm.UpdatePartitions(ctx, g.Want, g.Topic)
		resp := resps[g.Topic]
		if err == nil {
			err = resp.Err
		}
		if err != nil && !errors.Is(err, kerr.InvalidPartitions) { // that many are there already: settle looks
			errs = append(errs, topicError("add partitions to topic", g.Topic, err, resp.ErrMessage))
		}
	}
	return errors.Join(errs...)
}

func (p *Plan) alter(ctx context.Context) error {
	var errs []error
	for _, s := range p.Alter {
		resps, err := p.client.adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: s.Name, Value: &s.Want}}, s.Topic)
		message := ""
		if err == nil {
			var resp kadm.AlterConfigsResponse
			if resp, err = resps.On(s.Topic, nil); err == nil {
				err, message = resp.Err, resp.ErrMessage
			}
		}
		if err != nil {
			errs = append(errs, topicError("set "+s.Name+" of topic", s.Topic, err, message))
		}
	}
	return errors.Join(errs...)
}

func topicError(op, topic string, err error, message string) error {
	if message != "" {
		err = fmt.Errorf("%w: %s", err, message)
	}
	e := &Error{Op: op, Topic: topic, Partition: -1, Err: err}
	switch {
	case errors.Is(err, kerr.InvalidReplicationFactor):
		e.Hint = "the cluster has too few brokers for it: declare a lower replication"
	case errors.Is(err, kerr.InvalidConfig):
		e.Hint = "look at the topic's Config"
	}
	return e
}

// settle waits until every partition that was made has a leader: before, the first write to it may
// fail.
func (p *Plan) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("new topics have no leaders after %v", settleTimeout))
	defer cancel()
	ctx = kadm.WithAuthorizedOps(ctx) // such a question is not answered out of the client's memory, which is up to 5 s old
	wanted := map[string]int{}
	var names []string
	for _, t := range p.Create {
		wanted[t.Name] = 1 // whoever was quicker may have wanted another number
		names = append(names, t.Name)
	}
	for _, g := range p.Grow {
		wanted[g.Topic] = g.Want
		names = append(names, g.Topic)
	}
	for len(wanted) > 0 {
		details, err := p.client.adm.ListTopicsWithInternal(ctx, names...)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("wait for the leaders of new topics: %w", err)
		}
		for name, d := range details {
			if led(d) && len(d.Partitions) >= wanted[name] {
				delete(wanted, name)
			}
		}
		if len(wanted) == 0 {
			break
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait for the leaders of new topics: %w", context.Cause(ctx))
		}
	}
	return nil
}

func led(d kadm.TopicDetail) bool {
	if d.Err != nil || len(d.Partitions) == 0 {
		return false
	}
	for _, p := range d.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return false
		}
	}
	return true
}

// EnsureTopics plans and applies in one step: what the owner of topics, or of dead letters, does at
// start. The plan tells what was done and what differs.
func (c *Client) EnsureTopics(ctx context.Context, topics []leat.Topic) (*Plan, error) {
	plan, err := c.PlanTopics(ctx, topics, PlanConfig{})
	if err != nil {
		return nil, err
	}
	return plan, plan.Apply(ctx)
}
