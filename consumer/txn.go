package consumer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer/lane"
	"github.com/leatdev/leat/kafka"
)

// txn is what a member that runs transforms has beyond others. An event that a transform has dealt with
// is an outcome: its outputs or its dead letter, and the place to move past. Outcomes wait in the order
// in which they were reached; a commit takes some, sends what they hold, and commits with it exactly the
// places that they and all earlier ones have reached: the low water, and in the commit's metadata what
// is finished above it. So an event that waits for its next attempt, or is slow, holds up nobody: its
// offset stays out, whatever its neighbors do, and a successor knows which of them are done.
//
// The first error of a commit ends the member: what became of the transaction is found out by the next
// one, which opens with the same transactional id and reads the group's offsets anew.
type txn struct {
	cfg     TransformConfig
	outputs outputs
	way     way
	inside  bool          // dead letters are part of the transaction
	full    chan struct{} // enough for a transaction waits

	over   chan struct{} // closed by fail
	cause  error         // why; set before over is closed
	failed sync.Once

	// These are guarded by Consumer.mu.
	ready []outcome
	bytes int // of ready
}

// outcome is what an event has come to.
type outcome struct {
	part     *partition
	seq      uint64
	messages []leat.Message
	letter   *buriedLetter
	bytes    int
}

// buriedLetter is a dead letter that is part of a transaction.
type buriedLetter struct {
	raw kafka.Raw
	w   work
}

// bundle is what one commit makes visible at once.
type bundle struct {
	marks    map[*partition]place
	messages []leat.Message
	letters  []*buriedLetter
	events   int
}

// maxBundleBytes bounds what a transaction holds in memory, besides MaxEvents.
const maxBundleBytes = 8 << 20

// Errors that end a member of transforms.
var (
	errMemberOver = errors.New("the member begins anew")
	errAsleep     = errors.New("the transaction had outlived its timeout")
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

// reached takes the outcome of an item that has ended. mu is held.
func (x *txn) reached(o outcome) {
	for i := range o.messages {
		o.bytes += o.messages[i].Size()
	}
	if o.letter != nil {
		o.bytes += len(o.letter.raw.Value) + len(o.letter.raw.Key) + 96
	}
	if o.bytes == 0 { // nothing leaves with it
		o.part.tracker.Done(o.seq)
		return
	}
	x.ready = append(x.ready, o)
	o.part.reached++
	if x.bytes += o.bytes; len(x.ready) >= x.cfg.MaxEvents || x.bytes >= maxBundleBytes {
		signal(x.full)
	}
}

// take makes a bundle of outcomes that wait, and reports whether some are left. What partitions that
// were taken away had reached is dropped: their new owner reaches it again. mu is held.
func (c *Consumer) take() (b bundle, more bool) {
	x, n, bytes := c.txn, 0, 0
	for n < len(x.ready) && b.events < x.cfg.MaxEvents && bytes < maxBundleBytes {
		o := &x.ready[n]
		n++
		x.bytes -= o.bytes
		o.part.reached--
		if o.part.void {
			continue
		}
		o.part.tracker.Done(o.seq)
		b.events++
		bytes += o.bytes
		b.messages = append(b.messages, o.messages...)
		if o.letter != nil {
			b.letters = append(b.letters, o.letter)
		}
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
		enough := len(c.txn.ready) >= c.txn.cfg.MaxEvents || c.txn.bytes >= maxBundleBytes
		c.mu.Unlock()
		if len(b.marks) == 0 && len(b.messages)+len(b.letters) == 0 {
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
		if n := len(m.finished.Text(math.MaxInt32)); n > lane.MapLimit {
			return fmt.Errorf("commit %s/%d: %w: %d bytes", p.at.topic, p.at.partition, errTooWide, n)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.txn.cfg.Timeout/2, fmt.Errorf("the transaction did not come to its end within %v", c.txn.cfg.Timeout/2))
	defer cancel()
	began := time.Now()
	if err := c.txn.way.deliver(ctx, c, b); err != nil {
		return err
	}
	c.metrics.transactions.With("committed").Inc()
	c.metrics.transactionSeconds.Since(began)
	c.metrics.transactionEvents.Add(float64(b.events))
	for _, l := range b.letters {
		c.tellBuried(&l.w)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, m := range b.marks {
		p.committed, p.spots = m.Mark, m.spots
	}
	for _, l := range b.letters {
		l.w.part.buried++
	}
	return nil
}

// buryInside makes the dead letter of a waiting item part of the next transaction.
func (c *Consumer) buryInside(it *item) {
	w := &it.Value
	l := &buriedLetter{raw: c.letter(w), w: *w}
	c.mu.Lock()
	defer c.mu.Unlock()
	w.letter = l
	c.finish(it)
	c.crew.call(c)
}

// endPlace moves past an item that has ended, now or with the transaction that its outcome is in. mu is
// held.
func (c *Consumer) endPlace(w *work) {
	if c.txn == nil {
		w.part.tracker.Done(w.seq)
		return
	}
	c.txn.reached(outcome{part: w.part, seq: w.seq, messages: w.out, letter: w.letter})
}
