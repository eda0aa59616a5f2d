package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/sqldb"
)

// parkedRole handles events once each, parking what fails, until it is killed: one of ten takes three
// attempts, one of each key fails for good.
func parkedRole(ctx context.Context, as role) error {
	db, err := sqldb.Open(ctx, sqldb.Config{URL: as.Database, Logger: quiet()})
	if err != nil {
		return err
	}
	defer db.Close()
	crash := as.crash()
	box, err := outbox.New(outbox.Config{DB: db, Source: as.Name, Logger: quiet(), Hook: crash})
	if err != nil {
		return err
	}
	handle := func(ctx context.Context, tx *outbox.Tx, e *leat.Event[moved]) error {
		time.Sleep(2 * time.Millisecond) // so that it is frozen inside
		switch {
		case e.Data.N == 7:
			return leat.Permanent(errors.New("never"))
		case e.Data.N%10 == 3 && e.Attempt() < 3:
			return errors.New("not now")
		}
		_, err := tx.Exec(ctx, `insert into done (key, n) values ($1, $2)`, e.Data.Key, e.Data.N)
		return err
	}
	tiers := []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond}
	handlers, err := box.Bind(outbox.Once(leat.Topic{Name: as.Topic, Carries: []any{moved{}}}, handle,
		consumer.WithRetry(leat.Retry{Attempts: 1}), consumer.Park(leat.Parking{Tiers: tiers})))
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	c, err := consumer.New(consumer.Config{
		Group: as.Name, Kafka: kafka.Config{Brokers: as.Brokers, Logger: log}, Logger: quiet(), Handlers: handlers,
		SessionTimeout: 6 * time.Second, CommitInterval: 100 * time.Millisecond, Hook: crash, InstanceID: as.Instance,
	})
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// Members are frozen for longer than their session in the middle of their work, and killed. When one
// goes on, its heir has worked on its partitions; its transactions are refused, and what it still writes
// to the park topic is void.
func TestParkedOnceHandlersFrozenAndKilledTakeOneEffectEachInOrder(t *testing.T) {
	t.Parallel()
	b := broker.Real(t)
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		t.Parallel()
		const keys, n = 12, 60
		w := newWorld(t, data, b)
		makeDone(t, data)
		as := role{Kind: "parked", Database: data.URL, Brokers: b.Addrs, Name: w.name, Topic: w.topic.Name}
		members := []*process{start(t, as), start(t, as)}
		w.relay()
		for round := range 6 {
			at := data.Int(t, `select count(*) from done`)
			for i := range n / 6 {
				for k := range keys {
					w.publish(moved{Key: fmt.Sprintf("k%d", k), N: round*n/6 + i})
				}
			}
			leattest.Within(t, 3*time.Minute, "work is in hand", func() error {
				if now := data.Int(t, `select count(*) from done`); now == at {
					return errors.New("nothing new")
				}
				return nil
			})
			victim := members[round%2]
			if round%3 == 2 {
				victim.kill()
				members[round%2] = start(t, as)
				continue
			}
			victim.signal(syscall.SIGSTOP)
			time.Sleep(8 * time.Second) // the session expires: this is what is tested
			victim.signal(syscall.SIGCONT)
		}
		w.parkedSound(keys, n)
	})
}

// Killed at each step of parking, of coming back, of giving up and of the transaction beside, with work in
// hand.
func TestAParkedOnceHandlerKilledAtEachPointTakesOneEffectEachInOrder(t *testing.T) {
	t.Parallel()
	b := broker.Real(t)
	sql.Each(t, func(t *testing.T, data *sql.Database) {
		t.Parallel()
		for _, point := range []string{"park.appended", "park.readback", "park.committed", "park.dlq-sent", "consumer.handled", "once.committing", "once.committed"} {
			t.Run(point, func(t *testing.T) {
				const keys, n = 12, 30
				data.Exec(t, `drop table if exists done`)
				makeDone(t, data)
				w := newWorld(t, data, b)
				w.relay()
				for i := range n {
					for k := range keys {
						w.publish(moved{Key: fmt.Sprintf("k%d", k), N: i})
					}
				}
				as := role{Kind: "parked", Database: data.URL, Brokers: b.Addrs, Name: w.name, Topic: w.topic.Name, Instance: "one"}
				victim := as
				victim.CrashAt, victim.CrashOn = point, 3
				p := start(t, victim)
				late := time.AfterFunc(5*time.Minute, func() { _ = p.cmd.Process.Kill() })
				_ = p.cmd.Wait()
				if !late.Stop() {
					t.Fatalf("it never came to %s for the third time", point)
				}
				if status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
					t.Fatalf("it was to kill itself: %v", p.cmd.ProcessState)
				}
				heir := start(t, as)
				w.parkedSound(keys, n)
				heir.kill()
			})
		}
	})
}

// makeDone makes the table of effects.
func makeDone(t *testing.T, data *sql.Database) {
	id := `id bigint generated always as identity primary key`
	if !data.IsPostgres() {
		id = `id integer primary key autoincrement`
	}
	data.Exec(t, `create table done (`+id+`, key text, n integer)`)
}

// parkedSound waits until every event has an effect or a dead letter, and checks that it has one of them,
// those of a key in order.
func (w *world) parkedSound(keys, n int) {
	t, data := w.t, w.data
	t.Helper()
	leattest.Within(t, 5*time.Minute, "every event has an effect or a dead letter", func() error {
		if done := data.Int(t, `select count(*) from done`); done < int64(keys*(n-1)) {
			return fmt.Errorf("%d effects", done)
		}
		return nil
	})
	if twice := data.Int(t, `select count(*) from (select key, n from done group by key, n having count(*) > 1) x`); twice != 0 {
		t.Errorf("%d events took effect twice", twice)
	}
	if wrong := data.Int(t, `select count(*) from done a join done b on a.key = b.key and a.id < b.id and a.n > b.n`); wrong != 0 {
		t.Errorf("%d pairs are out of order", wrong)
	}
	if both := data.Int(t, `select count(*) from done where n = 7`); both != 0 {
		t.Errorf("%d events that fail for good took effect", both)
	}
	letters := map[int64]bool{}
	leattest.Within(t, time.Minute, "the dead letters", func() error {
		for _, r := range w.b.ReadAll(t, leat.DeadLetters(w.topic.Name, w.name), kgo.ReadCommitted()) {
			headers := make([]leat.Header, len(r.Headers))
			for i, h := range r.Headers {
				headers[i] = leat.Header(h)
			}
			d, err := consumer.ParseDeadLetter(headers)
			if err != nil {
				t.Fatal(err)
			}
			letters[int64(d.Source.Partition)<<32|d.Source.Offset] = true
		}
		if len(letters) != keys {
			return fmt.Errorf("%d dead letters", len(letters))
		}
		return nil
	})
}
