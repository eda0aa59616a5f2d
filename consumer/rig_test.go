package consumer_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// Placed and Paid are the events of the tests.
type Placed struct {
	Key  string
	N    int
	Note string `json:",omitempty"`
}

func (Placed) EventType() string  { return "test.order.placed.v1" }
func (e Placed) EventKey() string { return e.Key }

type Paid struct {
	Key string
	N   int
}

func (Paid) EventType() string  { return "test.order.paid.v1" }
func (e Paid) EventKey() string { return e.Key }

// rig is a broker with one topic and a group that reads it.
type rig struct {
	t     testing.TB
	b     *broker.Broker
	topic leat.Topic
	group string
	log   *slog.Logger

	partitions int // of the topic

	protocol string        // of the groups
	session  time.Duration // of their members
	out      leat.Topic    // of transforms
}

// lasting is a session on real Kafka: a member that the machine stops for a while is not to be taken for a
// dead one. Who dies is buried: see link.
const lasting = 45 * time.Second

// patience is how long a group may take for its work: a rebalance alone may last a minute.
const patience = 3 * time.Minute

// bubble runs body against kfake in a bubble, where waiting takes no time.
func bubble(t *testing.T, partitions int, body func(t *testing.T, r *rig)) {
	t.Helper()
	bubbleOf(t, 1, partitions, body)
}

// bubbleOf is bubble with a cluster of several brokers.
func bubbleOf(t *testing.T, brokers, partitions int, body func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		body(t, newRig(t, broker.Fake(t, broker.FakeConfig{Brokers: brokers, Virtual: true}), partitions))
	})
}

// conform runs body against kfake in a bubble and against real Kafka, under both protocols of groups.
func conform(t *testing.T, partitions int, body func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	for suffix, protocol := range map[string]string{"": "classic", "-848": "consumer"} {
		t.Run("kfake"+suffix, func(t *testing.T) {
			t.Parallel()
			bubble(t, partitions, func(t *testing.T, r *rig) {
				r.protocol = protocol
				body(t, r)
			})
		})
		t.Run("kafka"+suffix, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, broker.Real(t), partitions)
			r.speak(protocol)
			body(t, r)
		})
	}
}

func newRig(t testing.TB, b *broker.Broker, partitions int) *rig {
	t.Helper()
	name := b.Name("orders")
	b.CreateTopic(t, name, partitions, nil)
	session := lasting
	if !b.Real() {
		session = 6 * time.Second
	}
	return &rig{
		t: t, b: b, group: b.Name("group"), log: testLogger(t), session: session, partitions: partitions,
		topic: leat.Topic{Name: name, Carries: []any{Placed{}, Paid{}}},
	}
}

// speak sets the group's protocol. Under one of them the brokers say how long a session lasts.
func (r *rig) speak(protocol string) {
	r.t.Helper()
	if r.protocol = protocol; protocol == "consumer" && r.b.Real() {
		r.b.ConfigureGroup(r.t, r.group, "consumer.session.timeout.ms", strconv.FormatInt(lasting.Milliseconds(), 10))
	}
}

// testLogger writes what a consumer logs where LEAT_TEST_LOG is set.
func testLogger(t testing.TB) *slog.Logger {
	w := io.Discard
	if os.Getenv("LEAT_TEST_LOG") != "" {
		w = t.Output()
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (r *rig) kafka() kafka.Config {
	return kafka.Config{
		Brokers: r.b.Addrs, Dial: r.b.Dial, Logger: r.log,
		// A reader of lz4 takes 4 MiB for a batch of one record. The race detector empties the pools that
		// keep them, and the tests would take minutes.
		Properties: map[string]string{"compression.type": "none"},
	}
}

func (r *rig) config(handlers ...leat.Handler) consumer.Config {
	cfg := consumer.Config{
		Group: r.group, Kafka: r.kafka(), Handlers: handlers, Logger: r.log,
		CommitInterval: 50 * time.Millisecond, SessionTimeout: r.session,
		Version: "v-test", Protocol: r.protocol,
	}
	if cfg.Protocol == "consumer" {
		cfg.SessionTimeout = 0 // the brokers say it: see speak
	}
	return cfg
}

// send writes events, in order, into the partitions of their keys.
func (r *rig) send(events ...any) {
	r.t.Helper()
	r.b.Produce(r.t, r.records(events...)...)
}

// begin begins a transaction of the client that holds the events.
func (r *rig) begin(cl *kgo.Client, events ...any) {
	r.t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		r.t.Fatal(err)
	}
	records := r.records(events...)
	if err := cl.ProduceSync(r.t.Context(), records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	if err := kafka.AwaitTopic(r.t.Context(), cl, records[0]); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) records(events ...any) []*kgo.Record {
	r.t.Helper()
	catalog, err := leat.NewCatalog(r.topic)
	if err != nil {
		r.t.Fatal(err)
	}
	encoder := leat.Encoder{Catalog: catalog, Source: "test"}
	var records []*kgo.Record
	for _, e := range events {
		var m leat.Message
		if err := encoder.Encode(&m, e, nil, leat.NewID(), time.Now()); err != nil {
			r.t.Fatal(err)
		}
		records = append(records, kafka.Record(&m))
	}
	return records
}

// member is a running consumer.
type member struct {
	*consumer.Consumer
	stop func() error // ends it and returns what Run returned
	wait func() error // until it ends by itself
}

func (r *rig) start(cfg consumer.Config) *member {
	r.t.Helper()
	c, err := consumer.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		failed = c.Run(ctx)
	}()
	wait := func() error {
		<-ended
		return failed
	}
	stop := func() error {
		cancel()
		return wait()
	}
	r.t.Cleanup(func() { _ = stop() })
	return &member{c, stop, wait}
}

// awaitCommitted waits until the group's offsets sum up to want.
func (r *rig) awaitCommitted(want int64) {
	r.t.Helper()
	r.awaitCommittedIn(want, patience)
}

func (r *rig) awaitCommittedIn(want int64, limit time.Duration) {
	r.t.Helper()
	leattest.Within(r.t, limit, fmt.Sprintf("group committed %d", want), func() error {
		var sum int64
		for _, at := range r.b.Committed(r.t, r.group, r.topic.Name) {
			sum += at
		}
		if sum != want {
			return fmt.Errorf("committed %d", sum)
		}
		return nil
	})
}

// deadLetters reads what the group has buried.
func (r *rig) deadLetters() []letter {
	r.t.Helper()
	var got []letter
	for _, rec := range r.b.ReadAll(r.t, leat.DeadLetters(r.topic.Name, r.group), kgo.ReadCommitted()) {
		headers := make([]leat.Header, len(rec.Headers))
		for i, h := range rec.Headers {
			headers[i] = leat.Header(h)
		}
		d, err := consumer.ParseDeadLetter(headers)
		if err != nil {
			r.t.Fatalf("read dead letter: %v", err)
		}
		got = append(got, letter{d, rec})
	}
	return got
}

type letter struct {
	consumer.DeadLetter
	rec *kgo.Record
}

// raw writes a record as it is.
func (r *rig) raw(key, value []byte, headers ...kgo.RecordHeader) {
	r.t.Helper()
	r.b.Produce(r.t, &kgo.Record{Topic: r.topic.Name, Key: key, Value: value, Headers: headers})
}

// note is a handler that writes down what it got and succeeds.
func (l *ledger) note(_ context.Context, e *leat.Event[Placed]) error {
	l.enter(e.Key())
	defer l.leave(e.Key())
	l.add(e.Key(), e.Data.N)
	return nil
}

// ledger is what handlers have done, by key, in order.
type ledger struct {
	mu     sync.Mutex
	byKey  map[string][]int
	active map[string]int
	faults []string
}

func newLedger() *ledger { return &ledger{byKey: map[string][]int{}, active: map[string]int{}} }

// enter and leave bracket a handler's attempt: two of a key at once are a fault.
func (l *ledger) enter(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active[key]++; l.active[key] > 1 {
		l.faults = append(l.faults, fmt.Sprintf("two events of key %s at once", key))
	}
}

func (l *ledger) leave(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active[key]--
}

func (l *ledger) add(key string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byKey[key] = append(l.byKey[key], n)
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, list := range l.byKey {
		n += len(list)
	}
	return n
}

// await waits for n effects.
func (l *ledger) await(t testing.TB, n int) {
	t.Helper()
	leattest.Within(t, patience, fmt.Sprintf("%d effects", n), func() error {
		if got := l.len(); got < n {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
}

// inOrder checks that each key has 0..n-1 once, in order.
func (l *ledger) inOrder(t *testing.T, keys, n int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		t.Error(f)
	}
	if len(l.byKey) != keys {
		t.Errorf("%d keys, want %d", len(l.byKey), keys)
	}
	for key, list := range l.byKey {
		if len(list) != n {
			t.Errorf("key %s: %d effects, want %d", key, len(list), n)
			continue
		}
		for i, got := range list {
			if got != i {
				t.Errorf("key %s: effect %d is %d", key, i, got)
				break
			}
		}
	}
}

// placed is n events of each of keys keys, interleaved.
func placed(keys, n int) []any {
	var events []any
	for i := range n {
		for k := range keys {
			events = append(events, Placed{Key: fmt.Sprintf("k%d", k), N: i})
		}
	}
	return events
}

// committedSum is the sum of the group's offsets.
func (r *rig) committedSum() (sum int64) {
	r.t.Helper()
	for _, at := range r.b.Committed(r.t, r.group, r.topic.Name) {
		sum += at
	}
	return sum
}

// nameSet is a set of names.
type nameSet struct {
	mu    sync.Mutex
	names map[string]bool
}

func (s *nameSet) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]bool{}
	}
	s.names[name] = true
}

func (s *nameSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names)
}

// stream writes single events to chosen partitions.
type stream struct {
	r  *rig
	cl *kgo.Client

	mu    sync.Mutex
	acked []time.Time
}

func (r *rig) stream() *stream {
	r.t.Helper()
	return &stream{r: r, cl: r.b.Client(r.t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))}
}

func (s *stream) write(partition int32, key string, n int) {
	rec := s.r.records(Placed{Key: key, N: n})[0]
	rec.Partition = partition
	s.cl.Produce(context.Background(), rec, func(_ *kgo.Record, err error) {
		if err != nil {
			s.r.t.Errorf("write: %v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.acked = append(s.acked, time.Now())
	})
}

// stood is how long machine and broker have stood still since then, as far as the writer knows.
func (s *stream) stood(from time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return longestGap(s.acked, from)
}

func (s *stream) stop() { _ = s.cl.Flush(context.Background()) }

// gate holds handlers back until it is opened, at the latest when the test ends.
type gate struct {
	opened chan struct{}
	open   func()
}

func newGate(t testing.TB) *gate {
	ch := make(chan struct{})
	g := &gate{ch, sync.OnceFunc(func() { close(ch) })}
	t.Cleanup(g.open)
	return g
}

func (g *gate) wait() { <-g.opened }
