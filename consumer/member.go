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

// Protocols of a group, as Kafka's group.protocol names them.
const (
	classic    = "classic"
	serverSide = "consumer" // KIP-848
)

// withMembership lays the operator's word over Protocol and InstanceID.
func (c Config) withMembership() Config {
	said, _ := c.Kafka.Membership() // what is wrong with it, Validate tells
	if said.Protocol != "" {
		c.Protocol = said.Protocol
	}
	if said.InstanceID != "" {
		c.InstanceID = said.InstanceID
	}
	return c
}

func (c Config) validateMembership() error {
	c = c.withMembership()
	switch c.Protocol {
	case "", classic:
		return nil
	case serverSide:
		if c.SessionTimeout != 0 {
			return errors.New("consumer: SessionTimeout has no effect with Protocol consumer: the brokers decide (consumer.session.timeout.ms of the group, group.consumer.session.timeout.ms of the brokers)")
		}
		return nil
	}
	return fmt.Errorf("consumer: Protocol is %q, want classic (or empty) or consumer", c.Protocol)
}

// membership is how the client joins the group.
func (c *Consumer) membership() []kgo.Opt {
	opts := []kgo.Opt{kgo.ConsumerGroup(c.cfg.Group), kgo.RebalanceTimeout(c.cfg.RebalanceTimeout)}
	if c.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.cfg.InstanceID))
	}
	if c.cfg.Protocol == serverSide {
		// The client asks for the assignor that its first balancer stands for: sticky for uniform.
		return append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	return append(opts,
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, c.cfg.SessionTimeout/3)),
	)
}

// errClassicOnly is why a group of the new protocol can't begin.
var errClassicOnly = errors.New("the cluster has no server-side groups (KIP-848): they need Apache Kafka 4.0 or newer (4.3 advised) with group.version 1 and consumer among group.coordinator.rebalance.protocols; or leave group.protocol at classic")

// findProtocol makes sure that the cluster has the group's protocol. Where it has not, the client would
// join by the classic one and stop every partition at each change. It waits for a cluster that does not
// answer.
func (c *Consumer) findProtocol(ctx context.Context) error {
	if c.cfg.Protocol != serverSide {
		return nil
	}
	client, err := c.cfg.Kafka.NewClient()
	if err != nil {
		return err
	}
	defer client.Close()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := probe(ctx, client, c.cfg.Group)
		if err == nil || errors.Is(err, errClassicOnly) || ctx.Err() != nil {
			return err
		}
		c.log.Warn("ask the cluster for the group's protocol", "err", err)
		rest(ctx, pause)
	}
}

// probe says goodbye to the group as a member that it never had. Only a coordinator of the new protocol
// misses it; nothing changes.
func probe(ctx context.Context, client *kgo.Client, group string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	brokers, err := kadm.NewClient(client).ApiVersions(ctx)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	for _, b := range brokers {
		if highest, ok := b.KeyMaxVersion(req.Key()); b.Err == nil && (!ok || highest < 1) {
			return errClassicOnly
		}
	}
	req.Group, req.MemberID, req.MemberEpoch = group, "leat-probe", -1
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case err == nil, errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupIDNotFound):
		return nil
	case errors.Is(err, kerr.UnsupportedVersion):
		return errClassicOnly
	default:
		return fmt.Errorf("ask the group's coordinator: %w", err)
	}
}

// stepOut tells the brokers of a group under KIP-848 that a static member is away for a while: until
// then they refuse its successor. The client says so too, but without the instance's id, which real
// brokers do not accept.
func (c *Consumer) stepOut(member string) {
	if c.cfg.Protocol != serverSide || c.cfg.InstanceID == "" || member == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), askTimeout)
	defer cancel()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = c.cfg.Group, member, &c.cfg.InstanceID, -2
	resp, err := req.RequestWith(ctx, c.letters.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.GroupIDNotFound) {
		c.log.Warn("step out of the group: this instance can be back only when its session has ended", "err", err)
	}
}

// explain tells what keeps the member out of its group.
func (c *Consumer) explain(err error) error {
	switch {
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("another process has taken over as instance %s of group %s: give each process a group.instance.id of its own; this one stands by until the other's session has ended: %w", c.cfg.InstanceID, c.cfg.Group, err)
	case errors.Is(err, kerr.UnreleasedInstanceID):
		return fmt.Errorf("another process is instance %s of group %s: give each process a group.instance.id of its own; this one stands by until the other has left or its session has ended: %w", c.cfg.InstanceID, c.cfg.Group, err)
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		return fmt.Errorf("the other members of group %s assign partitions by another protocol than %s: let all members have the same group.protocol, or none of the others run: %w", c.cfg.Group, c.cfg.Protocol, err)
	}
	return err
}
