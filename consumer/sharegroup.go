package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shareSettings are what a share group of leat rests on: no event that was there before the group is
// skipped, and none of an aborted transaction is handled. Kafka's own defaults are otherwise.
var shareSettings = map[string]string{
	"share.auto.offset.reset": "earliest",
	"share.isolation.level":   "read_committed",
}

// prepare makes sure of the cluster and of the group's settings. It waits for a cluster that does not
// answer.
func (s *Share) prepare(ctx context.Context) error {
	client, err := s.c.cfg.Kafka.NewClient()
	if err != nil {
		return fmt.Errorf("run share group %s: %w", s.c.cfg.Group, err)
	}
	defer client.Close()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := s.check(ctx, client)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, errAsk) {
			return fmt.Errorf("run share group %s: %w", s.c.cfg.Group, err)
		}
		s.c.log.Warn("ask the cluster for the share group", "err", err)
		rest(ctx, pause)
	}
}

// errAsk marks a question that was not answered.
var errAsk = errors.New("the cluster did not answer")

func (s *Share) check(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	brokers, err := kadm.NewClient(client).ApiVersions(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errAsk, err)
	}
	const renewing = 2 // the version of ShareAcknowledge that renews
	for _, b := range brokers {
		if highest, ok := b.KeyMaxVersion(new(kmsg.ShareAcknowledgeRequest).Key()); b.Err == nil && (!ok || highest < renewing) {
			return ErrNoShareGroups
		}
	}
	// A goodbye of a member that never was: only a coordinator of share groups misses it.
	hello := kmsg.NewPtrShareGroupHeartbeatRequest()
	hello.GroupID, hello.MemberID, hello.MemberEpoch = s.c.cfg.Group, "leat-probe", -1
	resp, err := hello.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("%w: %w", errAsk, err)
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case err == nil, errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupIDNotFound):
	case errors.Is(err, kerr.UnsupportedVersion):
		return ErrNoShareGroups
	case kerr.IsRetriable(err):
		return fmt.Errorf("%w: %w", errAsk, err)
	default:
		return fmt.Errorf("ask the group's coordinator: %w", err)
	}
	return s.settle(ctx, client)
}

// settle gives the group its settings, where it has them not.
func (s *Share) settle(ctx context.Context, client *kgo.Client) error {
	const hint = "set them by hand: kafka-configs --alter --entity-type groups --entity-name %s --add-config share.auto.offset.reset=earliest,share.isolation.level=read_committed"
	ask := kmsg.NewPtrDescribeConfigsRequest()
	about := kmsg.NewDescribeConfigsRequestResource()
	about.ResourceType, about.ResourceName = kmsg.ConfigResourceTypeGroupConfig, s.c.cfg.Group
	ask.Resources = append(ask.Resources, about)
	has := map[string]string{}
	if resp, err := ask.RequestWith(ctx, client); err == nil {
		for _, r := range resp.Resources {
			for _, c := range r.Configs {
				if c.Value != nil {
					has[c.Name] = *c.Value
				}
			}
		}
	}
	order := kmsg.NewPtrIncrementalAlterConfigsRequest()
	group := kmsg.NewIncrementalAlterConfigsRequestResource()
	group.ResourceType, group.ResourceName = kmsg.ConfigResourceTypeGroupConfig, s.c.cfg.Group
	for name, want := range shareSettings {
		if has[name] == want {
			continue
		}
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = name, kmsg.IncrementalAlterConfigOpSet, &want
		group.Configs = append(group.Configs, c)
	}
	if len(group.Configs) == 0 {
		return nil
	}
	order.Resources = append(order.Resources, group)
	resp, err := order.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("%w: %w", errAsk, err)
	}
	for _, r := range resp.Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return fmt.Errorf("set where the share group begins and what it may see (ALTER_CONFIGS on the group): %w; "+hint, err, s.c.cfg.Group)
		}
	}
	return nil
}
