package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// open opens a way out to Kafka. On a cluster with transactions this fences every earlier relay of
// the outbox off and ends what it had open.
func (r *shard) open(ctx context.Context, s *setup) (way, error) {
	if !s.transactional {
		p, err := s.client.Producer(kafka.ProducerConfig{})
		if err != nil {
			return nil, fmt.Errorf("open a producer for the outbox: %w", err)
		}
		return &plain{p: p, hook: r.cfg.Hook}, nil
	}
	t, err := kafka.OpenTransactor(ctx, r.cfg.Kafka, kafka.TransactorConfig{
		ID:      r.transactionalID(s),
		Timeout: r.cfg.TransactionTimeout,
		Pause:   r.cfg.Pause,
		Linger:  gathering,
	})
	if err != nil {
		return nil, fmt.Errorf("take over the outbox's transactions: %w", err)
	}
	return &transactional{t: t, outbox: s.database.Outbox, topic: r.cfg.PositionTopic, partition: int32(r.number), timeout: r.cfg.TransactionTimeout, hook: r.cfg.Hook}, nil
}

// gathering is longer than it takes to hand over a transaction's records, whose sending ends the wait:
// so batches are large, which is half the work for the broker.
const gathering = 100 * time.Millisecond

// transactional puts the events and the position into one Kafka transaction.
type transactional struct {
	t         *kafka.Transactor
	outbox    string
	topic     string // of positions
	partition int32
	timeout   time.Duration
	hook      func(string)
}

func (w *transactional) close() { w.t.Close() }

func (w *transactional) tend(ctx context.Context) error { return w.t.Tend(ctx) }

// last reads the topic up to the high watermark: what is committed may lie behind another outbox's
// open transaction, where the last stable offset does not reach. That one ends by its timeout.
func (w *transactional) last(ctx context.Context) (p *position, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*w.timeout+10*time.Second, errors.New("the position was not read in time"))
	defer cancel()
	err = w.t.ReadPartition(ctx, w.topic, w.partition, 0, func(rec leat.Wire) error {
		if string(rec.Key()) != w.outbox {
			return nil
		}
		p, err = readPosition(rec.Value())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the relay's position: %w", err)
	}
	return p, nil
}

func (w *transactional) send(ctx context.Context, p *position, messages []leat.Message, letters []leat.Message, ready func() error) error {
	value, err := p.encode()
	if err != nil {
		return fmt.Errorf("encode the position: %w", err)
	}
	if err := w.t.Begin(); err != nil {
		return err
	}
	if err := w.t.Produce(ctx, messages); err != nil {
		return err
	}
	if err := w.t.Produce(ctx, letters, kafka.Raw{Topic: w.topic, Partition: w.partition, Key: []byte(w.outbox), Value: value}); err != nil {
		return err
	}
	if err := w.t.Flush(ctx); err != nil {
		return err
	}
	w.hook("relay.produced")
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	w.hook("relay.committing")
	return w.t.Commit(ctx)
}

// plain sends without transactions: a broker that forgets them in a crash would hide events from
// every later reader. The table is the position: rows go when their events are acknowledged, and
// what is sent again after a crash the inboxes absorb.
type plain struct {
	p    *kafka.Producer
	hook func(string)
}

func (w *plain) close() { w.p.Close() }

func (w *plain) tend(context.Context) error { return nil }

func (w *plain) last(context.Context) (*position, error) { return nil, nil }

func (w *plain) send(ctx context.Context, _ *position, messages []leat.Message, letters []leat.Message, ready func() error) error {
	if ready != nil { // what is sent counts at once
		if err := ready(); err != nil {
			return err
		}
	}
	if len(messages) > 0 {
		if err := w.p.SendMessages(ctx, messages); err != nil {
			return err
		}
	}
	w.hook("relay.produced")
	if len(letters) > 0 {
		if err := w.p.SendMessages(ctx, letters); err != nil {
			return err
		}
	}
	w.hook("relay.committing")
	return nil
}
