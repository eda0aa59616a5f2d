package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// embeddedRole is a whole system in one process: writers, relay, embedded broker, and a consumer
// that reads everything from the start and takes effect in a database of its own.
func embeddedRole(ctx context.Context, as role) error {
	cluster, err := kfake.NewCluster(append(embeddedOptions(as.Dir), kfake.SeedTopics(3, as.Topic))...)
	if err != nil {
		return err
	}
	topic := leat.Topic{Name: as.Topic, Carries: []any{moved{}}}
	cfg := kafka.Config{Brokers: cluster.ListenAddrs(), Logger: quiet()}
	from, err := embeddedBox(ctx, as.Database, "writer", topic)
	if err != nil {
		return err
	}
	to, err := embeddedBox(ctx, as.Database+".consumer", "reader")
	if err != nil {
		return err
	}
	relay, err := outbox.NewRelay(outbox.RelayConfig{Box: from, Kafka: cfg, Logger: quiet(), LeaseTTL: 300 * time.Millisecond})
	if err != nil {
		return err
	}
	faults := make(chan error, 3)
	var parts sync.WaitGroup
	parts.Go(func() { faults <- relay.Run(ctx) })
	parts.Go(func() { faults <- effects(ctx, cfg, to, topic) })
	parts.Go(func() {
		ws := &writers{box: from, aggregates: 50, tolerant: true}
		faults <- errors.Join(ws.run(ctx, 4, int64(as.Events), uint64(as.Seed)), idle(ctx))
	})
	fmt.Println("up")
	return <-faults
}

func idle(ctx context.Context) error { <-ctx.Done(); return nil }

func embeddedOptions(dir string) []kfake.Opt {
	return []kfake.Opt{
		kfake.DataDir(filepath.Join(dir, "kafka")), kfake.NumBrokers(1), kfake.ClusterID(kafka.EmbeddedPrefix + "test"),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1", "log.retention.bytes": "-1"}),
	}
}

func embeddedBox(ctx context.Context, url, name string, owns ...leat.Topic) (*outbox.Box, error) {
	db, err := sqldb.Open(ctx, sqldb.Config{URL: url, Synchronous: sqldb.Normal, Logger: quiet()})
	if err != nil {
		return nil, err
	}
	box, err := outbox.New(outbox.Config{DB: db, Source: name, Owns: owns, Logger: quiet()})
	if err != nil {
		return nil, err
	}
	return box, box.Migrate(ctx)
}

// effects handles every record from the start on, each time it is called: what was handled before
// must be passed over.
func effects(ctx context.Context, cfg kafka.Config, box *outbox.Box, topic leat.Topic) error {
	bound, err := box.Bind(outbox.Once(topic, takeEffect))
	if err != nil {
		return err
	}
	cl, err := cfg.NewClient(kgo.ConsumeTopics(topic.Name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		var failed error
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			wire, err := kafka.WireOf(r)
			if err == nil {
				err = bound[0].Handle(ctx, leat.NewEnvelope(wire, &bound[0].Kind, nil, 1))
			}
			failed = errors.Join(failed, err)
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// takeEffect fails where an event has come in the wrong order.
func takeEffect(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
	n, err := tx.Exec(ctx, `update effect set version = version + 1 where key = $1 and version = $2`, e.Data.Key, e.Data.N-1)
	if err == nil && n != 1 {
		err = fmt.Errorf("%s: version %d comes out of order (%v)", e.Data.Key, e.Data.N, e.Position())
	}
	return err
}

// TestEmbeddedLosesAndDoublesNothingAcrossKills kills the whole system over and over, the embedded
// broker with it. Every event must have taken effect once and in order, and a fresh read_committed
// reader from the start must find every one: repeats it may find, which the inbox passes over.
func TestEmbeddedLosesAndDoublesNothingAcrossKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	dir := t.TempDir()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	as := role{Kind: "embedded", Database: "sqlite:" + filepath.Join(dir, "writer.db"), Dir: dir, Topic: "things", Seed: seed, Events: 1 << 40}
	db, reader := openDB(t, &sql.Database{URL: as.Database}), openDB(t, &sql.Database{URL: as.Database + ".consumer"})
	if err := (&writers{aggregates: 50}).prepare(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	err := reader.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		if _, err := tx.Exec(ctx, `create table effect (key text primary key, version integer not null)`); err != nil {
			return err
		}
		for k := range 50 {
			if _, err := tx.Exec(ctx, `insert into effect (key, version) values ($1, 0)`, fmt.Sprint("k", k)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	for kills := 0; kills < 10 || truth(t, db) < 1000 && kills < 100; kills++ {
		as.Seed++
		p := start(t, as)
		if _, up := <-p.lines; !up {
			t.Fatal("the system ended by itself")
		}
		select {
		case <-time.After(time.Duration(500+random.IntN(1000)) * time.Millisecond):
			p.kill()
		case <-p.lines: // closed: it failed
			t.Fatal("the system ended by itself")
		}
	}
	as.Events = 0 // no more writing
	last := start(t, as)
	want := truth(t, db)
	leattest.Within(t, 5*time.Minute, "every event has taken effect", func() error {
		var got int
		err := reader.View(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, `select sum(version) from effect`).Scan(&got)
		})
		if err == nil && got != want {
			err = fmt.Errorf("%d of %d have", got, want)
		}
		return err
	})
	last.kill()
	freshReader(t, as, want)
}

// freshReader reads the broker's log once more from its directory.
func freshReader(t *testing.T, as role, want int) {
	t.Helper()
	cluster, err := kfake.NewCluster(embeddedOptions(as.Dir)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	version, repeats, total := map[string]int{}, 0, 0
	for _, r := range broker.At(cluster.ListenAddrs()...).ReadAll(t, as.Topic, kgo.ReadCommitted()) {
		var e moved
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.N <= version[e.Key]:
			repeats++
		case e.N == version[e.Key]+1:
			version[e.Key]++
			total++
		default:
			t.Fatalf("%s: version %d comes after %d", e.Key, e.N, version[e.Key])
		}
	}
	t.Logf("%d events, %d repeats", total, repeats)
	if total != want || want < 1000 {
		t.Errorf("%d events in the log, want %d, and more than 1000", total, want)
	}
}
