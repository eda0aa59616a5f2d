package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

const schemaEnv = "LEAT_BENCH_SCHEMA"

const retaining = "leat-retain" // the contender in mode retain

// relayCase empties a full outbox on PostgreSQL into a real Kafka, with rows that go and with rows that
// stay; the raw client writes the same records in transactions of the same size, with no database.
func relayCase() benchCase {
	c := benchCase{records: 200_000, contenders: []string{"kgo-tx", "leat", retaining}, ownBroker: true, work: map[string]func(context.Context, options) (int, error){"kgo-tx": relayRaw, "leat": relayLeat, retaining: relayLeat}}
	c.measure = func(ctx context.Context, o options, contender string, _ int) (figures, error) {
		brokers, url, err := servers()
		if err != nil {
			return figures{}, err
		}
		o.brokers, o.topic = brokers, fmt.Sprintf("bench.relay.%x", rand.Uint32())
		if err := freshTopic(ctx, o); err != nil {
			return figures{}, err
		}
		if o.contender = contender; contender != "kgo-tx" {
			schema := fmt.Sprintf("bench_%x", rand.Uint32())
			if err := os.Setenv(schemaEnv, schema); err != nil {
				return figures{}, err
			}
			if err := fillOutbox(ctx, o, url); err != nil {
				return figures{}, fmt.Errorf("fill the outbox: %w", err)
			}
		}
		return withServers(o, func() (figures, error) { return spawn(ctx, o, contender) })
	}
	return c
}

// withServers adds what the servers used meanwhile.
func withServers(o options, measure func() (figures, error)) (figures, error) {
	before, err := serverCPU()
	if err != nil {
		return figures{}, err
	}
	f, err := measure()
	if err != nil {
		return figures{}, err
	}
	after, err := serverCPU()
	f.Servers = map[string]float64{}
	for name, used := range after {
		if used -= before[name]; used > 0 {
			f.Servers[name] = used / float64(o.records) * 1e6
		}
	}
	return f, err
}

func benchBox(ctx context.Context, o options, url string) (*sqldb.DB, *outbox.Box, error) {
	db, err := sqldb.Open(ctx, sqldb.Config{URL: url, Schema: os.Getenv(schemaEnv)})
	if err != nil {
		return nil, nil, err
	}
	cfg := outbox.Config{DB: db, Source: "bench", Owns: []leat.Topic{{Name: o.topic, Carries: []any{order{}}}}}
	if o.contender == retaining {
		cfg.Mode = outbox.ModeRetain
	}
	box, err := outbox.New(cfg)
	if err == nil {
		err = box.Migrate(ctx)
	}
	return db, box, err
}

func fillOutbox(ctx context.Context, o options, url string) error {
	db, box, err := benchBox(ctx, o, url)
	if err != nil {
		return err
	}
	defer db.Close()
	const perTx = 1000
	for i := 0; i < o.records; i += perTx {
		err := box.Tx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			for j := i; j < min(i+perTx, o.records); j++ {
				if err := tx.Publish(ctx, orderAt(j)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func relayRaw(ctx context.Context, o options) (int, error) {
	ctx, cancel := deadline(ctx)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.TransactionalID(o.topic), kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var failed error
	for i := 0; i < o.records; {
		if err := cl.BeginTransaction(); err != nil {
			return i, err
		}
		for end := min(i+5000, o.records); i < end; i++ {
			ev := orderAt(i)
			data, err := json.Marshal(ev)
			if err != nil {
				return i, err
			}
			cl.Produce(ctx, &kgo.Record{Topic: o.topic, Key: []byte(ev.OrderID), Value: data}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed = err // promises are called one after the other
				}
			})
		}
		if err := errors.Join(cl.Flush(ctx), cl.EndTransaction(ctx, kgo.TryCommit)); err != nil {
			return i, err
		}
	}
	return o.records, failed
}

func relayLeat(ctx context.Context, o options) (int, error) {
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
	relay, err := outbox.NewRelay(outbox.RelayConfig{Box: box, Kafka: kafka.Config{Brokers: strings.Split(o.brokers, ",")}, PositionTopic: o.topic + ".position"})
	if err != nil {
		return 0, err
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- relay.Run(run) }() // ends with stop, awaited below
	// From above: dead rows, which are many below, need not be stepped over.
	rest := `select count(*) from (select 1 from leat_outbox order by id desc limit 1) as left_over`
	if o.contender == retaining {
		rest = `select count(*) from (select id from leat_outbox_kept order by id desc limit 1) as last where id > (select upto from leat_outbox_cursor)`
	}
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case err := <-ended:
			return 0, fmt.Errorf("the relay ended: %w", err)
		case <-tick.C:
		}
		left := int64(-1)
		err := db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, rest).Scan(&left)
		})
		if err != nil {
			return 0, err
		}
		if left == 0 {
			break
		}
	}
	stop()
	return o.records, <-ended
}
