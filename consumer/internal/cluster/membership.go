package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/kafka"
)

// Protocols of a group, as Kafka's group.protocol names them.
const (
	Classic    = "classic"
	ServerSide = "consumer" // KIP-848
)

// AskTimeout bounds one question to the cluster.
const AskTimeout = 10 * time.Second

// Membership is how a member joins its group.
type Membership struct {
	Group      string
	InstanceID string // "": not static
	Protocol   string
	Session    time.Duration // of the classic protocol
	Rebalance  time.Duration
}

// Options are the client's.
func (m Membership) Options() []kgo.Opt {
	opts := []kgo.Opt{kgo.ConsumerGroup(m.Group), kgo.RebalanceTimeout(m.Rebalance)}
	if m.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(m.InstanceID))
	}
	if m.Protocol == ServerSide {
		// The client asks for the assignor that its first balancer stands for: sticky for uniform.
		return append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	return append(opts,
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(m.Session),
		kgo.HeartbeatInterval(min(3*time.Second, m.Session/3)),
	)
}

// ErrClassicOnly is why a group of the new protocol can't begin.
var ErrClassicOnly = errors.New("the cluster has no server-side groups (KIP-848): they need Apache Kafka 4.0 or newer (4.3 advised) with group.version 1 and consumer among group.coordinator.rebalance.protocols; or leave group.protocol at classic")

// Find makes sure that the cluster has the group's protocol. Where it has not, the client would join by
// the classic one and stop every partition at each change. It waits for a cluster that does not answer.
func (m Membership) Find(ctx context.Context, cfg kafka.Config, log *slog.Logger) error {
	if m.Protocol != ServerSide {
		return nil
	}
	client, err := cfg.NewClient()
	if err != nil {
		return err
	}
	defer client.Close()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := probe(ctx, client, m.Group)
		if err == nil || errors.Is(err, ErrClassicOnly) || ctx.Err() != nil {
			return err
		}
		log.Warn("ask the cluster for the group's protocol", "err", err)
		Rest(ctx, pause)
	}
}

// Rest waits for d, or for the end of ctx.
func Rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// probe says goodbye to the group as a member that it never had. Only a coordinator of the new protocol
// misses it; nothing changes.
func probe(ctx context.Context, client *kgo.Client, group string) error {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	const stable = 1 // its first version that is more than a preview
	if known, err := knows(ctx, client, req.Key(), stable); err != nil {
		return err
	} else if !known {
		return ErrClassicOnly
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
		return ErrClassicOnly
	default:
		return fmt.Errorf("ask the group's coordinator: %w", err)
	}
}

// knows says whether all brokers that answer take a request of the version.
func knows(ctx context.Context, client *kgo.Client, key, version int16) (bool, error) {
	brokers, err := kadm.NewClient(client).ApiVersions(ctx)
	if err != nil {
		return false, err
	}
	for _, b := range brokers {
		if highest, ok := b.KeyMaxVersion(key); b.Err == nil && (!ok || highest < version) {
			return false, nil
		}
	}
	return true, nil
}

// leaveGrace is how long a client may take to leave its group before it is taken out of it.
const leaveGrace = time.Second

// Leave leaves the group and closes the client, whose context cut ends. A client that is joining waits for
// all other members to join as well, or for the sessions of those that are dead, and leaves only then:
// for whoever has nothing in hand this is in vain, so by says for it that it is gone.
func (m Membership) Leave(client *kgo.Client, cut context.CancelFunc, by kmsg.Requestor) error {
	defer cut()
	if m.Protocol == ServerSide { // joins by heartbeats, which wait for nobody
		member, _ := client.GroupMetadata()
		client.CloseAllowingRebalance()
		return m.stepOut(by, member)
	}
	grace, done := context.WithTimeout(context.Background(), leaveGrace)
	defer done()
	_ = client.LeaveGroupContext(grace) // what came of it, Close does not tell either
	joining := grace.Err() != nil
	if joining {
		cut()
	}
	client.CloseAllowingRebalance()
	if member, _ := client.GroupMetadata(); joining && member != "" && m.InstanceID == "" {
		return m.takeOut(by, member)
	}
	return nil
}

// takeOut says that a member has left its group.
func (m Membership) takeOut(by kmsg.Requestor, member string) error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveGrace)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	gone := kmsg.NewLeaveGroupRequestMember()
	req.Group, req.MemberID, gone.MemberID = m.Group, member, member
	req.Members = append(req.Members, gone)
	resp, err := req.RequestWith(ctx, by)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if errors.Is(err, kerr.UnknownMemberID) { // it had left, and only the answer was late
		return nil
	}
	return err
}

// stepOut tells the brokers of a group under KIP-848 that a static member is away for a while: until
// then they refuse its successor. The client says so too, but without the instance's id, which real
// brokers do not accept.
func (m Membership) stepOut(by kmsg.Requestor, member string) error {
	if m.InstanceID == "" || member == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), AskTimeout)
	defer cancel()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = m.Group, member, &m.InstanceID, -2
	resp, err := req.RequestWith(ctx, by)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return err
}

// Explain tells what keeps the member out of its group.
func (m Membership) Explain(err error) error {
	switch {
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("another process has taken over as instance %s of group %s: give each process a group.instance.id of its own; this one stands by until the other's session has ended: %w", m.InstanceID, m.Group, err)
	case errors.Is(err, kerr.UnreleasedInstanceID):
		return fmt.Errorf("another process is instance %s of group %s: give each process a group.instance.id of its own; this one stands by until the other has left or its session has ended: %w", m.InstanceID, m.Group, err)
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		return fmt.Errorf("the other members of group %s assign partitions by another protocol than %s: let all members have the same group.protocol, or none of the others run: %w", m.Group, m.Protocol, err)
	}
	return err
}
