package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/leatdev/leat/consumer/internal/cluster"
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

// askEnds asks where our partitions end, and where those begin that the group has not committed.
func (c *Consumer) askEnds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cluster.AskTimeout)
	defer cancel()
	stable, err := c.list(ctx, cluster.Stable, func(*partition) bool { return true })
	high, errHigh := c.list(ctx, cluster.High, func(*partition) bool { return true })
	starts, errStarts := c.list(ctx, cluster.Start, func(p *partition) bool { return !p.Tracker.Begun() })
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for p, end := range stable {
		p.End = end
		if at, ok := high[p]; ok {
			p.High = at
		}
		if at, ok := starts[p]; ok {
			p.Start = at
		}
		p.Notice(now)
	}
	return errors.Join(err, errHigh, errStarts)
}

// list asks for one edge of each of our partitions that which names.
func (c *Consumer) list(ctx context.Context, edge cluster.Edge, which func(*partition) bool) (map[*partition]int64, error) {
	asked := map[string][]int32{}
	var parts []*partition
	c.mu.Lock()
	for name, p := range c.parts {
		if which(p) {
			parts = append(parts, p)
			asked[name.topic] = append(asked[name.topic], name.partition)
		}
	}
	c.mu.Unlock()
	offsets, err := cluster.Bound(ctx, c.client, edge, asked)
	of := map[*partition]int64{}
	for _, p := range parts {
		if o, told := offsets[p.at.topic][p.at.partition]; told {
			of[p] = o
		}
	}
	return of, err
}
