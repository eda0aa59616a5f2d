package yard

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
)

// chunkBytes is about what is read around one record, since its neighbours mostly come next.
const chunkBytes = 128 << 10

// Fetcher reads single parked events of one partition. What came with the last one is kept.
type Fetcher struct {
	log       *kafka.Fetcher
	source    string
	partition int32

	mu    sync.Mutex
	chunk []*kgo.Record
}

// Fetcher makes one for the partition of a park topic, whose events are the source's.
func (w *Writer) Fetcher(parkTopic, source string, partition int32) *Fetcher {
	return &Fetcher{log: kafka.NewFetcher(w.single, parkTopic, partition), source: source, partition: partition}
}

// At returns the record at an offset.
func (f *Fetcher) At(ctx context.Context, offset int64) (*kgo.Record, error) {
	if r := f.kept(offset); r != nil {
		return r, nil
	}
	records, err := f.log.Fetch(ctx, offset, chunkBytes)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.chunk = records
	f.mu.Unlock()
	return records[0], nil
}

func (f *Fetcher) kept(offset int64) *kgo.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, found := slices.BinarySearchFunc(f.chunk, offset, func(r *kgo.Record, o int64) int { return cmp.Compare(r.Offset, o) })
	if !found {
		return nil
	}
	return f.chunk[i]
}

// Event returns the event that the record at an offset carries, as it was at its source.
func (f *Fetcher) Event(ctx context.Context, offset int64) (Event, error) {
	r, err := f.At(ctx, offset)
	if err != nil {
		return Event{}, err
	}
	return EventOf(f.source, f.partition, r)
}
