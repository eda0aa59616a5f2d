package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/test/chaos/audit"
)

// witness reads topics from their start under one isolation level, with a bare client, and writes down
// what it is given.
type witness struct {
	cl        *kgo.Client
	log       *audit.Log
	committed bool

	mu     sync.Mutex
	at     map[string]int64 // topic/partition -> the offset behind the last record or marker
	recent []*kgo.Record    // some of the shop's events
}

// newWitness makes a reader of all partitions of the topics.
func newWitness(brokers []string, name string, log *audit.Log, committed bool, topics ...string) (*witness, error) {
	isolation := kgo.ReadUncommitted()
	if committed {
		isolation = kgo.ReadCommitted()
	}
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.ClientID(name), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(isolation),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), kgo.FetchMaxWait(time.Second), kgo.RequestTimeoutOverhead(4*time.Second), kgo.MetadataMaxAge(5*time.Second),
		kgo.RequestRetries(1_000_000),
	)
	if err != nil {
		return nil, fmt.Errorf("make a reader: %w", err)
	}
	w := &witness{cl: cl, log: log, committed: committed, at: map[string]int64{}}
	if !committed {
		return w, nil
	}
	return w, log.See(audit.Line{Op: audit.Reader, Topics: topics})
}

// run reads until ctx ends.
func (w *witness) run(ctx context.Context) error {
	for {
		fetches := w.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var failed error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if err := w.take(p); err != nil {
				failed = err
			}
		})
		if failed != nil {
			return failed
		}
	}
}

func (w *witness) take(p kgo.FetchTopicPartition) error {
	if len(p.Records) == 0 {
		return nil
	}
	var given []audit.Record
	w.mu.Lock()
	for _, r := range p.Records {
		if r.Attrs.IsControl() {
			continue
		}
		given = append(given, describe(r))
		if strings.HasPrefix(r.Topic, "shop.") && given[len(given)-1].Mark == "" && len(w.recent) < 2000 {
			w.recent = append(w.recent, r)
		}
	}
	w.mu.Unlock()
	if len(given) > 0 {
		if err := w.log.End(0, audit.OK, audit.Line{Op: audit.Poll, Committed: w.committed, Records: given}); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at[place(p.Topic, p.Partition)] = p.Records[len(p.Records)-1].Offset + 1
	return nil
}

func place(topic string, partition int32) string { return fmt.Sprintf("%s/%d", topic, partition) }

// any is one of the shop's events that have been read, or nil.
func (w *witness) any(r *rand.Rand) *kgo.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recent) == 0 {
		return nil
	}
	return w.recent[r.IntN(len(w.recent))]
}

// behind says where the reader has not reached the end.
func (w *witness) behind(ends map[string]int64) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, end := range ends {
		if have, reads := w.at[at]; have < end && (reads || end > 0) {
			return fmt.Sprintf("%s: read to %d of %d", at, have, end)
		}
	}
	return ""
}

// describe is what a record is to the auditor.
func describe(r *kgo.Record) audit.Record {
	a := audit.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: string(r.Key)}
	for _, h := range r.Headers {
		if h.Key == markHeader {
			a.Mark = string(h.Value)
		}
	}
	wire, err := kafka.WireOf(r)
	if err != nil {
		return a // no event
	}
	a.Type = wire.Attribute("type")
	if id := wire.Attribute("id"); id != "" {
		a.ID = wire.Attribute("source") + "/" + id
	}
	return a
}
