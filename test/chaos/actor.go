package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/test/chaos/audit"
)

// tick is an event of the writers' own topics.
type tick struct {
	Number int64 `json:"number"`
	key    string
}

// EventType implements leat.Named.
func (tick) EventType() string { return "chaos.tick.written.v1" }

// EventKey implements leat.Keyed.
func (t tick) EventKey() string { return t.key }

// The writers' topics: one for events sent alone, one for transactions.
var (
	sentTopic = leat.Topic{Name: "chaos.sent", Carries: []any{tick{}}}
	txnTopic  = leat.Topic{Name: "chaos.transactions"}
)

const writerPartitions = 3

// tickType is the type that events of both topics have.
const tickType = "chaos.tick.written.v1"

// role is what a process of this program is told to be.
type role struct {
	Name    string
	Brokers []string
	Dir     string // of a writer: for its histories
	Listen  string // of a copier: for probes and metrics; "": it is a writer
}

const roleEnv = "LEAT_CHAOS_ROLE"

// actAsTold runs as a writer or a copier where the environment says so, until SIGTERM, and says whether
// it did.
func actAsTold() bool {
	text := os.Getenv(roleEnv)
	if text == "" {
		return false
	}
	var r role
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if r.Listen != "" {
			err = r.copy(ctx)
		} else {
			err = r.act(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	return true
}

// act writes with and without transactions until ctx ends.
func (r role) act(ctx context.Context) error {
	cfg := kafka.Config{Brokers: r.Brokers, ClientID: r.Name, Properties: map[string]string{"request.timeout.ms": "4000"}}
	var all sync.WaitGroup
	errs := make([]error, 2)
	for i, f := range []func(context.Context, kafka.Config, *audit.Log) error{r.send, r.transact} {
		name := r.Name + []string{"-sent", "-txn"}[i]
		log, err := audit.Create(filepath.Join(r.Dir, name+".ndjson"), name)
		if err != nil {
			return err
		}
		all.Go(func() { errs[i] = errors.Join(f(ctx, cfg, log), log.Close()) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// pause waits a moment, at most d, and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// persist calls f until it succeeds, for a minute: what is asked may be slow, or may not have it yet.
func persist(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := f(); err == nil || !pause(ctx, 200*time.Millisecond) {
			return err
		}
	}
}

func keyOf(n int) string { return fmt.Sprintf("key-%02d", n) }

// send writes events one by one, without waiting for each other.
func (r role) send(ctx context.Context, cfg kafka.Config, log *audit.Log) error {
	cluster, err := kafka.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer cluster.Close()
	producer, err := cluster.Producer(kafka.ProducerConfig{Source: r.Name + "-sent", Owns: []leat.Topic{sentTopic}})
	if err != nil {
		return err
	}
	defer producer.Close()
	for pause(ctx, 10*time.Millisecond+rand.N(20*time.Millisecond)) {
		id, key := leat.NewID(), keyOf(rand.IntN(20))
		rec := audit.Record{Topic: sentTopic.Name, Key: key, ID: r.Name + "-sent/" + id}
		n, err := log.Begin(audit.Line{Op: audit.Write, Records: []audit.Record{rec}})
		if err != nil {
			return err
		}
		event := leat.With(tick{Number: n, key: key}, func(m *leat.Message) { m.ID = id })
		err = producer.SendAsync(ctx, event, func(at leat.Position, err error) {
			if err != nil {
				_ = log.End(n, audit.Info, audit.Line{Op: audit.Write, Reason: err.Error()}) // without it nobody knows either
				return
			}
			rec.Partition, rec.Offset = at.Partition, at.Offset
			_ = log.End(n, audit.OK, audit.Line{Op: audit.Write, Records: []audit.Record{rec}})
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("send an event: %w", err)
		}
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	_ = producer.Flush(flush) // what is not acknowledged by then is of unknown end
	return nil
}

// transact writes transactions, and takes its id over anew after every error.
func (r role) transact(ctx context.Context, cfg kafka.Config, log *audit.Log) error {
	for ctx.Err() == nil {
		t, err := kafka.OpenTransactor(ctx, cfg, kafka.TransactorConfig{ID: "chaos-" + r.Name, Timeout: 6 * time.Second})
		if err != nil {
			pause(ctx, 200*time.Millisecond)
			continue
		}
		for ctx.Err() == nil && t.Err() == nil {
			if err := r.transaction(ctx, t, log); err != nil {
				t.Close()
				return err
			}
			pause(ctx, rand.N(10*time.Millisecond))
		}
		t.Close()
	}
	return nil
}

// transaction writes one, of some records on some partitions, and aborts one of eight. Its error is
// one of the history; the transactor keeps its own.
func (r role) transaction(ctx context.Context, t *kafka.Transactor, log *audit.Log) error {
	var msgs []leat.Message
	var records []audit.Record
	for range 1 + rand.IntN(8) {
		m := leat.Message{ID: leat.NewID(), Type: tickType, Source: r.Name + "-txn", Time: time.Now(), Topic: txnTopic.Name, Key: []byte(keyOf(rand.IntN(20)))}
		m.Data = []byte(`{"number":1}`)
		msgs = append(msgs, m)
		records = append(records, audit.Record{Topic: m.Topic, Key: string(m.Key), ID: m.Source + "/" + m.ID})
	}
	n, err := log.Begin(audit.Line{Op: audit.Write, Txn: true, Records: records})
	if err != nil {
		return err
	}
	line := audit.Line{Op: audit.Write, Txn: true}
	if err := errors.Join(t.Begin(), t.Produce(ctx, msgs)); err != nil {
		return log.End(n, audit.Info, line)
	}
	pause(ctx, rand.N(40*time.Millisecond))
	if rand.IntN(8) == 0 {
		if err := t.Abort(context.WithoutCancel(ctx)); err != nil {
			return log.End(n, audit.Info, line)
		}
		return log.End(n, audit.Fail, line)
	}
	if err := log.End(n, audit.Ending, line); err != nil {
		return err
	}
	if err := t.Commit(context.WithoutCancel(ctx)); err != nil {
		line.Reason = strings.TrimSpace(err.Error())
		return log.End(n, audit.Info, line)
	}
	return log.End(n, audit.OK, line)
}
