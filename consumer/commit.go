package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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
	return c.commitMarks(ctx, func() map[*partition]place { return c.moved(parts) })
}

// commitMarks commits what of returns once no other commit is under way, and with it the offsets of
// park partitions.
func (c *Consumer) commitMarks(ctx context.Context, of func() map[*partition]place) error {
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
func (c *Consumer) sendMarks(ctx context.Context, marks map[*partition]place) error {
	texts := c.texts(marks)
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for p, m := range marks {
		if offsets[p.at.topic] == nil {
			offsets[p.at.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.at.topic][p.at.partition] = kgo.EpochOffset{Epoch: m.Epoch, Offset: m.Offset}
	}
	parked := withParkOffsets(marks, offsets, texts)
	c.cfg.Hook("consumer.committing")
	began := time.Now()
	var failed error
	ctx, stop := c.recallable(ctx, marks)
	defer stop()
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		attach(req, texts)
		return c.stillOurs(marks, req.MemberID)
	})
	c.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if failed = err; err == nil {
			failed = c.answered(marks, resp)
		}
	})
	c.metrics.commitSeconds.Since(began)
	if failed != nil {
		c.metrics.commits.With("failed").Inc()
		return failed
	}
	c.metrics.commits.With("done").Inc()
	c.cfg.Hook("consumer.committed")
	if parked {
		c.cfg.Hook("park.committed")
	}
	return nil
}

// recallable lets dismissPart call back a commit under Protocol consumer. Otherwise: the coordinator
// finds the commit's epoch stale and the client waits for the new one; meanwhile the partition goes to
// another member, who works and commits, and comes back to us; the client finds that it is ours, and sends
// the old offset again under the epoch of now. Under the classic protocol a commit keeps its generation.
func (c *Consumer) recallable(ctx context.Context, marks map[*partition]place) (context.Context, func()) {
	if c.cfg.Protocol != serverSide {
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
func (c *Consumer) stillOurs(marks map[*partition]place, member string) error {
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
func (c *Consumer) moved(parts []*partition) map[*partition]place {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.places(parts)
}

// places is what there is to commit. mu is held.
func (c *Consumer) places(parts []*partition) map[*partition]place {
	marks := map[*partition]place{}
	look := func(p *partition) {
		low := p.tracker.Low()
		if p.void || !p.tracker.Begun() {
			return
		}
		if p.park != nil {
			if c.parkCommit(p, low) {
				marks[p] = place{Mark: low}
			}
			return
		}
		if low.Offset > p.committed.Offset || low.Offset == p.committed.Offset && p.tracker.Spots() != p.spots {
			marks[p] = place{low, p.tracker.Spots(), p.tracker.Snapshot().Join(p.finished, p.tracker.Next())}
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
func (c *Consumer) answered(marks map[*partition]place, resp *kmsg.OffsetCommitResponse) error {
	codes := map[at]int16{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			codes[at{t.Topic, p.Partition}] = p.ErrorCode
		}
	}
	var errs []error
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, m := range marks {
		code, told := codes[p.at]
		if p.park.claimed() && told && code == 0 {
			code, told = codes[at{p.park.topic, p.at.partition}]
		}
		switch err := kerr.ErrorForCode(code); {
		case !told:
			errs = append(errs, fmt.Errorf("%s/%d: no answer from the coordinator", p.at.topic, p.at.partition))
		case err != nil:
			c.shrinkMaps(err)
			errs = append(errs, fmt.Errorf("%s/%d: %w", p.at.topic, p.at.partition, err))
		default:
			p.committed, p.spots = m.Mark, m.spots
			if p.park != nil {
				c.parkCommitted(p)
			}
		}
	}
	return errors.Join(errs...)
}
