package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// Write writes records that are no events, each to its partition or to that of its key, and returns
// where they lie once all in-sync replicas have them. Records of one partition keep their order. After
// an error each of them may or may not be in the log.
func (c *Client) Write(ctx context.Context, raws ...Raw) ([]leat.Position, error) {
	records := newBatch(nil, nil, raws).records
	pointers := make([]*kgo.Record, len(records))
	for i := range records {
		pointers[i] = &records[i]
	}
	for _, res := range c.kgo.ProduceSync(context.WithValue(ctx, ours{}, true), pointers...) {
		if res.Err != nil {
			return nil, produceError("write to", res.Record.Topic, res.Err)
		}
	}
	positions := make([]leat.Position, len(records))
	for i, r := range records {
		positions[i] = leat.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	}
	return positions, nil
}
