package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/sqldb"
)

const (
	onceBatch    = 500
	onceParallel = 4 // transactions at once, of those that take batches
	oneByOne     = 20
)

// onceCase is what it costs that orders on Kafka take effect once in PostgreSQL: a row each, in batches
// of 500 with the inbox; the same rows by a bare group with nothing that knows a repeat; and one event
// per transaction, which takes a twentieth of the events.
func onceCase() benchCase {
	c := benchCase{
		records: 100_000, contenders: []string{"kgo+rows", "leat", "leat-one"}, ownBroker: true,
		work: map[string]func(context.Context, options) (int, error){"kgo+rows": onceBare, "leat": onceInBatches, "leat-one": onceOneByOne},
	}
	c.measure = func(ctx context.Context, o options, contender string, _ int) (figures, error) {
		brokers, _, err := servers()
		if err != nil {
			return figures{}, err
		}
		o.brokers, o.topic = brokers, "bench.once"
		if err := errors.Join(fillTyped(ctx, o), os.Setenv(schemaEnv, fmt.Sprintf("bench_%x", mrand.Uint32()))); err != nil {
			return figures{}, err
		}
		if contender == "leat-one" {
			o.records /= oneByOne
		}
		return withServers(o, func() (figures, error) { return spawn(ctx, o, contender) })
	}
	return c
}

// sinceFirst makes a function that is called after each batch, and tells the time from the first to the
// last: without the start of client, group and tables, which are the same for all.
func sinceFirst() func() {
	var mu sync.Mutex
	var first time.Time
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if first.IsZero() {
			first = time.Now()
		}
		spanOf(first)
	}
}

const insertEffects = `insert into effect (order_id, cents) select * from unnest($1::text[], $2::bigint[])`

// insert writes the orders' rows by one statement.
func insert(ctx context.Context, exec func(context.Context, string, ...any) (int64, error), ids []string, cents []int64) error {
	n, err := exec(ctx, insertEffects, ids, cents)
	if err == nil && n != int64(len(ids)) {
		err = fmt.Errorf("wrote %d rows of %d", n, len(ids))
	}
	return err
}

func onceBox(ctx context.Context, o options) (*sqldb.DB, *outbox.Box, error) {
	url, err := env("LEAT_TEST_POSTGRES")
	if err != nil {
		return nil, nil, err
	}
	db, err := sqldb.Open(ctx, sqldb.Config{URL: url, Schema: os.Getenv(schemaEnv), MaxConns: 16})
	if err != nil {
		return nil, nil, err
	}
	box, err := outbox.New(outbox.Config{DB: db, Source: "bench", Group: fmt.Sprintf("once-%x", mrand.Uint64()), Owns: []leat.Topic{{Name: o.topic, Carries: []any{order{}}}}})
	if err == nil {
		err = box.Migrate(ctx)
	}
	if err == nil {
		err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `create table effect (id bigint generated always as identity primary key, order_id text not null, cents bigint not null)`)
			return err
		})
	}
	return db, box, err
}

// onceBare reads, decodes and inserts, as many transactions at once as leat has.
func onceBare(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	db, _, err := onceBox(ctx, o)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.ConsumeTopics(o.topic), kgo.ConsumerGroup(fmt.Sprintf("raw-%x", mrand.Uint64())),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.AutoCommitMarks(),
	)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	mark := sinceFirst()
	room := make(chan struct{}, onceParallel)
	n := 0
	for n < o.records && failed.Load() == nil {
		fs := cl.PollRecords(ctx, onceBatch)
		if err := fs.Err0(); err != nil {
			return n, err
		}
		records := fs.Records()
		n += len(records)
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if err := insertRecords(ctx, db, records); err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
			cl.MarkCommitRecords(records...)
			mark()
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return n, *err
	}
	return n, cl.CommitMarkedOffsets(ctx)
}

func insertRecords(ctx context.Context, db *sqldb.DB, records []*kgo.Record) error {
	ids, cents := make([]string, len(records)), make([]int64, len(records))
	for i, r := range records {
		var v order
		if err := schema.JSON.Decode(r.Value, &orderKind, &v); err != nil {
			return err
		}
		ids[i], cents[i] = v.OrderID, v.Total
	}
	return db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx.Exec, ids, cents) })
}

func onceInBatches(ctx context.Context, o options) (int, error) {
	return onceLeat(ctx, o, func(topic leat.Topic, done func(int)) leat.Handler {
		return outbox.OnceBatch(topic, func(ctx context.Context, tx *outbox.Tx, events []*leat.Event[order]) error {
			ids, cents := make([]string, len(events)), make([]int64, len(events))
			for i, e := range events {
				ids[i], cents[i] = e.Data.OrderID, e.Data.Total
			}
			if err := insert(ctx, tx.Exec, ids, cents); err != nil {
				return err
			}
			done(len(events))
			return nil
		}, consumer.Parallel(onceParallel))
	})
}

func onceOneByOne(ctx context.Context, o options) (int, error) {
	return onceLeat(ctx, o, func(topic leat.Topic, done func(int)) leat.Handler {
		return outbox.Once(topic, func(ctx context.Context, tx *outbox.Tx, e *leat.Event[order]) error {
			if err := insert(ctx, tx.Exec, []string{e.Data.OrderID}, []int64{e.Data.Total}); err != nil {
				return err
			}
			done(1)
			return nil
		})
	})
}

// onceLeat runs until as many events as asked for have taken effect; then what is in hand is finished too.
func onceLeat(ctx context.Context, o options, handler func(leat.Topic, func(int)) leat.Handler) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	db, box, err := onceBox(ctx, o)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var n atomic.Int64
	mark := sinceFirst()
	handlers, err := box.Bind(handler(leat.Topic{Name: o.topic, Carries: []any{order{}}}, func(events int) {
		mark()
		if n.Add(int64(events)) >= int64(o.records) {
			stop(errors.New("all took effect"))
		}
	}))
	if err != nil {
		return 0, err
	}
	c, err := consumer.New(consumer.Config{
		Group: fmt.Sprintf("leat-%x", mrand.Uint64()), Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")},
		Handlers: handlers, Codec: schema.JSON, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	err = c.Run(ctx)
	return min(int(n.Load()), o.records), err
}
