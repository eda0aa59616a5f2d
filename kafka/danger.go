package kafka

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
)

// Danger is a setting of the cluster that can lose events or promises.
type Danger struct {
	Topic string // "" for the cluster as a whole
	What  string // what is set
	Why   string // what can happen
	Do    string // what to do about it
}

// String is the danger in one line.
func (d Danger) String() string {
	about := "cluster"
	if d.Topic != "" {
		about = "topic " + d.Topic
	}
	return fmt.Sprintf("%s: %s: %s; %s", about, d.What, d.Why, d.Do)
}

// Outage is how long a consumer may be away, by the measure of Dangers: a topic that keeps its
// records for less names a danger.
const Outage = 3 * 24 * time.Hour

// Dangers looks at the cluster, and at the topics that exist of those declared, for settings that can
// lose events: one replica, one in-sync replica, unclean elections, retention shorter than an outage,
// transactions without KIP-890's defence, more partitions than declared. Settings that the user may
// not see are passed over.
func (c *Client) Dangers(ctx context.Context, topics []leat.Topic) ([]Danger, error) {
	if c.Embedded() {
		return []Danger{{
			What: "this is an embedded development broker",
			Why:  "its transactions and its guard against doubled writes do not survive a kill",
			Do:   "run Apache Kafka for what must last",
		}}, nil
	}
	var found []Danger
	version, err := transactionVersion(ctx, c.kgo)
	if err != nil {
		return nil, err
	}
	if version < 2 {
		found = append(found, Danger{
			What: fmt.Sprintf("transaction.version is %d", version),
			Why:  "a delayed request can end a later transaction than its own (KIP-890)",
			Do:   "upgrade it: kafka-features upgrade --feature transaction.version=2",
		})
	}
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	infos, err := c.TopicStates(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, t := range topics {
		if info, exists := infos[t.Name]; exists {
			found = append(found, topicDangers(t, info)...)
		}
	}
	return found, nil
}

func topicDangers(declared leat.Topic, info TopicState) []Danger {
	var found []Danger
	add := func(what, why, do string) {
		found = append(found, Danger{Topic: info.Name, What: what, Why: why, Do: do})
	}
	insync, err := strconv.Atoi(info.Config["min.insync.replicas"])
	switch {
	case info.Replication == 1:
		add("it has one replica", "the loss of one broker's disk loses it", "give it three on three brokers")
	case err == nil && insync == 1:
		add("min.insync.replicas is 1", "an event that one broker alone has is acknowledged, and lost with that broker", "set it to 2")
	case err == nil && insync >= info.Replication:
		add(fmt.Sprintf("min.insync.replicas is %d of %d", insync, info.Replication), "one broker that restarts stops all writes", "set it one below the replication")
	}
	if info.Config["unclean.leader.election.enable"] == "true" {
		add("unclean leader election is on", "a replica that lags can become the leader and acknowledged events go", "turn it off")
	}
	policy := info.Config["cleanup.policy"]
	if ms, err := strconv.ParseInt(info.Config["retention.ms"], 10, 64); err == nil && policy != "compact" && ms >= 0 && ms < Outage.Milliseconds() {
		kept := time.Duration(ms) * time.Millisecond
		add(fmt.Sprintf("it keeps events for %v", kept), fmt.Sprintf("a consumer that is away for longer loses some; %v is taken as an outage here", Outage), "raise retention.ms")
	}
	if n := info.Config["retention.bytes"]; policy != "compact" && n != "" && n != "-1" {
		add("retention.bytes is "+n, "a burst can push out events that a consumer has not seen", "set it to -1 and bound by time")
	}
	if declared.Partitions > 0 && info.Partitions > declared.Partitions {
		add(fmt.Sprintf("it has %d partitions, declared are %d", info.Partitions, declared.Partitions), "if they were added with events of a key in the log, the key's order broke there", "declare as many as there are once that has been looked at")
	}
	return found
}

// transactionVersion is the finalized level of the feature, 0 where the broker knows none.
func transactionVersion(ctx context.Context, cl *kgo.Client) (int, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "leat", "1"
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return 0, &Error{Op: "ask for the cluster's features", Partition: -1, Err: err}
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return int(f.MaxVersionLevel), nil
		}
	}
	return 0, nil
}
