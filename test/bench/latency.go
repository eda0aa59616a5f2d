package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

const (
	latencyRate  = 500                  // events a second
	latencyPause = 5 * time.Millisecond // between two transactions, of every contender
	warmSeconds  = 2                    // that are not counted
)

// latencyCase is the time from a commit to a read_committed consumer at 500 events a second: of the
// bare client, for which an event counts as committed when it is there to be sent, in whatever phase
// of a transaction it finds the client (it tells the time from its call of Produce too); and of the
// relay, that of the process which writes, one of another process, and one beside a writer that holds a
// transaction with an event open for 1 s of every 1.5 s.
func latencyCase() benchCase {
	c := benchCase{records: 15 * latencyRate, contenders: []string{"kgo-tx", "leat", "leat-apart", "leat-held"}, ownBroker: true, work: map[string]func(context.Context, options) (int, error){}}
	c.work["kgo-tx"] = latencyRaw
	for _, name := range c.contenders[1:] {
		c.work[name] = func(ctx context.Context, o options) (int, error) { return latencyLeat(ctx, o, name) }
	}
	c.measure = func(ctx context.Context, o options, contender string, _ int) (figures, error) {
		brokers, _, err := servers()
		if err != nil {
			return figures{}, err
		}
		o.brokers, o.topic = brokers, fmt.Sprintf("bench.latency.%x", rand.Uint32())
		if err := errors.Join(freshTopic(ctx, o), os.Setenv(schemaEnv, fmt.Sprintf("bench_%x", rand.Uint32()))); err != nil {
			return figures{}, err
		}
		return withServers(o, func() (figures, error) { return spawn(ctx, o, contender) })
	}
	return c
}

// watch notes when events are committed and takes the time until a consumer has them.
type watch struct {
	committed []atomic.Int64 // by number, in nanoseconds since 1970; 0: not yet
	produced  []atomic.Int64 // of the bare client: when it called Produce
	took      []time.Duration
	sending   []time.Duration // from produced on
	cl        *kgo.Client
}

func newWatch(o options) (*watch, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.ConsumeTopics(o.topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	return &watch{committed: make([]atomic.Int64, o.records), produced: make([]atomic.Int64, o.records), cl: cl}, err
}

func (w *watch) key(n int) string { return "n" + strconv.Itoa(n) }

// consume reads until all have come. An event may come before its writer knows of the commit.
func (w *watch) consume(ctx context.Context, o options) error {
	defer w.cl.Close()
	arrived := make([]int64, o.records)
	for left := o.records; left > 0; {
		fs := w.cl.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			return fmt.Errorf("%d of %d events did not come: %w", left, o.records, err)
		}
		now := time.Now().UnixNano()
		var failed error
		fs.EachRecord(func(r *kgo.Record) {
			n, err := strconv.Atoi(strings.TrimPrefix(string(r.Key), "n"))
			if err != nil || arrived[n] != 0 {
				failed = fmt.Errorf("event %q came twice or is none", r.Key)
				return
			}
			arrived[n] = now
			left--
		})
		if failed != nil {
			return failed
		}
	}
	time.Sleep(100 * time.Millisecond) // the last writer's note
	for n := warmSeconds * latencyRate; n < o.records; n++ {
		w.took = append(w.took, max(0, time.Duration(arrived[n]-w.committed[n].Load())))
		if at := w.produced[n].Load(); at != 0 {
			w.sending = append(w.sending, time.Duration(arrived[n]-at))
		}
	}
	return nil
}

// latencies are what the contender of this process has measured.
var latencies []time.Duration

// percentiles are in milliseconds.
func percentiles(all []time.Duration) map[string]float64 {
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	p := map[string]float64{}
	for _, n := range []int{50, 90, 99} {
		p["p"+strconv.Itoa(n)] = float64(all[len(all)*n/100].Microseconds()) / 1000
	}
	return p
}

// measure lets send send the events, each by its number at its time, and waits for all of them.
func (w *watch) measure(ctx context.Context, o options, send func(ctx context.Context, due <-chan int) error) (int, error) {
	due := make(chan int, o.records)
	var all sync.WaitGroup
	var failed, late error
	all.Go(func() { failed = send(ctx, due) })
	all.Go(func() { late = w.consume(ctx, o) })
	start := time.Now()
	for n := range o.records {
		time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / latencyRate)))
		w.committed[n].Store(time.Now().UnixNano()) // a writer to the outbox says later
		due <- n
	}
	close(due)
	all.Wait()
	latencies = w.took
	told = percentiles(w.sending)
	return o.records, errors.Join(failed, late)
}

// latencyRaw sends in one transaction what has come since the last one, and then pauses.
func latencyRaw(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	w, err := newWatch(o)
	if err != nil {
		return 0, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.TransactionalID(o.topic), kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(0))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	return w.measure(ctx, o, func(ctx context.Context, due <-chan int) error {
		data := make([]byte, 300)
		for open := true; open; {
			n, more := <-due
			if !more {
				return nil
			}
			if err := cl.BeginTransaction(); err != nil {
				return err
			}
			var failed atomic.Pointer[error]
			for some := true; some; {
				w.produced[n].Store(time.Now().UnixNano())
				cl.Produce(ctx, &kgo.Record{Topic: o.topic, Key: []byte(w.key(n)), Value: data}, func(_ *kgo.Record, err error) {
					if err != nil {
						failed.Store(&err)
					}
				})
				select {
				case n, open = <-due:
					some = open
				default:
					some = false
				}
			}
			if err := errors.Join(cl.Flush(ctx), cl.EndTransaction(ctx, kgo.TryCommit)); err != nil {
				return err
			}
			if err := failed.Load(); err != nil {
				return *err
			}
			time.Sleep(latencyPause)
		}
		return nil
	})
}

const latencyWriters = 8

// latencyLeat writes to the outbox and relays it.
func latencyLeat(ctx context.Context, o options, contender string) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	url, err := env("LEAT_TEST_POSTGRES")
	if err != nil {
		return 0, err
	}
	db, box, err := benchBox(ctx, o, url)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	w, err := newWatch(o)
	if err != nil {
		return 0, err
	}
	writing := box
	if contender == "leat-apart" { // its commits wake nobody
		other, another, err := benchBox(ctx, o, url)
		if err != nil {
			return 0, err
		}
		defer other.Close()
		writing = another
	}
	relay, err := outbox.NewRelay(outbox.RelayConfig{Box: box, Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")}, PositionTopic: o.topic + ".position", Pause: latencyPause})
	if err != nil {
		return 0, err
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	ended := make(chan error, 1)
	beside.Go(func() { ended <- relay.Run(run) })
	if contender == "leat-held" {
		beside.Go(func() { hold(run, db) })
	}
	n, err := w.measure(ctx, o, func(ctx context.Context, due <-chan int) error {
		var writers sync.WaitGroup
		var failed atomic.Pointer[error]
		for range latencyWriters {
			writers.Go(func() {
				for n := range due {
					ev := orderAt(n)
					ev.OrderID = w.key(n)
					err := writing.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, ev) })
					if err != nil {
						failed.Store(&err)
					}
					w.committed[n].Store(time.Now().UnixNano())
				}
			})
		}
		writers.Wait()
		if err := failed.Load(); err != nil {
			return *err
		}
		return nil
	})
	stop()
	return n, errors.Join(err, <-ended)
}

// hold is a writer that draws an id for an event, keeps its transaction open for a second, and rolls
// back.
func hold(ctx context.Context, db *sqldb.DB) {
	for ctx.Err() == nil {
		_ = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `insert into leat_outbox (at, topic, event_id, event_type, attributes) values (0, 'none', 'none', 'none', '\x01')`)
			time.Sleep(time.Second)
			return errors.Join(err, errors.New("rolled back on purpose"))
		})
		time.Sleep(500 * time.Millisecond)
	}
}
