package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/kafka"
)

// settle finds the topic, makes it where it is missing, and refuses one that would lose schemas. It
// returns the topic's id.
func (l *Kafka) settle(ctx context.Context) (id [16]byte, err error) {
	d, err := l.describe(ctx)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		if l.cfg.Existing {
			return id, fmt.Errorf("%w: %s; check --topic and --kafka", kafka.ErrNoTopic, l.cfg.Topic)
		}
		if err = l.create(ctx); err == nil {
			d, err = l.appears(ctx)
		}
	}
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		return id, fmt.Errorf("topic %s: %w; the user of the registry needs the rights to Read, Write, Describe and DescribeConfigs on it, and to Create it where it is missing", l.cfg.Topic, err)
	}
	if err != nil {
		return id, fmt.Errorf("topic %s: %w", l.cfg.Topic, err)
	}
	if n := len(d.Partitions); n != 1 {
		return id, fmt.Errorf("topic %s has %d partitions: records of a registry need one order; move them to a topic with one partition (leat registry export, import)", l.cfg.Topic, n)
	}
	return d.ID, l.compacted(ctx)
}

func (l *Kafka) describe(ctx context.Context) (kadm.TopicDetail, error) {
	topics, err := l.adm.ListTopicsWithInternal(ctx, l.cfg.Topic)
	if err != nil {
		return kadm.TopicDetail{}, err
	}
	d := topics[l.cfg.Topic]
	return d, d.Err
}

// replicas is how many copies the topic is to have, where there are as many brokers.
const replicas = 3

func (l *Kafka) create(ctx context.Context) error {
	brokers, err := l.adm.ListBrokers(ctx)
	if err != nil {
		return fmt.Errorf("count the brokers: %w", err)
	}
	n := min(replicas, len(brokers))
	compact, inSync := "compact", "1"
	if n == replicas {
		inSync = "2" // an acknowledged schema outlives any one broker
	}
	_, err = l.adm.CreateTopic(ctx, 1, int16(n), map[string]*string{"cleanup.policy": &compact, "min.insync.replicas": &inSync}, l.cfg.Topic)
	if errors.Is(err, kerr.TopicAlreadyExists) { // another registry was faster
		err = nil
	}
	if err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	return nil
}

// appears waits until a topic that was made is there.
func (l *Kafka) appears(ctx context.Context) (d kadm.TopicDetail, err error) {
	for range 100 {
		if d, err = l.describe(ctx); err == nil && len(d.Partitions) > 0 && d.Partitions[0].Err == nil {
			return d, nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			break
		}
	}
	return d, errors.Join(err, context.Cause(ctx))
}

// compacted refuses a topic whose records would go with the time.
func (l *Kafka) compacted(ctx context.Context) error {
	all, err := l.adm.DescribeTopicConfigs(ctx, l.cfg.Topic)
	var c kadm.ResourceConfig
	if err == nil {
		c, err = all.On(l.cfg.Topic, nil)
	}
	if err == nil {
		err = c.Err
	}
	if err != nil {
		return fmt.Errorf("read the settings of topic %s: %w (this user needs the right to DescribeConfigs on it)", l.cfg.Topic, err)
	}
	for _, s := range c.Configs {
		if s.Key == "cleanup.policy" && s.MaybeValue() != "compact" {
			return fmt.Errorf("topic %s has cleanup.policy=%s: schemas would be deleted with the time; set it to compact: kafka-configs.sh --alter --entity-type topics --entity-name %[1]s --add-config cleanup.policy=compact", l.cfg.Topic, s.MaybeValue())
		}
	}
	return nil
}

// pause waits; an error says that ctx ended first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
