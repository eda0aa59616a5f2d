package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
)

// pen is a producer that writes for one term.
type pen struct {
	cl    *kgo.Client
	term  int
	txn   bool // each write is a transaction
	keep  *kafka.Keeper
	ended time.Time // when the last one did

	// What is known of the end of the topic, from the last write: mine is behind its last record, tail
	// behind its marker. -1: nothing.
	mine, tail int64
}

// barrier is the position of a write that may lie anywhere.
const barrier = -1

// maxBatch is what a topic takes by default, as a batch.
const maxBatch = 1 << 20

// write puts records directly behind a position, or, for barrier, makes sure that the end is known.
// The caller has the turn.
func (l *Kafka) write(ctx context.Context, s seat, records []Record, after int64) error {
	if err := l.pickUp(ctx, s); err != nil {
		return err
	}
	p := l.pen
	switch {
	case after != barrier && p.tail < 0 && l.cfg.URL == "":
		p.mine, p.tail = after, after // of a tool, which has asked for the end itself
	case after == barrier && p.tail >= 0:
		return nil
	case after == barrier:
		records = []Record{{Key: key{kind: kindNoop}.spell()}}
	case p.tail < 0 || after < p.mine:
		return ErrStale
	}
	batch := make([]*kgo.Record, len(records))
	for i, r := range records {
		batch[i] = &kgo.Record{Topic: l.cfg.Topic, Key: r.Key, Value: r.Value}
		if r.Time != 0 {
			batch[i].Timestamp = time.UnixMilli(r.Time)
		}
	}
	err := l.put(ctx, p, batch)
	if err != nil && !errors.Is(err, ErrStale) {
		l.drop() // what became of its last write is not known: the next pen begins behind it
	}
	return err
}

// put writes a batch and looks where it lies. In a transaction, that decides on whether it stays.
func (l *Kafka) put(ctx context.Context, p *pen, batch []*kgo.Record) error {
	want := p.tail
	p.mine, p.tail = -1, -1
	if p.txn {
		// A record that comes while the broker still writes the last marker waits 20 ms in it.
		if err := pause(ctx, time.Until(p.ended.Add(5*time.Millisecond))); err != nil {
			return err
		}
		if err := p.keep.Tend(ctx, p.cl, l.cfg.Topic); err != nil {
			return err
		}
		if err := p.cl.BeginTransaction(); err != nil {
			return fmt.Errorf("begin a transaction: %w", err)
		}
	}
	if err := p.cl.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		return l.refused(p, len(batch), err)
	}
	if p.txn {
		if err := kafka.AwaitTopic(ctx, p.cl, batch[0]); err != nil {
			return err
		}
	}
	base, apart := batch[0].Offset, false
	for i, r := range batch {
		apart = apart || r.Offset != base+int64(i)
	}
	next := base + int64(len(batch))
	if !p.txn {
		if want >= 0 && base != want || apart {
			return errors.New("another program wrote to the topic at the same time: what was written may not hold; ask again")
		}
		p.mine, p.tail = next, next
		return nil
	}
	end, verdict := kgo.TryCommit, error(nil)
	switch {
	case want >= 0 && base != want || apart:
		end, verdict = kgo.TryAbort, ErrStale
	case !l.stillSits(p.term):
		end, verdict = kgo.TryAbort, ErrNotLeader
	}
	err := p.cl.EndTransaction(ctx, end)
	p.ended = time.Now()
	if verdict != nil {
		if err != nil {
			l.drop() // the next pen ends the transaction
		}
		return verdict
	}
	if err != nil {
		if fenced(err) {
			l.doubt()
		}
		return fmt.Errorf("commit the transaction: %w", err)
	}
	p.mine, p.tail = next, next+1
	p.keep.Wrote(l.cfg.Topic, batch[0].Partition, next-1)
	return nil
}

// refused says what a failed write means. A transaction is not committed then, so nothing is written.
func (l *Kafka) refused(p *pen, n int, err error) error {
	switch {
	case fenced(err):
		l.doubt()
		return fmt.Errorf("%w: %w", ErrNotLeader, err)
	case (p.txn || n == 1) && errors.Is(err, kerr.MessageTooLarge):
		return fmt.Errorf("%w: %w; raise max.message.bytes of topic %s", ErrTooLarge, err, l.cfg.Topic)
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return l.noRight(err)
	}
	return err
}

func (l *Kafka) noRight(err error) error {
	return fmt.Errorf("%w (this user needs the right to Write and Describe on transactional id %s)", err, l.txnID())
}

func fenced(err error) bool {
	return errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidTxnState)
}

// txnID is one for all registries of a log: whoever takes it over ends what the others have begun.
func (l *Kafka) txnID() string { return l.cfg.Group + "." + l.cfg.Topic }

// pickUp makes sure that there is a pen of this term. Each term begins with a new one, which fences
// those of earlier terms, wherever they are.
func (l *Kafka) pickUp(ctx context.Context, s seat) error {
	if l.pen != nil && l.pen.term == s.term {
		return nil
	}
	l.drop()
	txn := !s.mixed && !l.client.Embedded()
	if s.mixed && !l.client.Embedded() {
		if err := l.fence(ctx); err != nil {
			return err
		}
	}
	cl, keep, err := l.producer(ctx, txn)
	if err != nil {
		return err
	}
	l.pen = &pen{cl: cl, term: s.term, txn: txn, keep: keep, mine: -1, tail: -1}
	return nil
}

// drop throws the pen away.
func (l *Kafka) drop() {
	if l.pen != nil {
		l.pen.cl.Close()
		l.pen = nil
	}
}

// producer opens one; of a transactional one it takes the id over, and ends what Kafka left open of it.
func (l *Kafka) producer(ctx context.Context, txn bool) (*kgo.Client, *kafka.Keeper, error) {
	opts := []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(maxBatch),
		kgo.RecordDeliveryTimeout(l.cfg.Session),
	}
	keep := kafka.NewKeeper(l.txnID(), l.cfg.Logger)
	if txn {
		opts = append(opts, kgo.TransactionalID(l.txnID()), kgo.TransactionTimeout(l.cfg.Session), kgo.WithHooks(keep))
	} else {
		opts = append(opts, kgo.AllowIdempotentProduceCancellation())
	}
	cl, err := l.cfg.Connect.NewClient(opts...)
	if err != nil {
		return nil, nil, err
	}
	if txn {
		err = keep.TakeOver(ctx, cl, l.cfg.Topic)
	} else {
		_, _, err = cl.ProducerID(ctx)
	}
	if err != nil {
		cl.Close()
		if errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
			err = l.noRight(err)
		}
		return nil, nil, fmt.Errorf("take the registry's pen: %w", err)
	}
	return cl, keep, nil
}

// fence ends what another registry of ours may still have begun.
func (l *Kafka) fence(ctx context.Context) error {
	cl, _, err := l.producer(ctx, true)
	if err != nil {
		return err
	}
	cl.Close()
	l.cfg.Logger.Debug("fenced earlier writers of the registry's log", slog.String("topic", l.cfg.Topic))
	return nil
}
