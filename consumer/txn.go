package consumer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/internal/mail"
	"github.com/leatdev/leat/consumer/internal/transact"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/consumer/letter"
	"github.com/leatdev/leat/kafka"
)

// txn is what a member that runs transforms has beyond others. An event that a transform has dealt with
// is an outcome: its outputs or its dead letter, and the place to move past. So is a decision about a
// parked event, with what leaves by it. Outcomes wait in the order in which they were reached; a commit
// takes some, sends what they hold, and commits with it exactly the places that they and all earlier ones
// have reached: the low water, and in the commit's metadata what is finished above it. So an event that
// waits for its next attempt, or is slow, holds up nobody: its offset stays out, whatever its neighbors
// do, and a successor knows which of them are done.
//
// The first error of a commit ends the member: what became of the transaction is found out by the next
// one, which opens with the same transactional id and reads the group's offsets anew.
type txn struct {
	cfg     TransformConfig
	outputs transact.Outputs
	way     transact.Way
	inside  bool          // dead letters are part of the transaction, also of topics that do not park
	full    chan struct{} // enough for a transaction waits

	over   chan struct{} // closed by fail
	cause  error         // why; set before over is closed
	failed sync.Once

	messages []leat.Message // of the last bundle, for the next; who has the right to commit has it

	// These are guarded by Consumer.mu.
	ready []outcome
	bytes int // of ready
}

// outcome is what an event has come to.
type outcome struct {
	part   *partition
	seq    uint64 // in the partition's tracker
	placed bool   // seq is to move past
	made   *transact.Made
	bytes  int
}

// bundle is what one commit makes visible at once.
type bundle struct {
	transact.Bundle
	marks    map[*partition]lane.Place
	then     []func()
	outcomes int
	events   int // of which something leaves for good
}

// maxBundleBytes bounds what a transaction holds in memory, besides MaxEvents.
const maxBundleBytes = 8 << 20

// Errors that end a member of transforms.
var (
	errMemberOver = errors.New("the member begins anew")
	errTooWide    = errors.New("what is finished out of order does not fit into a commit")
)

// ended is closed when the member has to end; nil where it never has to.
func (x *txn) ended() <-chan struct{} {
	if x == nil {
		return nil
	}
	return x.over
}

// wanted tells when a commit should not wait for its interval.
func (x *txn) wanted() <-chan struct{} {
	if x == nil {
		return nil
	}
	return x.full
}

// fail ends the member.
func (x *txn) fail(err error) {
	x.failed.Do(func() {
		x.cause = err
		close(x.over)
	})
}

// crowded says whether enough outcomes wait, and no further event should start. mu is held.
func (x *txn) crowded() bool {
	return x != nil && (len(x.ready) >= 2*x.cfg.MaxEvents || x.bytes >= 2*maxBundleBytes)
}

// laden says whether a whole transaction waits. mu is held.
func (x *txn) laden() bool {
	return x != nil && (len(x.ready) >= x.cfg.MaxEvents || x.bytes >= maxBundleBytes)
}

// reached takes the outcome of an item that has ended. mu is held.
func (x *txn) reached(o outcome) {
	if o.bytes = o.made.Size(); o.bytes == 0 { // nothing leaves with it
		o.part.Tracker.Done(o.seq)
		return
	}
	x.ready = append(x.ready, o)
	o.part.reached++
	if x.bytes += o.bytes; x.laden() {
		signal(x.full)
	}
}

// take makes a bundle of outcomes that wait, and reports whether some are left. What partitions that
// were taken away had reached is dropped: their new owner reaches it again. mu is held.
func (c *Consumer) take() (b bundle, more bool) {
	x, n, bytes := c.txn, 0, 0
	b.Messages = x.messages[:0]
	for n < len(x.ready) && b.outcomes < x.cfg.MaxEvents && bytes < maxBundleBytes {
		o := &x.ready[n]
		n++
		x.bytes -= o.bytes
		o.part.reached--
		if o.part.gone() {
			continue
		}
		if o.placed {
			o.part.Tracker.Done(o.seq)
		}
		b.outcomes++
		if o.placed || o.made.Then != nil || len(o.made.Messages) > 0 {
			b.events++
		}
		bytes += o.bytes
		b.Messages = append(b.Messages, o.made.Messages...)
		b.Raws = append(b.Raws, o.made.Raws...)
		if o.made.Then != nil {
			b.then = append(b.then, o.made.Then)
		}
		o.part.leaves = true
	}
	left := copy(x.ready, x.ready[n:])
	clear(x.ready[left:])
	x.ready = x.ready[:left]
	b.marks = c.places(nil)
	c.crew.call(c)
	return b, left > 0
}

// commitTxn makes what was reached so far visible, with its offsets. all goes on until nothing waits;
// otherwise it stops when less than a transaction's worth does.
func (c *Consumer) commitTxn(ctx context.Context, all bool) error {
	select {
	case c.committing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for the commit under way: %w", context.Cause(ctx))
	}
	defer func() { <-c.committing }()
	for {
		select {
		case <-c.txn.over: // what the failed commit had taken would count as done
			return errMemberOver
		default:
		}
		c.mu.Lock()
		b, more := c.take()
		enough := c.txn.laden()
		c.mu.Unlock()
		if len(b.marks) == 0 && b.Empty() {
			return nil
		}
		if err := c.deliver(ctx, &b); err != nil {
			c.metrics.transactions.With("failed").Inc()
			c.txn.fail(err)
			return fmt.Errorf("%w: %w", errMemberOver, err)
		}
		if !enough && !(all && more) {
			return nil
		}
	}
}

// deliver sends a bundle and takes in that it is committed.
func (c *Consumer) deliver(ctx context.Context, b *bundle) error {
	for p, m := range b.marks {
		if n := len(m.Finished.Text(math.MaxInt32)); n > lane.MapLimit {
			return fmt.Errorf("commit %s/%d: %w: %d bytes", p.at.topic, p.at.partition, errTooWide, n)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.txn.cfg.Timeout/2, fmt.Errorf("the transaction did not come to its end within %v", c.txn.cfg.Timeout/2))
	defer cancel()
	began := time.Now()
	if err := c.send(ctx, b); err != nil {
		return err
	}
	c.metrics.transactions.With("committed").Inc()
	c.metrics.transactionSeconds.Since(began)
	c.metrics.transactionEvents.Add(float64(b.events))
	for _, then := range b.then {
		then()
	}
	clear(b.Messages)
	c.txn.messages = b.Messages
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, m := range b.marks {
		p.Commit(m)
	}
	return nil
}

// send makes a bundle visible and commits its marks, at once or, where there are no transactions, behind it.
func (c *Consumer) send(ctx context.Context, b *bundle) error {
	if b.Empty() {
		return c.sendMarks(ctx, b.marks) // one request is atomic by itself
	}
	m := transact.Member{
		Group: c.cfg.Group, InstanceID: c.cfg.InstanceID, Parks: c.yard != nil, Hook: c.cfg.Hook,
		Identity: func() (string, int32, error) {
			id, generation := c.client.GroupMetadata()
			return id, generation, c.stillOurs(b.marks, id)
		},
	}
	if m.Parks {
		m.Write = c.yard.writeRaws
	}
	b.Offsets = groupOffsets(b.marks)
	committed, err := c.txn.way.Deliver(ctx, &m, &b.Bundle)
	switch {
	case err != nil:
		return err
	case !committed:
		return c.sendMarks(ctx, b.marks)
	case c.yard != nil:
		c.parkCommittedInside(b.marks)
		c.cfg.Hook("park.committed")
	}
	return nil
}

// groupOffsets are the marks as a transaction takes them.
func groupOffsets(marks map[*partition]lane.Place) (offsets []kafka.GroupOffset) {
	for p, m := range marks {
		offsets = append(offsets, kafka.GroupOffset{Topic: p.at.topic, Partition: p.at.partition, Offset: m.Offset, LeaderEpoch: m.Epoch, Metadata: m.Finished.Text(lane.MapLimit)})
		if p.park.claimed() {
			offsets = append(offsets, p.park.parkOffset(p.at.partition))
		}
	}
	return offsets
}

// buryInside makes the dead letter of a waiting item part of the next transaction.
func (c *Consumer) buryInside(it *item) {
	w := it.Value
	raw := c.letter(w.rec, c.story(&w))
	c.mu.Lock()
	defer c.mu.Unlock()
	it.Value.made = &transact.Made{Raws: []kafka.Raw{raw}, Then: func() {
		c.tellBuried(&w)
		c.mu.Lock()
		w.part.buried++
		c.mu.Unlock()
	}}
	c.finish(it)
	c.crew.call(c)
}

// endPlace moves past an item that has ended, now or with the transaction that its outcome is in. mu is
// held.
func (c *Consumer) endPlace(w *work) {
	if c.txn == nil {
		w.part.Tracker.Done(w.seq)
		return
	}
	c.txn.reached(outcome{part: w.part, seq: w.seq, placed: true, made: w.made})
}

// transform calls a transform once and encodes what it returns.
func (c *Consumer) transform(ctx context.Context, w *work, e *leat.Envelope) error {
	events, err := w.handler.Transform(ctx, e)
	if err != nil || len(events) == 0 {
		return err
	}
	m, err := c.txn.outputs.Encode(ctx, e, events)
	if err == nil {
		w.made = m
	}
	return err
}

// letter is the dead letter of rec as a record of the transaction: the largest that its topic takes.
func (c *Consumer) letter(rec *kgo.Record, d letter.DeadLetter) kafka.Raw {
	limit, known := c.txn.outputs.Limits[leat.DeadLetters(rec.Topic, c.cfg.Group)]
	for omit := 0; ; omit++ {
		r := c.letters.Compose(rec, d, omit)
		if !known || mail.Size(r) <= limit || omit == len(mail.Omissible) {
			return mail.Raw(r)
		}
	}
}
