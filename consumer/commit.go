package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/consumer/internal/cluster"
	"github.com/leatdev/leat/consumer/lane"
)

// commitTimeout bounds one commit: the group's coordinator may be moving.
const commitTimeout = 10 * time.Second

// commitLoop commits every CommitInterval what has moved. Run waits for it.
func (c *Consumer) commitLoop(ctx context.Context) {
	tick := time.NewTicker(c.cfg.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.txn.wanted():
		case <-ctx.Done():
			return
		}
		bounded, cancel := context.WithTimeout(c.ctx, commitTimeout)
		if err := c.commit(bounded, nil); err != nil && ctx.Err() == nil {
			c.log.Warn("commit offsets: tried again at the next interval", "err", err)
		}
		cancel()
	}
}

// commitFinally commits the low water of partitions that are about to go, and tries again while ctx
// lasts: what it misses is handled again by the next owner.
func (c *Consumer) commitFinally(ctx context.Context, parts []*partition) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := c.commit(ctx, parts)
		if err == nil || !retriable(err) {
			if err != nil {
				c.log.Warn("commit offsets of partitions that go: they are handled again from the last commit on", "err", err)
			}
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			c.log.Warn("commit offsets of partitions that go: they are handled again from the last commit on", "err", err)
			return
		}
	}
}

// retriable says whether the same commit may be accepted later.
func retriable(err error) bool {
	return !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.IllegalGeneration) &&
		!errors.Is(err, kerr.FencedInstanceID) && !errors.Is(err, kerr.FencedMemberEpoch) && !errors.Is(err, kgo.ErrClientClosed) &&
		!errors.Is(err, errLostMeanwhile) && !errors.Is(err, errMemberOver)
}

// commit commits the low water of the given partitions, or of all, where it has moved. One commit is
// under way at a time, and a revoked partition becomes void only after a commit that it is in.
func (c *Consumer) commit(ctx context.Context, parts []*partition) error {
	if c.txn != nil {
		return c.commitTxn(ctx, parts != nil)
	}
	return c.commitMarks(ctx, func() map[*partition]lane.Place { return c.moved(parts) })
}

// commitMarks commits what of returns once no other commit is under way, and with it the offsets of
// park partitions.
func (c *Consumer) commitMarks(ctx context.Context, of func() map[*partition]lane.Place) error {
	select {
	case c.committing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for the commit under way: %w", context.Cause(ctx))
	}
	defer func() { <-c.committing }()
	marks := of()
	if len(marks) == 0 {
		return nil
	}
	return c.sendMarks(ctx, marks)
}

// sendMarks commits marks. The right to commit is held.
func (c *Consumer) sendMarks(ctx context.Context, marks map[*partition]lane.Place) error {
	offsets, parked := c.offsetsOf(marks)
	c.cfg.Hook("consumer.committing")
	began := time.Now()
	ctx, stop := c.recallable(ctx, marks)
	defer stop()
	answers, err := cluster.Commit(ctx, c.client, offsets, func(member string) error { return c.stillOurs(marks, member) })
	if err == nil {
		err = c.answered(marks, answers)
	}
	c.metrics.commitSeconds.Since(began)
	if err != nil {
		c.metrics.commits.With("failed").Inc()
		return err
	}
	c.metrics.commits.With("done").Inc()
	c.cfg.Hook("consumer.committed")
	if parked {
		c.cfg.Hook("park.committed")
	}
	return nil
}

// offsetsOf is what marks say to the coordinator, and whether park partitions are among it.
func (c *Consumer) offsetsOf(marks map[*partition]lane.Place) (offsets map[string]map[int32]cluster.Offset, parked bool) {
	c.mu.Lock()
	limit := c.mapLimit
	c.mu.Unlock()
	offsets = map[string]map[int32]cluster.Offset{}
	add := func(topic string, partition int32, o cluster.Offset) {
		if offsets[topic] == nil {
			offsets[topic] = map[int32]cluster.Offset{}
		}
		offsets[topic][partition] = o
	}
	for p, m := range marks {
		add(p.at.topic, p.at.partition, cluster.Offset{Mark: m.Mark, Metadata: m.Finished.Text(limit)})
		if p.park.claimed() {
			parked = true
			o := p.park.parkOffset(p.at.partition)
			add(o.Topic, o.Partition, cluster.Offset{Mark: lane.Mark{Offset: o.Offset, Epoch: o.LeaderEpoch}, Metadata: o.Metadata})
		}
	}
	return offsets, parked
}

// recallable lets dismissPart call back a commit under Protocol consumer. Otherwise: the coordinator
// finds the commit's epoch stale and the client waits for the new one; meanwhile the partition goes to
// another member, who works and commits, and comes back to us; the client finds that it is ours, and sends
// the old offset again under the epoch of now. Under the classic protocol a commit keeps its generation.
func (c *Consumer) recallable(ctx context.Context, marks map[*partition]lane.Place) (context.Context, func()) {
	if c.cfg.Protocol != cluster.ServerSide {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	c.sending, c.recall = marks, cancel
	c.mu.Unlock()
	return ctx, func() {
		c.mu.Lock()
		c.sending, c.recall = nil, nil
		c.mu.Unlock()
		cancel(nil)
	}
}

// errLostMeanwhile is why a commit was not sent.
var errLostMeanwhile = errors.New("a partition was lost meanwhile")

// stillOurs lets a commit go, or not. The client calls it when it has written its member id and
// generation into the request, and joins no group before the answer is there. Without it: a commit
// meets a rejoin after the session was lost, and waits; the partition is another member's by then,
// who has fetched the offset and works; the commit goes out under our new generation, which the
// coordinator can't tell from a rightful one, and moves the other's offset. Another member id than
// the one that was given the partition tells the same of a session that ended while we joined.
func (c *Consumer) stillOurs(marks map[*partition]lane.Place, member string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range marks {
		if p.void || p.member != member {
			return errLostMeanwhile
		}
	}
	return nil
}

// moved is what there is to commit.
func (c *Consumer) moved(parts []*partition) map[*partition]lane.Place {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.places(parts)
}

// places is what there is to commit. mu is held.
func (c *Consumer) places(parts []*partition) map[*partition]lane.Place {
	marks := map[*partition]lane.Place{}
	look := func(p *partition) {
		low := p.Tracker.Low()
		leaves := p.leaves
		p.leaves = false
		switch {
		case p.park != nil && c.txn != nil:
			if m, some := c.parkPlace(p, low, leaves); some {
				marks[p] = m
			}
			return
		case p.void || !p.Tracker.Begun():
			return
		case p.park != nil:
			if c.parkCommit(p, low) {
				marks[p] = lane.Place{Mark: low}
			}
			return
		}
		if p.Moved(low) {
			marks[p] = p.PlaceAt(low)
		}
		c.measureMap(p)
	}
	if parts == nil {
		for _, p := range c.parts {
			look(p)
		}
	}
	for _, p := range parts {
		look(p)
	}
	return marks
}

// answered takes the coordinator's answer, partition by partition.
func (c *Consumer) answered(marks map[*partition]lane.Place, answers map[string]map[int32]error) error {
	var errs []error
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, m := range marks {
		err, told := answers[p.at.topic][p.at.partition]
		if p.park.claimed() && told && err == nil {
			err, told = answers[p.park.topic][p.at.partition]
		}
		switch {
		case !told:
			errs = append(errs, fmt.Errorf("%s/%d: no answer from the coordinator", p.at.topic, p.at.partition))
		case err != nil:
			c.shrinkMaps(err)
			errs = append(errs, fmt.Errorf("%s/%d: %w", p.at.topic, p.at.partition, err))
		default:
			p.Commit(m)
			if p.park != nil {
				c.parkCommitted(p)
			}
		}
	}
	return errors.Join(errs...)
}
