package consumer

import (
	"context"
	"errors"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatdev/leat/consumer/lane"
)

// The offset map says which records above the low water are finished. It travels in the metadata of the
// offset that it belongs to, so that whoever reads on from there repeats the unfinished ones only.

// place is what a commit says of one partition.
type place struct {
	lane.Mark
	spots    uint64
	finished lane.Finished
}

// texts writes the maps of a commit.
func (c *Consumer) texts(marks map[*partition]place) map[at]*string {
	c.mu.Lock()
	limit := c.mapLimit
	c.mu.Unlock()
	texts := map[at]*string{}
	for p, m := range marks {
		texts[p.at] = new(m.finished.Text(limit))
	}
	return texts
}

// attach puts the maps into a commit that is about to go.
func attach(req *kmsg.OffsetCommitRequest, texts map[at]*string) {
	for _, t := range req.Topics {
		for i := range t.Partitions {
			t.Partitions[i].Metadata = texts[at{t.Topic, t.Partitions[i].Partition}]
		}
	}
}

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
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, o := range t.Partitions {
				if p := c.parts[at{t.Topic, o.Partition}]; p != nil && o.Metadata != nil {
					p.metadata = *o.Metadata
				}
			}
		}
	}
	return nil
}

// namedOffsets keeps the client at answers that name the topics of offsets: later ones give their ids.
func namedOffsets() *kversion.Versions {
	const offsetFetch = 9
	v := kversion.Stable()
	v.SetMaxKeyVersion(offsetFetch, 9)
	return v
}

// begin sets the place in the log from which records are to come. Metadata that belongs to another place
// says nothing. Consumer.mu is held.
func (p *partition) begin(m lane.Mark) {
	p.tracker = lane.NewTracker(m)
	p.finished, _ = lane.ParseFinished(p.metadata, m.Offset)
	p.metadata = ""
}

// alreadyDone passes over a record that an earlier owner has finished. mu is held.
func (c *Consumer) alreadyDone(p *partition, r *kgo.Record) bool {
	if r.Offset >= p.finished.End() || r.LeaderEpoch > p.finished.Epoch() {
		p.finished = lane.Finished{} // it says nothing of what comes from here on
		return false
	}
	if !p.finished.Has(r.Offset, r.LeaderEpoch) {
		return false
	}
	if p.tracker.Pass(r.Offset, r.LeaderEpoch) {
		c.spared++
		c.metrics.spared.With(p.at.topic).Inc()
	}
	return true
}

// measureMap looks whether p's offset map fills three quarters of its space. A full map lets nothing in
// above it until what holds up the low water is finished: what a crash would repeat stays known. mu is
// held.
func (c *Consumer) measureMap(p *partition) {
	if p.tight = p.tracker.FinishedNeeds() > c.mapRoom(); p.tight {
		p.tight = len(p.tracker.Finished()) > c.mapRoom()
	}
	if p.paused && !p.tight {
		c.settled(p)
	}
}

// mapFull says whether p's offset map may be full. mu is held.
func (c *Consumer) mapFull(p *partition) bool {
	return p.tight && p.tracker.FinishedNeeds() > c.mapRoom()
}

// leastMap is how small a map may be that is worth its commit.
const leastMap = 256

func (c *Consumer) mapRoom() int {
	if c.mapLimit == 0 {
		return math.MaxInt
	}
	return c.mapLimit * 3 / 4
}
