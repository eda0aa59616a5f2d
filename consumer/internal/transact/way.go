package transact

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
)

// Made is what leaves with an outcome.
type Made struct {
	Messages []leat.Message
	one      [1]leat.Message // where there is one, as mostly
	Raws     []kafka.Raw     // its dead letter, and what is written of it into the park partition
	Then     func()          // when that is committed
}

// Size is about what it holds in memory; nothing has none.
func (m *Made) Size() (n int) {
	if m == nil {
		return 0
	}
	for i := range m.Messages {
		n += m.Messages[i].Size()
	}
	for i := range m.Raws {
		n += m.Raws[i].Size()
	}
	return n
}

// Bundle is what becomes visible at once.
type Bundle struct {
	Messages []leat.Message
	Raws     []kafka.Raw
	Offsets  []kafka.GroupOffset
}

// Empty says whether there is nothing to send but offsets.
func (b *Bundle) Empty() bool { return len(b.Messages)+len(b.Raws) == 0 }

// Member is who sends.
type Member struct {
	Group      string
	InstanceID string
	Parks      bool // it has topics whose events are parked
	// Identity is its id and generation in the group at the moment, or why its offsets are not its own to
	// commit any more.
	Identity func() (member string, generation int32, err error)
	// Write writes raw records where there are no transactions.
	Write func(ctx context.Context, raws []kafka.Raw) error
	// Hook is called at named points.
	Hook func(point string)
}

// Way is how a bundle leaves. It is used by one goroutine at a time, and thrown away after the first error.
type Way interface {
	// Deliver sends a bundle that is not empty, and says whether its offsets are committed with it.
	Deliver(ctx context.Context, m *Member, b *Bundle) (committed bool, err error)
	Close()
}

// ErrAsleep says that a transaction had outlived its timeout.
var ErrAsleep = errors.New("the transaction had outlived its timeout")

// lingering lets a transaction's records travel in few batches; the flush ends it.
const lingering = 5 * time.Millisecond

// transactional puts all of it into one Kafka transaction.
type transactional struct {
	t       *kafka.Transactor
	timeout time.Duration
	limits  map[string]int // of batches, by topic
}

// OpenTransactions opens the way of transactions under an id, fencing what was open under it. A transaction
// that the process leaves open ends after timeout; limits are the largest batches of topics, and batches
// what a batch may have before it is compressed. It returns the cluster's transaction.version as well.
func OpenTransactions(ctx context.Context, cluster kafka.Config, id string, timeout time.Duration, limits, batches map[string]int) (Way, int, error) {
	t, err := kafka.OpenTransactor(ctx, cluster, kafka.TransactorConfig{ID: id, Timeout: timeout, Linger: lingering, BatchBytes: batches})
	if err != nil {
		return nil, 0, fmt.Errorf("open the transforms' transactions: %w", err)
	}
	return &transactional{t: t, timeout: timeout, limits: limits}, t.TransactionVersion(), nil
}

func (w *transactional) Close() { w.t.Close() }

func (w *transactional) Deliver(ctx context.Context, m *Member, b *Bundle) (committed bool, err error) {
	began := time.Now()
	err = w.transact(ctx, m, b)
	if err != nil && time.Since(began) >= w.timeout {
		err = fmt.Errorf("%w: %w", ErrAsleep, err)
	}
	return true, err
}

func (w *transactional) transact(ctx context.Context, m *Member, b *Bundle) error {
	if err := w.t.Begin(); err != nil {
		return err
	}
	if err := w.produce(ctx, b); err != nil {
		return err
	}
	m.Hook("transform.produced")
	if m.Parks && len(b.Raws) > 0 {
		m.Hook("park.appended")
	}
	if len(b.Offsets) > 0 {
		if err := w.sendOffsets(ctx, m, b); err != nil {
			return err
		}
	}
	m.Hook("transform.offsets")
	m.Hook("transform.ending")
	if err := w.t.Commit(ctx); err != nil {
		return err
	}
	m.Hook("transform.ended")
	return nil
}

// produce writes what leaves. Records that were parked may be larger than a batch before they are
// compressed, so they go in portions of which each fits into one, or is a single record: the topic decides.
func (w *transactional) produce(ctx context.Context, b *Bundle) error {
	messages, raws := b.Messages, b.Raws
	for {
		n := portion(raws, w.limits)
		if err := w.t.Produce(ctx, messages, raws[:n]...); err != nil {
			return err
		}
		if err := w.t.Flush(ctx); err != nil {
			return err
		}
		if messages, raws = nil, raws[n:]; len(raws) == 0 {
			return nil
		}
	}
}

type place struct {
	topic     string
	partition int32
}

// portion is how many of the records may go at once.
func portion(raws []kafka.Raw, limits map[string]int) int {
	sizes := map[place]int{}
	for i := range raws {
		r := &raws[i]
		to := place{r.Topic, r.Partition}
		sizes[to] += r.Size()
		if limit, known := limits[r.Topic]; known && sizes[to] > limit && sizes[to] > r.Size() {
			return i
		}
	}
	return len(raws)
}

// sendOffsets makes the offsets part of the transaction, under the group's generation of the moment.
// While the group changes, the coordinator may be a generation ahead of the client: the offsets are said
// again when that has caught up, if the partitions are still ours. They can't have been another
// member's in between: that needs our revoke, which waits for this commit, or the loss of our
// membership, which shows by another member id.
func (w *transactional) sendOffsets(ctx context.Context, m *Member, b *Bundle) error {
	o := kafka.GroupOffsets{Group: m.Group, InstanceID: m.InstanceID, Offsets: b.Offsets}
	for {
		var err error
		if o.MemberID, o.Generation, err = m.Identity(); err != nil {
			return fmt.Errorf("send offsets: %w", err)
		}
		err = w.t.SendOffsets(ctx, o)
		if err == nil || !errors.Is(err, kafka.ErrNotOfGeneration) {
			return err
		}
		const pause = 10 * time.Millisecond
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// repeatable sends without transactions, where a crash would make the broker forget them and hide the
// events from every later reader. What was sent and not committed when the process died is sent again,
// with the same ids.
type repeatable struct{ p *kafka.Producer }

// OpenRepeatable opens the way of clusters that forget transactions.
func OpenRepeatable(ctx context.Context, cluster kafka.Config) (Way, error) {
	client, err := kafka.Open(ctx, cluster)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	p, err := client.Producer(kafka.ProducerConfig{})
	if err != nil {
		return nil, fmt.Errorf("open the transforms' producer: %w", err)
	}
	return &repeatable{p: p}, nil
}

func (w *repeatable) Close() { w.p.Close() }

func (w *repeatable) Deliver(ctx context.Context, m *Member, b *Bundle) (committed bool, err error) {
	if len(b.Messages) > 0 {
		if err := w.p.SendMessages(ctx, b.Messages); err != nil {
			return false, err
		}
	}
	if len(b.Raws) > 0 { // behind the outputs: what they say of these holds then
		if err := m.Write(ctx, b.Raws); err != nil {
			return false, err
		}
	}
	m.Hook("transform.produced")
	return false, nil
}
