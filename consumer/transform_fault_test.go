package consumer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// saboteur spoils requests that transactions are made of: some never arrive, some answers get lost,
// some are late, some are refused.
type saboteur struct {
	mu    sync.Mutex
	r     *rand.Rand
	share float64
	hits  map[string]int
	at    atomic.Bool // at work
}

var spoiled = map[kmsg.Key]string{
	kmsg.Produce: "Produce", kmsg.EndTxn: "EndTxn", kmsg.TxnOffsetCommit: "TxnOffsetCommit",
	kmsg.AddPartitionsToTxn: "AddPartitions", kmsg.InitProducerID: "InitProducerID", kmsg.OffsetCommit: "OffsetCommit",
}

// choose decides what becomes of a request of a kind.
func (s *saboteur) choose(key kmsg.Key, acts ...string) string {
	name, ours := spoiled[key]
	if !ours || !s.at.Load() {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	share := s.share
	if key == kmsg.Produce {
		share /= 4 // there are more of them
	}
	if s.r.Float64() >= share {
		return ""
	}
	act := acts[s.r.IntN(len(acts))]
	s.hits[name+" "+act]++
	return act
}

func (s *saboteur) intn(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

// dial is the way to a broker through the saboteur.
func (s *saboteur) dial(inner func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := inner(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &spoiledConn{Conn: conn, s: s}, nil
	}
}

type spoiledConn struct {
	net.Conn
	s      *saboteur
	losing atomic.Bool
}

var errSpoiled = errors.New("the connection was spoiled")

// Write sees whole requests: size, then the API key.
func (c *spoiledConn) Write(p []byte) (int, error) {
	if len(p) >= 6 {
		switch c.s.choose(kmsg.Key(binary.BigEndian.Uint16(p[4:])), "lost", "unanswered", "late") {
		case "lost":
			_ = c.Close()
			return 0, errSpoiled
		case "unanswered":
			c.losing.Store(true)
		case "late":
			time.Sleep(time.Duration(c.s.intn(7000)) * time.Millisecond)
		}
	}
	return c.Conn.Write(p)
}

// Read lets the broker answer, and loses the answer.
func (c *spoiledConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.losing.Load() {
		_ = c.Close()
		return 0, errSpoiled
	}
	return n, err
}

// refuse makes the brokers of a bubble refuse some requests.
func (s *saboteur) refuse(r *rig) {
	r.b.Cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.b.Cluster.KeepControl()
		if s.choose(kmsg.EndTxn, "refused") == "" {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = s.code(kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.UnknownServerError,
			kerr.TransactionAbortable, kerr.UnknownProducerID, kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState)
		return resp, nil, true
	})
	r.b.Cluster.ControlKey(int16(kmsg.TxnOffsetCommit), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		r.b.Cluster.KeepControl()
		if s.choose(kmsg.TxnOffsetCommit, "refused") == "" {
			return nil, nil, false
		}
		req, resp := kreq.(*kmsg.TxnOffsetCommitRequest), kreq.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		code := s.code(kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.UnknownServerError,
			kerr.TransactionAbortable, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.InvalidProducerEpoch)
		for _, t := range req.Topics {
			of := kmsg.NewTxnOffsetCommitResponseTopic()
			of.Topic = t.Topic
			for _, p := range t.Partitions {
				one := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				one.Partition, one.ErrorCode = p.Partition, code
				of.Partitions = append(of.Partitions, one)
			}
			resp.Topics = append(resp.Topics, of)
		}
		return resp, nil, true
	})
}

func (s *saboteur) code(errs ...*kerr.Error) int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errs[s.r.IntN(len(errs))].Code
}

// trouble is a run of a group of transforms under a saboteur, whose members come, stop, and die.
type trouble struct {
	*rig
	s       *saboteur
	parked  bool // what fails is parked
	members []*member
	links   []*link
}

func (x *trouble) join() {
	l := newLink(x.b)
	options := []leat.HandlerOption{consumer.WithRetry(leat.Retry{Attempts: 3, Base: 50 * time.Millisecond, Max: time.Second}), consumer.Parallel(8)}
	if x.parked {
		options = append(options, onceInline, consumer.Park(leat.Parking{Tiers: []time.Duration{time.Second, 2 * time.Second, time.Second}}))
	}
	cfg := x.transforming(x.shaky(), options...)
	cfg.Transforms.MaxEvents = 20
	cfg.Kafka.Dial = x.s.dial(l.dial)
	x.members, x.links = append(x.members, x.start(cfg)), append(x.links, l)
}

// shaky takes its time, and fails for the time being or, for one event of each key, for good.
func (x *trouble) shaky() func(context.Context, *leat.Event[Placed]) ([]Billed, error) {
	return func(ctx context.Context, e *leat.Event[Placed]) ([]Billed, error) {
		x.s.mu.Lock()
		wait, fails := time.Duration(x.s.r.IntN(30))*time.Millisecond, x.s.r.IntN(20)
		x.s.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		switch {
		case e.Data.N == 7:
			return nil, leat.Permanent(errors.New("never"))
		case fails == 0 && e.Attempt() < 3:
			return nil, errors.New("not now")
		case fails == 1 && e.Attempt() < 3:
			return nil, leat.RetryAfter(errors.New("later"), 2*time.Second)
		case fails == 2:
			return nil, leat.Unavailable(errors.New("away"))
		}
		return bill(ctx, e)
	}
}

// act changes the group once.
func (x *trouble) act() {
	switch n := x.s.intn(4); {
	case n == 0 && len(x.members) < 4:
		x.join()
	case n == 1 && len(x.members) > 1:
		m := x.members[0]
		x.members, x.links = x.members[1:], x.links[1:]
		_ = m.stop() // a commit may fail on the way out
	case n == 2 && len(x.members) > 1:
		time.Sleep(15 * time.Second) // kfake keeps a member for ever that dies while it joins
		x.links[0].sever()
		x.members, x.links = x.members[1:], x.links[1:]
	default:
		x.b.Cluster.RehashCoordinators()
	}
}

// TestTransformsUnderFaultsLoseAndRepeatNothing is the promise: whatever happens to the requests of
// transactions and to the members, a read_committed reader sees each output and each dead letter once,
// those of a key in order.
func TestTransformsUnderFaultsLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	seeds := uint64(8) // each twice, with parking and without
	if testing.Short() {
		seeds = 3
	}
	var mu sync.Mutex
	hits := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for i := range 2 * seeds {
			seed, parked := i/2, i%2 == 1
			t.Run(fmt.Sprintf("seed=%d,parked=%t", seed, parked), func(t *testing.T) {
				t.Parallel()
				bubbleOf(t, 2, 4, func(t *testing.T, r *rig) {
					const keys, events = 12, 20
					t.Cleanup(func() { time.Sleep(time.Minute) }) // a request that the saboteur delays outlives its client
					s := &saboteur{r: rand.New(rand.NewPCG(seed, 9)), share: 0.08, hits: map[string]int{}}
					x := &trouble{rig: r, s: s, parked: parked}
					s.refuse(r)
					x.join()
					x.join()
					time.Sleep(10 * time.Second)
					s.at.Store(true)
					for i := range 8 {
						batch := placed(keys, events)[i*keys*events/8 : (i+1)*keys*events/8]
						s.at.Store(false) // the events themselves arrive
						r.send(batch...)
						s.at.Store(true)
						time.Sleep(time.Duration(s.intn(5000)) * time.Millisecond)
						x.act()
					}
					s.at.Store(false)
					r.awaitCommittedIn(keys*events, 10*time.Minute)
					r.awaitNothingOpen()
					r.awaitBilled(keys*(events-1), keys)
					r.billedOnce(keys, events, 7)
					if letters := r.deadLetters(); len(letters) != keys {
						t.Errorf("%d dead letters, want %d", len(letters), keys)
					}
					mu.Lock()
					defer mu.Unlock()
					for act, n := range s.hits {
						hits[act] += n
					}
				})
			})
		}
	})
	t.Log("faults:", hits)
	for _, must := range []string{"EndTxn lost", "EndTxn unanswered", "EndTxn refused", "TxnOffsetCommit refused", "Produce unanswered"} {
		if hits[must] == 0 && !testing.Short() {
			t.Errorf("no run had %q: the test shows nothing of it", must)
		}
	}
}

// awaitBilled waits until there are n outputs and so many dead letters: what is parked comes after the
// group's offsets, and what is committed can be read in one topic before it can be in another.
func (r *rig) awaitBilled(n, dead int) {
	r.t.Helper()
	leattest.Within(r.t, 2*time.Minute, "all outputs", func() error {
		got := len(r.b.ReadAll(r.t, r.bills().Name, kgo.ReadCommitted()))
		if letters := len(r.deadLetters()); got < n || letters < dead {
			return fmt.Errorf("%d outputs, want %d; %d dead letters, want %d", got, n, letters, dead)
		}
		return nil
	})
}

// awaitNothingOpen waits until no open transaction holds back the readers of outputs and dead letters: what
// a dead member had open ends by its timeout, and a broker says that one is committed before its readers see it.
func (r *rig) awaitNothingOpen() {
	r.t.Helper()
	adm := kadm.NewClient(r.b.Client(r.t))
	letters := leat.DeadLetters(r.topic.Name, r.group)
	leattest.Eventually(r.t, "no transaction is open", func() error {
		ends, err := adm.ListEndOffsets(r.t.Context(), r.bills().Name, letters)
		if err != nil {
			return err
		}
		stable, err := adm.ListCommittedOffsets(r.t.Context(), r.bills().Name, letters)
		if err != nil {
			return err
		}
		for _, end := range ends.Offsets().Sorted() {
			if at, ok := stable.Lookup(end.Topic, end.Partition); !ok || at.Offset != end.At {
				return fmt.Errorf("%s/%d: stable to %d of %d", end.Topic, end.Partition, at.Offset, end.At)
			}
		}
		return nil
	})
}

// The process stops in the middle of a transaction for longer than its timeout, and another member has
// done its work by the time it wakes.
func TestAMemberThatSleptThroughItsTransactionRepeatsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		r.send(placed(10, 20)...)
		cfg := r.transforming(bill)
		var asleep atomic.Bool
		cfg.Hook = func(point string) {
			if point == "transform.ending" && asleep.CompareAndSwap(false, true) {
				time.Sleep(time.Minute)
			}
		}
		first := newLink(r.b)
		r.start(first.through(cfg))
		time.Sleep(5 * time.Second)
		first.sever() // its heartbeats stop, too
		cfg.Hook = nil
		r.start(cfg)
		time.Sleep(50 * time.Second)
		first.mend()
		r.awaitCommitted(200)
		time.Sleep(2 * time.Minute)
		if !asleep.Load() {
			t.Fatal("nobody slept")
		}
		r.billedOnce(10, 20)
	})
}

// The embedded broker's transactions do not outlive it, so nothing rests on them there: what was sent
// before the offsets could be committed is sent again, and known by its id.
func TestOnTheEmbeddedBrokerARepeatedOutputHasItsFirstID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, broker.Fake(t, broker.FakeConfig{Virtual: true, Opts: []kfake.Opt{kfake.ClusterID(kafka.EmbeddedPrefix + "test")}}), 2)
		r.send(placed(10, 10)...)
		l := newLink(r.b)
		cfg := l.through(r.transforming(bill))
		var cut atomic.Bool
		cfg.Hook = func(point string) {
			if point == "transform.produced" && cut.CompareAndSwap(false, true) {
				l.sever()
				time.AfterFunc(30*time.Second, l.mend)
			}
		}
		r.start(cfg)
		r.awaitCommittedIn(100, 5*time.Minute)
		ids := map[string]int{}
		for _, rec := range r.b.ReadAll(t, r.bills().Name, kgo.ReadUncommitted()) {
			for _, h := range rec.Headers {
				if h.Key == kafka.HeaderID {
					ids[string(h.Value)]++
				}
			}
		}
		repeats := 0
		for _, n := range ids {
			repeats += n - 1
		}
		if len(ids) != 100 || repeats == 0 {
			t.Errorf("%d ids and %d repeats of 100 events, want 100 and some", len(ids), repeats)
		}
	})
}

// Two processes have one InstanceID. The elder stops, and says why.
func TestAProcessWhoseInstanceIsTakenOverStopsAndSaysSo(t *testing.T) {
	t.Parallel()
	bubble(t, 2, func(t *testing.T, r *rig) {
		cfg := r.transforming(bill)
		cfg.InstanceID = "billing-0"
		elder := r.start(cfg)
		r.send(placed(5, 1)...)
		r.awaitCommitted(5)
		tx, err := kafka.OpenTransactor(t.Context(), r.kafka(), kafka.TransactorConfig{ID: consumer.TransactionalIDs(r.group) + "billing-0-transform"})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		ended := make(chan error, 1)
		go func() { ended <- elder.wait() }()
		r.send(placed(5, 1)...)
		select {
		case err = <-ended:
		case <-time.After(time.Minute):
			t.Fatal("the elder works on")
		}
		if !errors.Is(err, kafka.ErrFenced) {
			t.Errorf("ended with %v", err)
		}
		if n := len(r.b.ReadAll(t, r.bills().Name, kgo.ReadCommitted())); n != 5 {
			t.Errorf("%d outputs", n)
		}
	})
}
