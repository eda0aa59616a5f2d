package kafka

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	ofCommits = "offsets are committed after the handler, by the consumer itself"
	ofBounds  = "the consumer's own bounds on records and bytes hold; leave it out"
)

// consumeProperties are those of consumers.
var consumeProperties = map[string]property{
	"group.id": {refuse: "a service's group is its name"},
	"group.instance.id": {apply: func(r *resolved, v string) error {
		if v == "" {
			return errors.New("is empty")
		}
		r.member.InstanceID = v
		return r.opt(kgo.InstanceID(v))
	}},
	"group.protocol":        {apply: groupProtocol},
	"group.remote.assignor": {apply: only("uniform", "", "the members of a group share its partitions evenly")},
	"session.timeout.ms": {apply: millis(100*time.Millisecond, math.MaxInt32*time.Millisecond, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.SessionTimeout(d))
	})},
	"heartbeat.interval.ms": {apply: millis(10*time.Millisecond, math.MaxInt32*time.Millisecond, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.HeartbeatInterval(d))
	})},
	"max.poll.interval.ms": {apply: millis(100*time.Millisecond, math.MaxInt32*time.Millisecond, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.RebalanceTimeout(d))
	})},
	"max.poll.records":              {refuse: ofBounds},
	"queued.min.messages":           {refuse: ofBounds},
	"queued.max.messages.kbytes":    {refuse: ofBounds},
	"partition.assignment.strategy": {apply: cooperativeOnly},
	"auto.offset.reset":             {apply: earliestOnly},
	"enable.auto.commit":            {apply: only("false", "", ofCommits)},
	"auto.commit.enable":            {apply: only("false", "", ofCommits)},
	"auto.commit.interval.ms":       {refuse: ofCommits},
	"enable.auto.offset.store":      {apply: only("false", "", ofCommits)},
	"isolation.level":               {apply: only("read_committed", "", "events of aborted transactions never happened")},
	"leat.max.decompressed.batch.bytes": {apply: number(64<<10, math.MaxInt32, func(r *resolved, n int) error {
		return r.opt(kgo.MaxDecompressBatchBytes(n))
	})},
	"fetch.min.bytes": {apply: number(1, math.MaxInt32, func(r *resolved, n int) error {
		return r.opt(kgo.FetchMinBytes(int32(n)))
	})},
	"fetch.max.bytes": {apply: number(1, 1<<30, func(r *resolved, n int) error {
		return r.opt(kgo.FetchMaxBytes(int32(n)), kgo.BrokerMaxReadBytes(int32(max(n, 100<<20))))
	})},
	"max.partition.fetch.bytes": {apply: partitionBytes},
	"fetch.message.max.bytes":   {apply: partitionBytes},
	"fetch.max.wait.ms":         {apply: fetchWait},
	"fetch.wait.max.ms":         {apply: fetchWait},
	"fetch.error.backoff.ms":    {refuse: "retry.backoff.ms holds for fetches too; set that"},
	"enable.partition.eof":      {refuse: "it has no meaning for a handler; leave it out"},
	"exclude.internal.topics":   {refuse: "topics are named one by one; leave it out"},
	"default.api.timeout.ms":    {refuse: "each call is bounded by its context; leave it out"},
	"key.deserializer":          {refuse: ofCodec},
	"value.deserializer":        {refuse: ofCodec},

	"debug":                  {refuse: "the client's inner life is logged at level debug; set the log level"},
	"log_level":              {refuse: "the service's log level holds; set that"},
	"log.connection.close":   {refuse: "the service's log level holds; set that"},
	"statistics.interval.ms": {refuse: "metrics are on the service's /metrics"},
	"builtin.features":       {refuse: "it is librdkafka's own; leave it out"},
	"plugin.library.paths":   {refuse: "librdkafka's plug-ins do not run here"},
	"api.version.request":    {apply: only("true", "", "versions are always negotiated")},
	"broker.version.fallback": {
		refuse: "versions are always negotiated; leave it out",
	},
}

// properties is everything that Java's client and librdkafka call by a name and that somebody may
// bring along.
var properties = join(connectProperties, securityProperties, produceProperties, consumeProperties)

func join(tables ...map[string]property) map[string]property {
	all := map[string]property{}
	for _, t := range tables {
		for name, p := range t {
			all[name] = p
		}
	}
	return all
}

func partitionBytes(r *resolved, v string) error {
	return number(1, 1<<30, func(r *resolved, n int) error { return r.opt(kgo.FetchMaxPartitionBytes(int32(n))) })(r, v)
}

func fetchWait(r *resolved, v string) error {
	return millis(10*time.Millisecond, math.MaxInt32*time.Millisecond, func(r *resolved, d time.Duration) error {
		return r.opt(kgo.FetchMaxWait(d))
	})(r, v)
}

func groupProtocol(r *resolved, v string) error {
	switch v = strings.ToLower(v); v {
	case "classic", "consumer":
		r.member.Protocol = v
		return nil
	}
	return fmt.Errorf("%q is neither classic nor consumer", v)
}

// Membership is what Properties say about a client's place in a consumer group.
type Membership struct {
	InstanceID string // group.instance.id; "": not said
	Protocol   string // group.protocol, classic or consumer; "": not said
}

// Membership reads group.instance.id and group.protocol with their references resolved.
func (c Config) Membership() (Membership, error) {
	r, err := c.resolve()
	if err != nil {
		return Membership{}, err
	}
	return r.member, nil
}

// brokersOwn are what the brokers decide for the groups of KIP-848.
var brokersOwn = map[string]string{
	"session.timeout.ms":            "consumer.session.timeout.ms of the group or group.consumer.session.timeout.ms of the brokers",
	"heartbeat.interval.ms":         "consumer.heartbeat.interval.ms of the group or group.consumer.heartbeat.interval.ms of the brokers",
	"partition.assignment.strategy": "group.remote.assignor",
}

// applyMembership refuses what has no effect under group.protocol=consumer.
func (r *resolved) applyMembership() error {
	if r.member.Protocol != "consumer" {
		return nil
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(brokersOwn)) {
		if _, ok := r.Properties[name]; ok {
			errs = append(errs, fmt.Errorf("property %s has no effect with group.protocol=consumer: it is %s", name, brokersOwn[name]))
		}
	}
	return errors.Join(errs...)
}

func earliestOnly(_ *resolved, v string) error {
	switch strings.ToLower(v) {
	case "earliest", "smallest", "beginning":
		return nil
	}
	return fmt.Errorf("%q can't be had: a new group that starts at the end passes over what came before its first commit", v)
}

func cooperativeOnly(_ *resolved, v string) error {
	if v == "cooperative-sticky" || strings.HasSuffix(v, ".CooperativeStickyAssignor") {
		return nil
	}
	return fmt.Errorf("%q can't be had, only cooperative-sticky: eager assignment stops every partition at each change", v)
}
