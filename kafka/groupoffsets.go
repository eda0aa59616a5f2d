package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// ErrNotOfGeneration says that the group's coordinator does not take offsets from this member id and
// generation: the group is changing, or has gone on without the member. Nothing was taken.
var ErrNotOfGeneration = errors.New("the group has another generation, or does not know the member")

// GroupOffsets are offsets of a consumer group, and the member that speaks for them (KIP-447).
type GroupOffsets struct {
	Group      string
	MemberID   string
	Generation int32
	InstanceID string // of a static member, "" for others
	Offsets    []GroupOffset
}

// GroupOffset is a group's place in one partition.
type GroupOffset struct {
	Topic       string
	Partition   int32
	Offset      int64 // the next to read
	LeaderEpoch int32 // of the record before it; -1: not known
	Metadata    string
}

// Flush waits until every record of the open transaction is acknowledged, at most for the timeout.
// Commit does so too; Flush is for what has to happen in between.
func (t *Transactor) Flush(ctx context.Context) error {
	if t.broken != nil {
		return fmt.Errorf("flush: %w: %w", ErrUnusable, t.broken)
	}
	return t.flush(ctx)
}

// SendOffsets makes offsets of a consumer group part of the open transaction, which must have a record.
// They count when it is committed. An [ErrNotOfGeneration] leaves the transactor as it was, and the
// offsets out: the caller knows whether the member may say the same under its new generation. It sends
// until the timeout is over or ctx ends.
func (t *Transactor) SendOffsets(ctx context.Context, o GroupOffsets) error {
	if t.broken != nil {
		return fmt.Errorf("send offsets: %w: %w", ErrUnusable, t.broken)
	}
	if len(t.batches) == 0 {
		return t.fail("send offsets", errors.New("the transaction has no record: without one commit the offsets by themselves"))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.cfg.Timeout, fmt.Errorf("the offsets were not taken within %v", t.cfg.Timeout))
	defer cancel()
	id, epoch, err := t.cl.ProducerID(ctx)
	if err != nil {
		return t.fail("send offsets", err)
	}
	if t.version < 2 {
		if err := t.again(ctx, func() error { return t.announce(ctx, o.Group, id, epoch) }); err != nil {
			return t.fail("add offsets to the transaction", err)
		}
	}
	err = t.again(ctx, func() error { return t.sendOffsets(ctx, o, id, epoch) })
	switch {
	case err == nil:
		t.known[offsetTopic] = true
		return nil
	case notOfGeneration(err):
		return fmt.Errorf("send offsets: %w: %w", ErrNotOfGeneration, err)
	}
	return t.fail("send offsets", err)
}

// TransactionVersion is the cluster's transaction.version. Below 2 a request to end a transaction that
// was held up on its way can end a later one (KIP-890).
func (t *Transactor) TransactionVersion() int { return t.version }

// offsetTopic is where groups keep their offsets, also those of open transactions.
const offsetTopic = "__consumer_offsets"

func notOfGeneration(err error) bool {
	for _, e := range []error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.StaleMemberEpoch, kerr.FencedMemberEpoch, kerr.FencedInstanceID, kerr.RebalanceInProgress, kerr.GroupIDNotFound} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// again repeats act while the broker is still writing the end of the last transaction, or the group's
// coordinator moves.
func (t *Transactor) again(ctx context.Context, act func() error) error {
	const pause = 20 * time.Millisecond
	for {
		err := act()
		if !errors.Is(err, kerr.ConcurrentTransactions) && !errors.Is(err, kerr.NotCoordinator) &&
			!errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// announce tells the transaction's coordinator of the group, as brokers below transaction.version 2
// need it.
func (t *Transactor) announce(ctx context.Context, group string, id int64, epoch int16) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = t.cfg.ID, id, epoch, group
	resp, err := req.RequestWith(ctx, t.cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (t *Transactor) sendOffsets(ctx context.Context, o GroupOffsets, id int64, epoch int16) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = t.cfg.ID, id, epoch
	req.Group, req.MemberID, req.Generation = o.Group, o.MemberID, o.Generation
	if o.InstanceID != "" {
		req.InstanceID = &o.InstanceID
	}
	at := map[string]int{}
	for i := range o.Offsets {
		from := &o.Offsets[i]
		n, known := at[from.Topic]
		if !known {
			n = len(req.Topics)
			at[from.Topic] = n
			topic := kmsg.NewTxnOffsetCommitRequestTopic()
			topic.Topic = from.Topic
			req.Topics = append(req.Topics, topic)
		}
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = from.Partition, from.Offset, from.LeaderEpoch, &from.Metadata
		req.Topics[n].Partitions = append(req.Topics[n].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, t.cl)
	if err != nil {
		return err
	}
	answers := 0
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			answers++
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", topic.Topic, p.Partition, err)
			}
		}
	}
	if answers != len(o.Offsets) {
		return fmt.Errorf("the coordinator answered for %d of %d partitions", answers, len(o.Offsets))
	}
	return nil
}

// offsetVersions keeps the request for offsets at a version that names topics, and that goes with the
// cluster's transaction.version.
func offsetVersions(transactionVersion int) kgo.Opt {
	const txnOffsetCommit = 28
	highest := int16(5)
	if transactionVersion < 2 {
		highest = 4
	}
	v := kversion.Stable()
	v.SetMaxKeyVersion(txnOffsetCommit, highest)
	return kgo.MaxVersions(v)
}
