package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/kafka"
)

// way is how outcomes leave, with the offsets behind them. It is used by one goroutine at a time, and
// thrown away with its member after the first error.
type way interface {
	deliver(ctx context.Context, c *Consumer, b *bundle) error
	close()
}

// transactional puts all of it into one Kafka transaction.
type transactional struct {
	t       *kafka.Transactor
	timeout time.Duration
}

func (w *transactional) close() { w.t.Close() }

func (w *transactional) deliver(ctx context.Context, c *Consumer, b *bundle) error {
	began := time.Now()
	err := w.transact(ctx, c, b)
	if err != nil && time.Since(began) >= w.timeout {
		return fmt.Errorf("%w: %w", errAsleep, err)
	}
	return err
}

func (w *transactional) transact(ctx context.Context, c *Consumer, b *bundle) error {
	if len(b.messages)+len(b.letters) == 0 {
		return c.sendMarks(ctx, b.marks) // one request is atomic by itself
	}
	raws := make([]kafka.Raw, len(b.letters))
	for i, l := range b.letters {
		raws[i] = l.raw
	}
	if err := w.t.Begin(); err != nil {
		return err
	}
	if err := w.t.Produce(ctx, b.messages, raws...); err != nil {
		return err
	}
	if err := w.t.Flush(ctx); err != nil {
		return err
	}
	c.cfg.Hook("transform.produced")
	if err := w.sendOffsets(ctx, c, b); err != nil {
		return err
	}
	c.cfg.Hook("transform.offsets")
	c.cfg.Hook("transform.ending")
	if err := w.t.Commit(ctx); err != nil {
		return err
	}
	c.cfg.Hook("transform.ended")
	return nil
}

// sendOffsets makes the offsets part of the transaction, under the group's generation of the moment.
// While the group changes, the coordinator may be a generation ahead of the client: the offsets are said
// again when that has caught up, if the partitions are still ours. They can't have been another
// member's in between: that needs our revoke, which waits for this commit, or the loss of our
// membership, which shows by another member id.
func (w *transactional) sendOffsets(ctx context.Context, c *Consumer, b *bundle) error {
	o := kafka.GroupOffsets{Group: c.cfg.Group, InstanceID: c.cfg.InstanceID}
	for p, m := range b.marks {
		o.Offsets = append(o.Offsets, kafka.GroupOffset{Topic: p.at.topic, Partition: p.at.partition, Offset: m.Offset, LeaderEpoch: m.Epoch, Metadata: m.finished.Text(lane.MapLimit)})
	}
	for {
		o.MemberID, o.Generation = c.client.GroupMetadata()
		if err := c.stillOurs(b.marks, o.MemberID); err != nil {
			return fmt.Errorf("send offsets: %w", err)
		}
		err := w.t.SendOffsets(ctx, o)
		if err == nil || !errors.Is(err, kafka.ErrNotOfGeneration) {
			return err
		}
		const pause = 10 * time.Millisecond
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// repeatable sends without transactions, where a crash would make the broker forget them and hide the
// events from every later reader. What was sent and not committed when the process died is sent again,
// with the same ids.
type repeatable struct{ p *kafka.Producer }

func (w *repeatable) close() { w.p.Close() }

func (w *repeatable) deliver(ctx context.Context, c *Consumer, b *bundle) error {
	if len(b.messages) > 0 {
		if err := w.p.SendMessages(ctx, b.messages); err != nil {
			return err
		}
	}
	c.cfg.Hook("transform.produced")
	return c.sendMarks(ctx, b.marks)
}
