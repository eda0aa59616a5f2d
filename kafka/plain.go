package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// SendEach writes messages for a tool that has no producer, each where its key sends it, waits until all
// in-sync replicas have them, and says where each lies; of those that failed, which the error counts, the offset is -1. A
// message without a type is no event: its key, data and headers go as they are.
func (c *Client) SendEach(ctx context.Context, msgs []leat.Message) ([]leat.Position, error) {
	records := make([]*kgo.Record, len(msgs))
	index := make(map[*kgo.Record]int, len(msgs))
	at := make([]leat.Position, len(msgs))
	for i := range msgs {
		if records[i] = Record(&msgs[i]); msgs[i].Type == "" {
			records[i] = plainRecord(&msgs[i])
		}
		index[records[i]] = i
		at[i] = leat.Position{Topic: msgs[i].Topic, Partition: -1, Offset: -1}
	}
	var failed int
	var first error
	for _, result := range c.kgo.ProduceSync(ctx, records...) {
		r := result.Record
		if result.Err != nil {
			if failed++; first == nil {
				first = produceError("send to", r.Topic, result.Err)
			}
			continue
		}
		at[index[r]] = leat.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	}
	if failed > 0 {
		return at, fmt.Errorf("%d of %d records were not acknowledged: %w", failed, len(records), first)
	}
	return at, nil
}

func plainRecord(m *leat.Message) *kgo.Record {
	r := &kgo.Record{Topic: m.Topic, Key: m.Key, Value: m.Data, Headers: make([]kgo.RecordHeader, 0, len(m.Headers))}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}
