package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// writersCase is what the outbox costs those who write: transactions of one business row, by 16 at a
// time, without an event and with one.
func writersCase() benchCase {
	c := benchCase{records: 50_000, contenders: []string{"row", "row+event"}, ownBroker: true, work: map[string]func(context.Context, options) (int, error){"row": writeRows, "row+event": writeEvents}}
	c.measure = func(ctx context.Context, o options, contender string, _ int) (figures, error) {
		o.topic = "bench.writers"
		if err := os.Setenv(schemaEnv, fmt.Sprintf("bench_%x", rand.Uint32())); err != nil {
			return figures{}, err
		}
		return withServers(o, func() (figures, error) { return spawn(ctx, o, contender) })
	}
	return c
}

func writeRows(ctx context.Context, o options) (int, error) {
	return write(ctx, o, func(context.Context, *outbox.Tx, order) error { return nil })
}

func writeEvents(ctx context.Context, o options) (int, error) {
	return write(ctx, o, func(ctx context.Context, tx *outbox.Tx, ev order) error { return tx.Publish(ctx, ev) })
}

func write(ctx context.Context, o options, publish func(ctx context.Context, tx *outbox.Tx, ev order) error) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	url, err := env("LEAT_TEST_POSTGRES")
	if err != nil {
		return 0, err
	}
	db, err := sqldb.Open(ctx, sqldb.Config{URL: url, Schema: os.Getenv(schemaEnv), MaxConns: 16})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	box, err := outbox.New(outbox.Config{DB: db, Source: "bench", Owns: []leat.Topic{{Name: o.topic, Carries: []any{order{}}}}})
	if err == nil {
		err = box.Migrate(ctx)
	}
	if err == nil {
		err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `create table placed (id bigint generated always as identity primary key, order_id text not null, customer text not null, cents bigint not null)`)
			return err
		})
	}
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(o.records) && failed.Load() == nil; i = next.Add(1) {
				ev := orderAt(int(i))
				err := box.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
					if _, err := tx.Exec(ctx, `insert into placed (order_id, customer, cents) values ($1, $2, $3)`, ev.OrderID, ev.CustomerID, ev.Total); err != nil {
						return err
					}
					return publish(ctx, tx, ev)
				})
				if err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return o.records, nil
}
