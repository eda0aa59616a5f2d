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

// assessEvery is how old the ends of partitions may be. Fetches tell them too, but not those of a
// partition that is paused, and not when there is nothing to fetch.
const assessEvery = 5 * time.Second

// watchEnds asks for the ends of our partitions, of new ones at once. Run waits for it.
func (c *Consumer) watchEnds(ctx context.Context) {
	tick := time.NewTicker(assessEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.assess:
		case <-ctx.Done():
			return
		}
		if err := c.askEnds(ctx); err != nil && ctx.Err() == nil {
			c.log.Debug("ask for the ends of partitions", "err", err)
		}
	}
}

// Special timestamps of a ListOffsets request.
const (
	atEnd   = -1
	atStart = -2
)

// askEnds asks where our partitions end, and where those begin that the group has not committed.
func (c *Consumer) askEnds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	stable, err := c.list(ctx, atEnd, 1, func(*partition) bool { return true })
	high, errHigh := c.list(ctx, atEnd, 0, func(*partition) bool { return true })
	starts, errStarts := c.list(ctx, atStart, 0, func(p *partition) bool { return !p.tracker.Begun() })
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for p, end := range stable {
		p.end = end
		if at, ok := high[p]; ok {
			p.high = at
		}
		if at, ok := starts[p]; ok {
			p.start = at
		}
		switch {
		case p.unread() == 0:
			p.behind = time.Time{}
		case p.behind.IsZero():
			p.behind = now
		}
	}
	return errors.Join(err, errHigh, errStarts)
}

// list asks for one offset of each of our partitions that which names.
func (c *Consumer) list(ctx context.Context, timestamp int64, isolation int8, which func(*partition) bool) (map[*partition]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	asked := map[at]*partition{}
	topics := map[string][]kmsg.ListOffsetsRequestTopicPartition{}
	c.mu.Lock()
	for name, p := range c.parts {
		if !which(p) {
			continue
		}
		asked[name] = p
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp = name.partition, timestamp
		topics[name.topic] = append(topics[name.topic], one)
	}
	c.mu.Unlock()
	if len(asked) == 0 {
		return nil, nil
	}
	for topic, partitions := range topics {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic, t.Partitions = topic, partitions
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c.client)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	offsets := map[*partition]int64{}
	var errs []error
	for _, t := range resp.Topics {
		for _, o := range t.Partitions {
			if err := kerr.ErrorForCode(o.ErrorCode); err != nil {
				errs = append(errs, fmt.Errorf("list the offsets of %s/%d: %w", t.Topic, o.Partition, err))
			} else if p := asked[at{t.Topic, o.Partition}]; p != nil {
				offsets[p] = o.Offset
			}
		}
	}
	return offsets, errors.Join(errs...)
}

// extend learns from a fetch how far the partition goes. Consumer.mu is held.
func (p *partition) extend(f kgo.FetchTopicPartition) {
	p.high = f.HighWatermark
	p.end = max(p.end, f.LastStableOffset)
}

// unread is how many offsets there are to read. Consumer.mu is held.
func (p *partition) unread() int64 {
	next := p.start
	if p.tracker.Begun() {
		next = p.tracker.Next()
	}
	if p.end < 0 || next < 0 {
		return 0
	}
	return max(0, p.end-next-p.finished.Len(next))
}

// lag is how many events are not finished, -1 where that is not known. What has not been read may turn
// out to be markers, aborted or gone. Consumer.mu is held.
func (p *partition) lag() int64 {
	if p.end < 0 || !p.tracker.Begun() && p.start < 0 {
		return -1
	}
	return int64(p.tracker.Open()) + p.unread()
}

// timeLag is the age of the oldest unfinished event, -1 where that is not known. Where none was read, it
// is at least as old as we know of it. Consumer.mu is held.
func (p *partition) timeLag(now time.Time) time.Duration {
	if oldest, open := p.tracker.Oldest(); open {
		return max(0, now.Sub(time.UnixMilli(oldest)))
	}
	switch {
	case p.lag() < 0:
		return -1
	case p.unread() == 0 || p.behind.IsZero():
		return 0
	}
	return now.Sub(p.behind)
}
