package consumer

import (
	"context"
	"errors"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/consumer/internal/cluster"
)

// The offset map says which records above the low water are finished. It travels in the metadata of the
// offset that it belongs to, so that whoever reads on from there repeats the unfinished ones only.

// shrinkMaps obeys a broker that allows less metadata than Kafka does by default. mu is held.
func (c *Consumer) shrinkMaps(err error) {
	if errors.Is(err, kerr.OffsetMetadataTooLarge) {
		if c.mapLimit /= 2; c.mapLimit < leastMap {
			c.mapLimit = 0
		}
		c.log.Warn("the brokers allow less metadata beside an offset than Kafka's 4096 bytes (offset.metadata.max.bytes): a restart repeats more", "bytes", c.mapLimit)
	}
}

// remember keeps what stands beside the offsets that the client begins at.
func (c *Consumer) remember(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	cluster.MetadataOf(resp, func(topic string, partition int32, metadata string) {
		if p := c.parts[at{topic, partition}]; p != nil {
			p.Metadata = metadata
		}
	})
	return nil
}

// alreadyDone passes over a record that an earlier owner has finished. mu is held.
func (c *Consumer) alreadyDone(p *partition, r *kgo.Record) bool {
	if !p.Spares(r.Offset, r.LeaderEpoch) {
		return false
	}
	if p.Tracker.Pass(r.Offset, r.LeaderEpoch) {
		c.spared++
		c.metrics.spared.With(p.at.topic).Inc()
	}
	return true
}

// measureMap looks whether p's offset map fills three quarters of its space. A full map lets nothing in
// above it until what holds up the low water is finished: what a crash would repeat stays known. mu is
// held.
func (c *Consumer) measureMap(p *partition) {
	if p.tight = p.Tracker.FinishedNeeds() > c.mapRoom(); p.tight {
		p.tight = len(p.Tracker.Finished()) > c.mapRoom()
	}
	if p.paused && !p.tight {
		c.settled(p)
	}
}

// mapFull says whether p's offset map may be full. mu is held.
func (c *Consumer) mapFull(p *partition) bool {
	return p.tight && p.Tracker.FinishedNeeds() > c.mapRoom()
}

// leastMap is how small a map may be that is worth its commit.
const leastMap = 256

func (c *Consumer) mapRoom() int {
	if c.mapLimit == 0 {
		return math.MaxInt
	}
	return c.mapLimit * 3 / 4
}
