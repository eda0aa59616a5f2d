package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Fetcher reads single places of one partition, outside any consumer: with a client that consumes
// nothing, or its own fetches would wait behind these.
type Fetcher struct {
	turn    chan struct{} // holds one value: the right to use the rest
	r       partitionReader
	located bool
}

// NewFetcher reads from a partition by the client.
func NewFetcher(cl *kgo.Client, topic string, partition int32) *Fetcher {
	return &Fetcher{turn: make(chan struct{}, 1), r: partitionReader{cl: cl, topic: topic, partition: partition}}
}

// ErrNoRecord says that no record lies at an offset: it was deleted, or never there.
var ErrNoRecord = errors.New("there is no such record")

// Fetch returns the records from offset from on that one answer of about limit bytes brings, at least
// the one at from: where that is not there, ErrNoRecord. It goes on over leaders that move or are away
// until ctx ends. Records of open or aborted transactions are not there.
func (f *Fetcher) Fetch(ctx context.Context, from int64, limit int32) ([]*kgo.Record, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var part kgo.FetchPartition
	err := f.r.retry(ctx, func() (err error) {
		if !f.located {
			if err := f.r.locate(ctx); err != nil {
				return err
			}
			f.located = true
		}
		part, _, err = f.r.fetch(ctx, from, limit)
		return err
	})
	if err == nil && (len(part.Records) == 0 || part.Records[0].Offset != from) || errors.Is(err, kerr.OffsetOutOfRange) {
		err = fmt.Errorf("%w: offset %d", ErrNoRecord, from)
	}
	if err != nil {
		return nil, &Error{Op: "fetch", Topic: f.r.topic, Partition: f.r.partition, Err: err}
	}
	return part.Records, nil
}
