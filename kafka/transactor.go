package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
)

// TransactorConfig says whose transactions these are.
type TransactorConfig struct {
	// ID is the transactional id; opening another transactor with it fences this one. Required.
	ID string
	// Timeout is how long the broker lets a transaction stay open, and how long Commit waits for its
	// records to be acknowledged; 0: 10 s. An open transaction holds back every read_committed reader
	// of its partitions.
	Timeout time.Duration
	// Pause is the least time between the end of a transaction and the first record of the next; 0:
	// 5 ms, negative: none. A record that comes while the broker still writes the markers waits 20 ms
	// inside the broker.
	Pause time.Duration
	// Compression of batches: none, gzip, snappy, lz4, zstd; "": lz4.
	Compression string
	// Linger is how long a batch waits for more records; 0: not at all. Flush and Commit end the wait.
	Linger time.Duration
	// BatchBytes bounds a batch to a topic, as its max.message.bytes does; of one that is not in it, the
	// client's limit holds. A single larger record fails.
	BatchBytes map[string]int
}

const (
	defaultTxnTimeout = 10 * time.Second
	defaultPause      = 5 * time.Millisecond
)

// Transactor writes transactions, one after the other, and is made for one goroutine. After the
// first error of any call it is unusable for good: what its last transaction came to is unknown, so
// close it, open a new one, which ends that transaction at the broker, and read back what became of
// it (ReadPartition).
type Transactor struct {
	cl      *kgo.Client
	set     *resolved
	cfg     TransactorConfig
	open    bool            // a transaction has begun
	ended   time.Time       // when the last one did
	broken  error           // the first error
	batches []*batch        // produced in the open transaction
	spare   *batch          // of an earlier one, whose memory is used again
	version int             // the cluster's transaction.version
	known   map[string]bool // topics the client has
	leader  func(topic string, partition int32) (leader, epoch int32, err error)
	keeper  *Keeper
}

// Raw is a record that is no event, such as the relay's position.
type Raw struct {
	Topic     string
	Partition int32 // negative: by the key
	Key       []byte
	Value     []byte // nil: a tombstone
	Headers   []leat.Header
}

// Size is about what the record takes in a batch, at least.
func (r *Raw) Size() int {
	n := len(r.Key) + len(r.Value) + 128
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value) + 10
	}
	return n
}

// OpenTransactor connects, and takes the transactional id over: when it returns, every older
// transactor of that id is fenced, and its open transaction has been ended by the broker. What Kafka
// left open of the id's transactions that have ended, it ends as they did, or says [ErrHanging] where
// that takes a right that this user has not. ctx bounds the wait for all that.
func OpenTransactor(ctx context.Context, cfg Config, tc TransactorConfig) (*Transactor, error) {
	if tc.ID == "" {
		return nil, errors.New("open a transactor: it needs an ID")
	}
	set, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("configure the Kafka client: %w", err)
	}
	tc.Timeout = cmp.Or(set.txnTimeout, tc.Timeout, defaultTxnTimeout)
	tc.Pause = cmp.Or(tc.Pause, defaultPause)
	codecs, err := compression(cmp.Or(tc.Compression, defaultCompression), nil)
	if err != nil {
		return nil, fmt.Errorf("configure the transactor's compression: %w", err)
	}
	t := &Transactor{set: set, cfg: tc, known: map[string]bool{}, keeper: NewKeeper(tc.ID, set.Logger)}
	if err := t.connect(ctx, codecs); err != nil {
		return nil, err
	}
	t.leader = t.cl.PartitionLeader
	t.keeper.version = t.version
	if err := t.keeper.TakeOver(ctx, t.cl); err != nil {
		t.cl.Close()
		return nil, t.fail("take over transactional id "+tc.ID, err)
	}
	return t, nil
}

// connect makes the client. What it may say depends on the cluster's transaction.version, so one that
// finds an old one is made again.
func (t *Transactor) connect(ctx context.Context, codecs []kgo.CompressionCodec) (err error) {
	for t.version = 2; ; {
		options := t.set.options(append(promptly(),
			kgo.TransactionalID(t.cfg.ID),
			kgo.TransactionTimeout(t.cfg.Timeout),
			kgo.RecordDeliveryTimeout(t.cfg.Timeout),
			kgo.ProducerBatchCompression(codecs...),
			kgo.ProducerLinger(t.cfg.Linger),
			kgo.MaxBufferedRecords(1<<20), // the caller bounds a transaction; blocking in it would help nobody
			kgo.RecordPartitioner(addressed{partitioner(), named}),
			offsetVersions(t.version),
			kgo.WithHooks(t.keeper),
		))
		if len(t.cfg.BatchBytes) > 0 {
			options = append(options, kgo.ProducerBatchMaxBytesFn(t.cfg.batchBytes))
		}
		t.cl, err = kgo.NewClient(options...)
		if err != nil {
			return fmt.Errorf("make the Kafka client: %w", err)
		}
		found := 0
		err = t.set.introduce(ctx, func(ctx context.Context) (err error) {
			found, err = transactionVersion(ctx, t.cl)
			return err
		})
		if err != nil || min(found, 2) == min(t.version, 2) {
			t.version = found
			break
		}
		t.cl.Close()
		t.version = found
	}
	if err != nil {
		t.cl.Close()
	}
	return err
}

// batchBytes is the bound of a topic, as the client takes it.
func (c TransactorConfig) batchBytes(topic string) int32 {
	const own, least = 1_000_012, 512 // the client's, and what it accepts
	return int32(min(max(cmp.Or(c.BatchBytes[topic], own), least), 1<<30))
}

// ID is the transactional id.
func (t *Transactor) ID() string { return t.cfg.ID }

// Err is the error that made the transactor unusable, or nil.
func (t *Transactor) Err() error { return t.broken }

// Close ends the connections. An open transaction stays open at the broker until its timeout, or
// until the next transactor with the id opens.
func (t *Transactor) Close() { t.cl.Close() }

// Begin begins a transaction.
func (t *Transactor) Begin() error {
	if t.broken != nil {
		return fmt.Errorf("begin a transaction: %w: %w", ErrUnusable, t.broken)
	}
	if err := t.cl.BeginTransaction(); err != nil {
		return t.fail("begin a transaction", err)
	}
	if len(t.batches) > 0 {
		t.spare = t.batches[0] // the client is through with it
	}
	t.open, t.batches = true, t.batches[:0]
	return nil
}

// Produce buffers messages, then raw records, in the open transaction, in order. Their keys, data
// and headers must stay as they are until Commit or Abort returns. An error tells of this call only:
// what becomes of the records, Commit tells.
func (t *Transactor) Produce(ctx context.Context, msgs []leat.Message, raws ...Raw) error {
	if t.broken != nil {
		return fmt.Errorf("produce: %w: %w", ErrUnusable, t.broken)
	}
	if !t.open {
		return t.fail("produce", errors.New("no transaction has begun"))
	}
	if len(t.batches) == 0 {
		if err := t.Tend(ctx); err != nil { // what is written into the partition next would be one with what hangs there
			return err
		}
	}
	b := newBatch(t.spare, msgs, raws)
	t.spare = nil
	if err := t.rest(ctx); err != nil {
		return t.fail("produce", err)
	}
	t.batches = append(t.batches, b)
	// Canceling a record's context while it is in flight would fail it in doubt; Commit's own deadline
	// bounds the wait instead.
	ctx = context.WithoutCancel(ctx)
	for i := range b.records {
		t.cl.Produce(ctx, &b.records[i], b.promise)
	}
	return nil
}

// rest waits until the pause after the last transaction is over.
func (t *Transactor) rest(ctx context.Context) error {
	if t.ended.IsZero() || t.cfg.Pause <= 0 {
		return nil
	}
	wait := time.Until(t.ended.Add(t.cfg.Pause))
	t.ended = time.Time{}
	if wait <= 0 {
		return nil
	}
	return pause(ctx, wait)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Commit waits until every record is acknowledged, at most for the timeout, and commits. nil means
// that the transaction is committed; any error that it may or may not be: see Transactor. ctx bounds
// the wait for acknowledgements; the commit itself, once sent, is not given up by ctx.
func (t *Transactor) Commit(ctx context.Context) error {
	if t.broken != nil {
		return fmt.Errorf("commit: %w: %w", ErrUnusable, t.broken)
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	if err := t.cl.EndTransaction(context.WithoutCancel(ctx), kgo.TryCommit); err != nil {
		return t.fail("commit the transaction", err)
	}
	t.open, t.ended = false, time.Now()
	t.noteWritten()
	return nil
}

// noteWritten tells the keeper where the transaction wrote.
func (t *Transactor) noteWritten() {
	for _, b := range t.batches {
		var last *kgo.Record
		for i := range b.records {
			r := &b.records[i]
			if last != nil && (r.Partition != last.Partition || r.Topic != last.Topic) {
				t.keeper.Wrote(last.Topic, last.Partition, last.Offset)
			}
			last = r
		}
		if last != nil {
			t.keeper.Wrote(last.Topic, last.Partition, last.Offset)
		}
	}
}

func (t *Transactor) flush(ctx context.Context) error {
	flush, cancel := context.WithTimeoutCause(ctx, t.cfg.Timeout, fmt.Errorf("records were not acknowledged within %v", t.cfg.Timeout))
	defer cancel()
	if err := t.cl.Flush(flush); err != nil {
		return t.fail("flush the transaction", errors.Join(context.Cause(flush), t.firstFailure()))
	}
	// The client would commit what is left of a transaction whose record failed.
	if err := t.firstFailure(); err != nil {
		return t.fail("produce", err)
	}
	if err := t.meetTopics(flush); err != nil {
		return t.fail("flush the transaction", err)
	}
	return nil
}

// meetTopics waits until the client has the topics of the open transaction.
func (t *Transactor) meetTopics(ctx context.Context) error {
	last := ""
	for _, b := range t.batches {
		for i := range b.records {
			r := &b.records[i]
			if r.Topic != last && !t.known[r.Topic] {
				if err := awaitTopic(ctx, t.leader, r); err != nil {
					return err
				}
				t.known[r.Topic] = true
			}
			last = r.Topic
		}
	}
	return nil
}

// AwaitTopic waits until a transactional client has the topic of a record that it said is
// acknowledged; call it between the two and EndTransaction. kgo sends a new topic's first records before it
// keeps the topic: a transaction that holds no other looks empty to it until then, so that it aborts it
// and says that it was committed.
func AwaitTopic(ctx context.Context, cl *kgo.Client, acknowledged *kgo.Record) error {
	return awaitTopic(ctx, cl.PartitionLeader, acknowledged)
}

func awaitTopic(ctx context.Context, leader func(string, int32) (int32, int32, error), r *kgo.Record) error {
	for {
		// What was wrong with the topic before it took the record is no news.
		if at, _, _ := leader(r.Topic, r.Partition); at >= 0 {
			return nil
		}
		if err := pause(ctx, 100*time.Microsecond); err != nil {
			return fmt.Errorf("learn of topic %s: %w", r.Topic, err)
		}
	}
}

// Abort drops the open transaction. After nil the transactor can begin anew.
func (t *Transactor) Abort(ctx context.Context) error {
	if t.broken != nil {
		return fmt.Errorf("abort: %w: %w", ErrUnusable, t.broken)
	}
	drop, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	if err := t.cl.AbortBufferedRecords(drop); err != nil {
		return t.fail("drop the transaction's records", err)
	}
	if t.firstFailure() == nil { // nothing was dropped: all of it is at the broker
		if err := t.meetTopics(drop); err != nil {
			return t.fail("abort the transaction", err)
		}
	}
	if err := t.cl.EndTransaction(context.WithoutCancel(ctx), kgo.TryAbort); err != nil {
		return t.fail("abort the transaction", err)
	}
	t.open, t.ended = false, time.Now()
	t.keeper.cut.Store(true) // where it wrote is not known of all that was dropped
	return nil
}

func (t *Transactor) firstFailure() error {
	for _, b := range t.batches {
		if err := b.failure(); err != nil {
			return err
		}
	}
	return nil
}

// fail makes the transactor unusable.
func (t *Transactor) fail(op string, err error) error {
	e := produceError(op, "", err)
	if fenced(err) && !errors.Is(err, ErrFenced) {
		told := *e // e may be err itself
		told.Err = fmt.Errorf("%w (%w)", ErrFenced, e.Err)
		e = &told
	}
	if t.broken == nil {
		t.broken = e
	}
	return e
}

// fenced says whether the broker refuses this producer: for a newer one of its id, or because it has
// ended the transaction itself, which it does for an heir and at the timeout.
func fenced(err error) bool {
	for _, refusal := range []error{kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, ErrFenced} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// batch is what one call produced: records, with their headers and times each in one piece.
type batch struct {
	records []kgo.Record
	headers []kgo.RecordHeader
	times   []byte
	promise func(*kgo.Record, error)

	mu  sync.Mutex
	err error // the first failure
}

// newBatch takes the memory of an earlier one, where there is one and it is large enough.
func newBatch(of *batch, msgs []leat.Message, raws []Raw) *batch {
	if of == nil {
		of = new(batch)
	}
	headers := 0
	for i := range msgs {
		headers += attributeHeaders + len(msgs[i].Headers)
	}
	b := &batch{records: emptied(of.records, len(msgs)+len(raws)), headers: emptied(of.headers, headers), times: emptied(of.times, len(msgs)*timeSize)}
	b.promise = b.settle
	slab, times, c := b.headers, b.times, clock{}
	for i := range msgs {
		n := attributeHeaders + len(msgs[i].Headers)
		b.records[i].Headers, slab = slab[:0:n], slab[n:]
		c.into(times[:0:timeSize])
		appendRecord(&b.records[i], &msgs[i], &c)
		times = times[timeSize:]
		b.records[i].Partition = byKey
	}
	for i := range raws {
		r := &b.records[len(msgs)+i]
		r.Topic, r.Partition, r.Key, r.Value = raws[i].Topic, max(raws[i].Partition, byKey), raws[i].Key, raws[i].Value
		for _, h := range raws[i].Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader(h))
		}
	}
	return b
}

// emptied is n zero values, in the memory of s where they fit.
func emptied[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	clear(s[:cap(s)])
	return s[:n]
}

// settle is called by the client for each record that is acknowledged or has failed.
func (b *batch) settle(r *kgo.Record, err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// A partition's failure fails the records behind it with less telling errors, and a fence wins over
	// all: it decides whether to come back.
	if b.err == nil || fenced(err) && !fenced(b.err) {
		b.err = produceError("produce to", r.Topic, err)
	}
}

func (b *batch) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// timeSize holds a time with nanoseconds.
const timeSize = len("2006-01-02T15:04:05.999999999Z")
