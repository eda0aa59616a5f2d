package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ready waits until a node serves. A connect alone proves nothing: a foreign
// listener on the port would accept at once, while Kafka takes ten seconds to give
// up its own bind.
func (k *Kafka) ready(ctx context.Context, n *node) error {
	addr := local(n.ports[plaintext])
	if err := k.poll(ctx, n, 10*time.Millisecond, func() error {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		return err
	}
	cl, err := k.client(addr)
	if err != nil {
		return err
	}
	defer cl.Close()
	return k.poll(ctx, n, 50*time.Millisecond, func() error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return k.serves(ctx, cl, n)
	})
}

// poll calls f until it succeeds, the node's process has ended, or ctx has.
func (k *Kafka) poll(ctx context.Context, n *node, pause time.Duration, f func() error) error {
	for {
		err := f()
		if !n.process.alive() {
			return n.process.exited()
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w; the end of %s:\n%s", context.Cause(ctx), err, n.log(), tail(n.log(), 15))
		case <-time.After(pause):
		}
	}
}

// serves asks for all that makes a node useful: our cluster, the node in it, all
// nodes that run too, and a record written to all replicas of a fresh topic.
func (k *Kafka) serves(ctx context.Context, cl *kgo.Client, n *node) error {
	if err := k.together(ctx, cl, n); err != nil {
		return err
	}
	adm := kadm.NewClient(cl)
	topic := "leat-ready-" + newID()
	if _, err := adm.CreateTopic(ctx, 1, -1, nil, topic); err != nil {
		return fmt.Errorf("create a topic: %w", err)
	}
	writer, err := k.client(k.Brokers()...)
	if err != nil {
		return err
	}
	defer writer.Close()
	produced := writer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("ready")}).FirstErr()
	_, err = adm.DeleteTopic(ctx, topic)
	if err := errors.Join(produced, err); err != nil {
		return fmt.Errorf("write a first record: %w", err)
	}
	return nil
}

// makeCoordinators has the cluster make its internal topics, so that the first
// group and the first transaction meet a coordinator.
func (k *Kafka) makeCoordinators(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startIn, fmt.Errorf("not ready within %v", startIn))
	defer cancel()
	cl, err := k.client(k.Brokers()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	return k.poll(ctx, k.nodes[0], 50*time.Millisecond, func() error {
		for _, found := range []kadm.FindCoordinatorResponses{
			adm.FindGroupCoordinators(ctx, "leat-ready"), adm.FindTxnCoordinators(ctx, "leat-ready"),
		} {
			if err := found.Error(); err != nil {
				return fmt.Errorf("find a coordinator: %w", err)
			}
		}
		return nil
	})
}

// together asks the node itself, not what a client remembers of brokers, for the
// cluster and its nodes.
func (k *Kafka) together(ctx context.Context, cl *kgo.Client, n *node) error {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	meta, err := req.RequestWith(ctx, cl.SeedBrokers()[0])
	if err != nil {
		return fmt.Errorf("ask for the cluster: %w", err)
	}
	if meta.ClusterID == nil || *meta.ClusterID != k.id {
		return fmt.Errorf("another cluster than ours, %s, answers on port %d", k.id, n.ports[plaintext])
	}
	in := map[int32]bool{}
	for _, b := range meta.Brokers {
		in[b.NodeID] = true
	}
	for _, other := range k.nodes {
		if other.process.alive() && !in[int32(other.id)] {
			return fmt.Errorf("node %d is not in the cluster yet", other.id)
		}
	}
	return nil
}

// client makes a client that tries again quickly.
func (k *Kafka) client(addrs ...string) (*kgo.Client, error) {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(addrs...),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50*time.Millisecond),
		kgo.DialTimeout(2*time.Second),
		kgo.RecordDeliveryTimeout(10*time.Second),
		kgo.UnknownTopicRetries(-1),
	)
	if err != nil {
		return nil, fmt.Errorf("make a kafka client: %w", err)
	}
	return cl, nil
}

// WaitISR returns when every partition of every topic has all its replicas in sync
// and a leader: only then may the next node be killed without losing the partition.
func (k *Kafka) WaitISR(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startIn)
	defer cancel()
	cl, err := k.client(k.Brokers()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		missing, err := outOfSync(ctx, kadm.NewClient(cl))
		if err == nil && missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for replicas in sync: %w: %s", ctx.Err(), errors.Join(err, errors.New(missing)))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// outOfSync names one partition that misses a replica, or "".
func outOfSync(ctx context.Context, adm *kadm.Client) (string, error) {
	topics, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return "", fmt.Errorf("list topics: %w", err)
	}
	for _, t := range topics {
		for _, p := range t.Partitions {
			if p.Leader < 0 || len(p.ISR) < len(p.Replicas) {
				return fmt.Sprintf("%s/%d has leader %d, in sync %v of %v", t.Topic, p.Partition, p.Leader, p.ISR, p.Replicas), nil
			}
		}
	}
	return "", nil
}
