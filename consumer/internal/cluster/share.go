package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/kafka"
)

// ErrNoShareGroups says that a cluster has no share groups, or too old ones.
var ErrNoShareGroups = errors.New("the cluster has no share groups with renewable locks: they need Apache Kafka 4.2 or newer with share.version 1; use a consumer group (consumer.New) instead")

// shareSettings are what a share group of leat rests on: no event that was there before the group is
// skipped, and none of an aborted transaction is handled. Kafka's own defaults are otherwise.
var shareSettings = map[string]string{
	"share.auto.offset.reset": "earliest",
	"share.isolation.level":   "read_committed",
}

// errAsk marks a question that was not answered.
var errAsk = errors.New("the cluster did not answer")

// PrepareShare makes sure of the cluster and of a share group's settings. It waits for a cluster that does
// not answer.
func PrepareShare(ctx context.Context, cfg kafka.Config, group string, log *slog.Logger) error {
	client, err := cfg.NewClient()
	if err != nil {
		return err
	}
	defer client.Close()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := checkShare(ctx, client, group)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, errAsk) {
			return err
		}
		log.Warn("ask the cluster for the share group", "err", err)
		Rest(ctx, pause)
	}
}

func checkShare(ctx context.Context, client *kgo.Client, group string) error {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	const renewing = 2 // the version of ShareAcknowledge that renews
	known, err := knows(ctx, client, new(kmsg.ShareAcknowledgeRequest).Key(), renewing)
	if err != nil {
		return fmt.Errorf("%w: %w", errAsk, err)
	}
	if !known {
		return ErrNoShareGroups
	}
	// A goodbye of a member that never was: only a coordinator of share groups misses it.
	hello := kmsg.NewPtrShareGroupHeartbeatRequest()
	hello.GroupID, hello.MemberID, hello.MemberEpoch = group, "leat-probe", -1
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
	return settle(ctx, client, group)
}

// settle gives a share group its settings, where it has them not.
func settle(ctx context.Context, client *kgo.Client, name string) error {
	const hint = "set them by hand: kafka-configs --alter --entity-type groups --entity-name %s --add-config share.auto.offset.reset=earliest,share.isolation.level=read_committed"
	has := settings(ctx, client, name)
	order := kmsg.NewPtrIncrementalAlterConfigsRequest()
	group := kmsg.NewIncrementalAlterConfigsRequestResource()
	group.ResourceType, group.ResourceName = kmsg.ConfigResourceTypeGroupConfig, name
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
			return fmt.Errorf("set where the share group begins and what it may see (ALTER_CONFIGS on the group): %w; "+hint, err, name)
		}
	}
	return nil
}

// settings are what a group has, as far as we may ask.
func settings(ctx context.Context, client *kgo.Client, group string) map[string]string {
	ask := kmsg.NewPtrDescribeConfigsRequest()
	about := kmsg.NewDescribeConfigsRequestResource()
	about.ResourceType, about.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
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
	return has
}
