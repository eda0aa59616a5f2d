package kafka_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

func open(t testing.TB, b *broker.Broker) *kafka.Client {
	t.Helper()
	return broker.Open(t, config(b))
}

func TestEnsureTopicsCreatesOnceAndThenFindsNothingToDo(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		c, ctx := open(t, b), within(t, time.Minute)
		topics := []leat.Topic{
			{Name: b.Name("orders")},
			{Name: b.Name("payments"), Partitions: 3, Config: map[string]string{"retention.ms": "86400000", "max.message.bytes": "2000000"}},
		}
		plan, err := c.EnsureTopics(ctx, topics)
		if err != nil {
			t.Fatal(err)
		}
		if len(plan.Create) != 2 {
			t.Errorf("created %d topics, want 2", len(plan.Create))
		}
		infos, err := c.TopicStates(ctx, topics[0].Name, topics[1].Name, "not-there")
		if err != nil {
			t.Fatal(err)
		}
		if got := infos[topics[0].Name].Partitions; got != leat.DefaultPartitions {
			t.Errorf("%d partitions by default, want %d", got, leat.DefaultPartitions)
		}
		if got := infos[topics[1].Name]; got.Partitions != 3 || got.Config["retention.ms"] != "86400000" {
			t.Errorf("got %+v", got)
		}
		if len(infos) != 2 {
			t.Errorf("told of %d topics, want 2", len(infos))
		}
		plan, err = c.EnsureTopics(ctx, topics)
		if err != nil || !plan.Empty() || len(plan.Differ) > 0 {
			t.Errorf("again: %v, %s", err, plan)
		}
		limits, err := c.MaxMessageBytes(ctx, topics[0].Name, topics[1].Name)
		if diff := cmp.Diff(map[string]int{topics[0].Name: 1_000_012, topics[1].Name: 1_000_012}, limits); err != nil || diff != "" {
			t.Errorf("limits: %v\n%s", err, diff)
		}
	})
}

func TestATopicThatIsRefusedStopsNoOther(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		c, ctx := open(t, b), within(t, time.Minute)
		many := []leat.Topic{{Name: b.Name("refused"), Replication: 99}}
		for n := range 5 {
			many = append(many, leat.Topic{Name: b.Name(fmt.Sprint("taken-", n)), Partitions: 900}) // more than one request takes
		}
		if b.Real() {
			for i := range many {
				many[i].Partitions = 3
			}
		}
		_, err := c.EnsureTopics(ctx, many)
		if !errors.Is(err, kerr.InvalidReplicationFactor) || !strings.Contains(err.Error(), many[0].Name) || !strings.Contains(err.Error(), "lower replication") {
			t.Errorf("got %v, want what is wrong with the first", err)
		}
		for _, topic := range many[1:] {
			leattest.Eventually(t, "brokers know what their controller has created", func() error {
				infos, err := open(t, b).TopicStates(ctx, topic.Name) // what c has asked for lately it knows still
				if err == nil && infos[topic.Name].Partitions != topic.Partitions {
					err = fmt.Errorf("%s has %+v, want %d partitions", topic.Name, infos[topic.Name], topic.Partitions)
				}
				return err
			})
		}
	})
}

func TestPlanChangesNothingThatLosesRecords(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		c, ctx := open(t, b), within(t, time.Minute)
		name := b.CreateTopic(t, b.Name("orders"), 3, map[string]string{"retention.ms": "86400000", "cleanup.policy": "delete", "max.message.bytes": "500000"})
		wish := leat.Topic{Name: name, Partitions: 6, Replication: 3, Config: map[string]string{
			"retention.ms": "1000", "cleanup.policy": "compact", "max.message.bytes": "400000", "segment.ms": "1000",
		}}
		plan, err := c.EnsureTopics(ctx, []leat.Topic{wish})
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, d := range plan.Differ {
			left = append(left, d.Name)
		}
		if diff := cmp.Diff([]string{"partitions", "replication", "cleanup.policy", "max.message.bytes", "retention.ms", "segment.ms"}, left); diff != "" || !plan.Empty() {
			t.Errorf("left alone:\n%s\n%s", diff, plan)
		}
		fewer, err := c.PlanTopics(ctx, []leat.Topic{{Name: name, Partitions: 1}}, kafka.PlanConfig{Grow: true})
		if err != nil || !fewer.Empty() || len(fewer.Differ) != 1 {
			t.Errorf("fewer partitions: %v, %s", err, fewer)
		}
		more, err := c.PlanTopics(ctx, []leat.Topic{{Name: name, Partitions: 6, Config: map[string]string{"retention.ms": "-1", "max.message.bytes": "600000"}}}, kafka.PlanConfig{Grow: true})
		if err != nil || len(more.Alter) != 2 || len(more.Grow) != 1 {
			t.Fatalf("more of all: %v, %s", err, more)
		}
		if err := more.Apply(ctx); err != nil {
			t.Fatal(err)
		}
		leattest.Eventually(t, "brokers know what their controller has altered", func() error {
			infos, err := c.TopicStates(ctx, name)
			if got := infos[name]; got.Partitions != 6 || got.Config["retention.ms"] != "-1" || got.Config["max.message.bytes"] != "600000" {
				err = errors.Join(err, fmt.Errorf("after: %+v", got))
			}
			return err
		})
		if limits, err := c.MaxMessageBytes(ctx, name); err != nil || limits[name] != 600_000 {
			t.Errorf("limit %v, %v", limits, err)
		}
	})
}

func TestDeadLetterTopicHasRoomForTheStoryAndKeepsIt(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		c, ctx := open(t, b), within(t, time.Minute)
		name := b.CreateTopic(t, b.Name("orders"), 5, map[string]string{"retention.ms": "1000", "cleanup.policy": "compact,delete", "max.message.bytes": "300000"})
		letters, err := c.DeadLetterTopics(ctx, "payment", name, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.EnsureTopics(ctx, letters); err != nil {
			t.Fatal(err)
		}
		dlq := name + ".payment.dlq"
		infos, err := c.TopicStates(ctx, dlq)
		if err != nil {
			t.Fatal(err)
		}
		got := infos[dlq]
		want := map[string]string{"max.message.bytes": "365536", "message.timestamp.type": "LogAppendTime", "retention.ms": "-1", "cleanup.policy": "delete"}
		for setting, value := range want {
			if got.Config[setting] != value {
				t.Errorf("%s is %q, want %q", setting, got.Config[setting], value)
			}
		}
		if got.Partitions != 5 {
			t.Errorf("%d partitions, want the source's 5", got.Partitions)
		}
		if _, err := c.DeadLetterTopics(ctx, "payment", b.Name("none")); err == nil || !strings.Contains(err.Error(), "start its owner first") {
			t.Errorf("of a topic that is not there: %v", err)
		}
	})
}

func TestDangersAreNamed(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		c, ctx := open(t, b), within(t, time.Minute)
		name := b.CreateTopic(t, b.Name("orders"), 4, map[string]string{"retention.ms": "3600000", "retention.bytes": "1000000", "unclean.leader.election.enable": "true"})
		dangers, err := c.Dangers(ctx, []leat.Topic{{Name: name, Partitions: 2}, {Name: "not-there"}})
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, d := range dangers {
			all.WriteString(d.String() + "\n")
		}
		for _, want := range []string{"one replica", "unclean leader election is on", "keeps events for 1h0m0s", "retention.bytes is 1000000", "has 4 partitions, declared are 2"} {
			if !strings.Contains(all.String(), want) {
				t.Errorf("%q is missing in\n%s", want, &all)
			}
		}
		if strings.Contains(all.String(), "transaction.version is") {
			t.Errorf("transaction.version is 2 here, not a danger:\n%s", &all)
		}
	})
}
