package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/leattest"
)

// CreateTopic makes a topic with the cluster's own replication, waits until every
// partition has a leader, and returns its name. Without retention in configs the
// topic keeps everything. On real Kafka it is deleted when the test ends.
func (b *Broker) CreateTopic(t testing.TB, name string, partitions int, configs map[string]string) string {
	t.Helper()
	adm := kadm.NewClient(b.Client(t))
	keep := map[string]*string{"retention.ms": new("-1")}
	for k, v := range configs {
		keep[k] = &v
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerIn)
	defer cancel()
	made := false // perhaps, by a try whose answer came too late
	leattest.Within(t, answerIn, "topic "+name+" is made", func() error {
		_, err := adm.CreateTopic(ctx, int32(partitions), -1, keep, name)
		switch {
		case passes(err):
			made = true
			return err
		case b.Real() && errors.Is(err, kerr.InvalidReplicationFactor): // no broker is there for its controller, for a moment
			return err
		case err != nil && !(made && errors.Is(err, kerr.TopicAlreadyExists)):
			t.Fatalf("create topic %s: %v", name, err)
		}
		return nil
	})
	if b.Real() {
		t.Cleanup(func() { b.dropTopic(t, name) })
	}
	leattest.Within(t, answerIn, "topic "+name+" has its leaders", func() error {
		topics, err := adm.ListTopics(ctx, name)
		if err != nil {
			return err
		}
		led := 0
		for _, p := range topics[name].Partitions {
			if p.Err == nil && p.Leader >= 0 {
				led++
			}
		}
		if led != partitions {
			return fmt.Errorf("%d of %d partitions have a leader", led, partitions)
		}
		return nil
	})
	return name
}

// dropTopic frees the shared broker of a test's topic. It is tidying up: a broker
// that the test has killed by now is not the test's failure, so it only tells.
func (b *Broker) dropTopic(t testing.TB, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs...))
	if err != nil {
		t.Logf("delete topic %s: %v", name, err)
		return
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).DeleteTopic(ctx, name); err != nil {
		t.Logf("delete topic %s: %v", name, err)
	}
}

// Produce writes the records with acks from all replicas and waits for them.
func (b *Broker) Produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerIn)
	defer cancel()
	cl := b.Client(t, kgo.RecordPartitioner(asSet{}), kgo.RecordDeliveryTimeout(answerIn),
		kgo.UnknownTopicRetries(-1)) // a broker may learn of a new topic late
	defer cl.Close()
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce %d records: %v", len(records), err)
	}
}

// Committed returns the group's committed offset of each partition of topic; a
// partition without a commit is not in the map.
func (b *Broker) Committed(t testing.TB, group, topic string) map[int32]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerIn)
	defer cancel()
	adm := kadm.NewClient(b.Client(t))
	var offsets kadm.OffsetResponses
	leattest.Within(t, answerIn, "group "+group+" tells its offsets", func() error { // its coordinator may be new
		var err error
		offsets, err = adm.FetchOffsets(ctx, group)
		if errors.Is(err, kerr.GroupIDNotFound) { // kfake's word for a group that never was
			return nil
		}
		for p, o := range offsets[topic] {
			if err == nil && o.Err != nil {
				err = fmt.Errorf("partition %d: %w", p, o.Err)
			}
		}
		return err
	})
	at := map[int32]int64{}
	for p, o := range offsets[topic] {
		if o.At >= 0 {
			at[p] = o.At
		}
	}
	return at
}
