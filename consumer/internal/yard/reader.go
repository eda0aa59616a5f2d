package yard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
)

// pollRecords is how many records one poll takes.
const pollRecords = 2000

// metadataAge bounds how long a partition that is new to the reader waits for its leader's name.
const metadataAge = 20 * time.Millisecond

// Reader reads park partitions, each for an owner. It consumes them directly: the group's protocol knows
// nothing of park topics.
type Reader[P comparable] struct {
	cluster kafka.Config
	take    func(owner P, topic string, records []*kgo.Record, err error)
	client  *kgo.Client // of Run

	mu     sync.Mutex
	orders []order[P]
	stop   context.CancelFunc // ends the poll under way
}

type place struct {
	topic     string
	partition int32
}

// order tells the reader to begin with a partition, or to leave it.
type order[P comparable] struct {
	owner P
	place place
	from  int64 // -1: leave it
}

// NewReader makes one; take gets what is read of a partition, or why nothing is.
func NewReader[P comparable](cluster kafka.Config, take func(owner P, topic string, records []*kgo.Record, err error)) *Reader[P] {
	return &Reader[P]{cluster: cluster, take: take}
}

// Begin lets it read a partition for an owner, who takes it over from another one.
func (y *Reader[P]) Begin(owner P, topic string, partition int32, from int64) {
	y.order(order[P]{owner, place{topic, partition}, from})
}

// Leave ends that, if the owner has it still.
func (y *Reader[P]) Leave(owner P, topic string, partition int32) {
	y.order(order[P]{owner, place{topic, partition}, -1})
}

func (y *Reader[P]) order(o order[P]) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.orders = append(y.orders, o)
	if y.stop != nil {
		y.stop()
	}
}

// Run reads until ctx ends. It adds and removes partitions between two polls, so that nothing that was
// fetched for an earlier owner comes to a later one.
func (y *Reader[P]) Run(ctx context.Context) error {
	reading := map[place]P{}
	defer func() {
		if y.client != nil {
			y.client.Close()
		}
	}()
	for ctx.Err() == nil {
		y.mu.Lock()
		orders := y.orders
		y.orders = nil
		polling, stop := context.WithCancel(ctx)
		y.stop = stop
		y.mu.Unlock()
		if err := y.obey(orders, reading); err != nil {
			stop()
			return err
		}
		if y.client == nil {
			<-polling.Done()
		} else {
			y.poll(polling, reading)
		}
		stop()
	}
	return nil
}

// obey carries out what the reader was told.
func (y *Reader[P]) obey(orders []order[P], reading map[place]P) error {
	for _, o := range orders {
		topic, id := o.place.topic, o.place.partition
		if was, reads := reading[o.place]; reads {
			if o.from < 0 && was != o.owner {
				continue // somebody else's by now
			}
			delete(reading, o.place)
			y.client.RemoveConsumePartitions(map[string][]int32{topic: {id}})
		}
		if o.from < 0 {
			continue
		}
		reading[o.place] = o.owner
		from := map[string]map[int32]kgo.Offset{topic: {id: kgo.NewOffset().At(o.from)}}
		if y.client != nil {
			y.client.AddConsumePartitions(from)
			continue
		}
		client, err := y.cluster.NewClient(
			kgo.ConsumePartitions(from),
			kgo.ConsumeResetOffset(kgo.NoResetOffset()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.KeepControlRecords(),
			kgo.MetadataMinAge(metadataAge),
		)
		if err != nil {
			return err
		}
		y.client = client
	}
	return nil
}

func (y *Reader[P]) poll(ctx context.Context, reading map[place]P) {
	fetches := y.client.PollRecords(ctx, pollRecords)
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		owner, reads := reading[place{f.Topic, f.Partition}]
		switch {
		case !reads:
		case f.Err != nil && !errors.Is(f.Err, context.Canceled):
			y.take(owner, f.Topic, nil, f.Err)
		case len(f.Records) > 0:
			y.take(owner, f.Topic, f.Records, nil)
		}
	})
}
