package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
)

// config is how this room reaches a test's broker.
func config(b *broker.Broker) kafka.Config {
	return kafka.Config{
		Brokers:    b.Addrs,
		Dial:       b.Dial,
		Properties: map[string]string{"retry.backoff.ms": "50", "metadata.max.age.ms": "1000"},
	}
}

// within is a context for what must answer soon.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func message(topic, key, data string) leat.Message {
	return leat.Message{ID: leat.NewID(), Type: "test.thing.done.v1", Source: "test", Subject: key, Time: time.Now(), Topic: topic, Key: []byte(key), ContentType: "application/json", Data: []byte(data)}
}

func openTransactor(t *testing.T, b *broker.Broker, id string) *kafka.Transactor {
	t.Helper()
	return opened(t, config(b), kafka.TransactorConfig{ID: id, Timeout: time.Minute}) // longer than a machine may stall
}

// opened opens a transactor, in spite of a machine that stands still for longer than the cluster is given to
// answer.
func opened(t *testing.T, cfg kafka.Config, tc kafka.TransactorConfig) (tx *kafka.Transactor) {
	t.Helper()
	leattest.Eventually(t, "a transactor", func() (err error) {
		tx, err = kafka.OpenTransactor(within(t, time.Minute), cfg, tc)
		return err
	})
	t.Cleanup(tx.Close)
	return tx
}

func values(t *testing.T, b *broker.Broker, topic string) []string {
	t.Helper()
	var got []string
	for _, r := range b.ReadAll(t, topic, kgo.ReadCommitted()) {
		got = append(got, string(r.Value))
	}
	return got
}

func TestCommitShowsMessagesAndPositionTogether(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		events := b.CreateTopic(t, b.Name("events"), 1, nil)
		positions := b.CreateTopic(t, b.Name("positions"), 4, map[string]string{"cleanup.policy": "compact"})
		tx := openTransactor(t, b, b.Name("tx"))
		for i := range 3 {
			if err := tx.Begin(); err != nil {
				t.Fatal(err)
			}
			m := []leat.Message{message(events, "a", fmt.Sprint(i)), message(events, "a", fmt.Sprintf("%db", i))}
			at := kafka.Raw{Topic: positions, Partition: 3, Key: []byte("outbox"), Value: fmt.Append(nil, i)}
			if err := tx.Produce(t.Context(), m, at); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				if err := tx.Abort(t.Context()); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// The broker writes the commit's markers after its answer.
		leattest.Eventually(t, "the events of the committed transactions, and no others, are visible", func() error {
			if diff := cmp.Diff([]string{"0", "0b", "2", "2b"}, values(t, b, events)); diff != "" {
				return errors.New(diff)
			}
			return nil
		})
		var at []string
		if err := tx.ReadPartition(within(t, time.Minute), positions, 3, 0, func(w leat.Wire) error {
			at = append(at, string(w.Key())+"="+string(w.Value()))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"outbox=0", "outbox=2"}, at); diff != "" {
			t.Errorf("positions:\n%s", diff)
		}
	})
}

func TestHeirFencesItsElder(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic, id := b.CreateTopic(t, b.Name("events"), 1, nil), b.Name("tx")
		elder := openTransactor(t, b, id)
		if err := elder.Begin(); err != nil {
			t.Fatal(err)
		}
		if err := elder.Produce(t.Context(), []leat.Message{message(topic, "a", "elder")}); err != nil {
			t.Fatal(err)
		}
		heir := openTransactor(t, b, id)
		err := elder.Commit(within(t, time.Minute))
		if err == nil {
			t.Fatal("the elder committed after its heir had opened")
		}
		if !errors.Is(err, kafka.ErrFenced) {
			t.Errorf("%v is not ErrFenced", err)
		}
		if err := elder.Begin(); !errors.Is(err, kafka.ErrUnusable) || !errors.Is(err, kafka.ErrFenced) {
			t.Errorf("begin after the error: %v, want ErrUnusable with its cause", err)
		}
		if err := elder.Produce(t.Context(), []leat.Message{message(topic, "a", "ghost")}); !errors.Is(err, kafka.ErrUnusable) {
			t.Errorf("produce after the error: %v", err)
		}
		if err := heir.Begin(); err != nil {
			t.Fatal(err)
		}
		if err := heir.Produce(t.Context(), []leat.Message{message(topic, "a", "heir")}); err != nil {
			t.Fatal(err)
		}
		if err := heir.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		leattest.Eventually(t, "the heir's event, and no other, is visible", func() error {
			if diff := cmp.Diff([]string{"heir"}, values(t, b, topic)); diff != "" {
				return errors.New(diff)
			}
			return nil
		})
	})
}

// The client underneath would commit what is left of a transaction whose record failed.
func TestCommitRefusesATransactionWithAFailedRecord(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("events"), 1, map[string]string{"max.message.bytes": "2000"})
		missing := b.Name("missing")
		for name, bad := range map[string]leat.Message{
			"larger than the client's limit": message(topic, "a", string(make([]byte, 2<<20))),
			"larger than the topic's limit":  {Topic: topic, Key: []byte("a"), Data: incompressible(5000), ID: "1"},
			"to a topic that is not there":   message(missing, "a", "1"),
		} {
			t.Run(name, func(t *testing.T) {
				tx := openTransactor(t, b, b.Name("tx"))
				if err := tx.Begin(); err != nil {
					t.Fatal(err)
				}
				if err := tx.Produce(t.Context(), []leat.Message{message(topic, "a", "good"), bad}); err != nil {
					t.Fatal(err)
				}
				err := tx.Commit(within(t, time.Minute))
				want := kafka.ErrTooLarge
				if bad.Topic == missing {
					want = kafka.ErrNoTopic
				}
				if !errors.Is(err, want) {
					t.Fatalf("commit: %v, want %v", err, want)
				}
				if e, ok := errors.AsType[*kafka.Error](err); !ok || e.Topic != bad.Topic || e.Hint == "" {
					t.Errorf("%#v names no topic or no hint", err)
				}
				if err := tx.Begin(); !errors.Is(err, kafka.ErrUnusable) {
					t.Errorf("begin after the error: %v, want ErrUnusable", err)
				}
				tx.Close()
			})
		}
		openTransactor(t, b, b.Name("tx"))
		if got := values(t, b, topic); len(got) != 0 {
			t.Errorf("of transactions that failed, %q is visible", got)
		}
	})
}

func incompressible(n int) []byte {
	data := make([]byte, n)
	x := uint32(1)
	for i := range data {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		data[i] = byte(x)
	}
	return data
}

// A position that was committed behind another producer's open transaction is not passed over:
// reading to the last stable offset would.
func TestReadPartitionWaitsForOpenTransactionsBelowTheHighWatermark(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("positions"), 1, nil)
		other := b.Client(t, kgo.TransactionalID(b.Name("other")), kgo.TransactionTimeout(2*time.Minute))
		if err := other.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := other.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("other")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		id := b.Name("tx")
		mine := openTransactor(t, b, id)
		if err := mine.Begin(); err != nil {
			t.Fatal(err)
		}
		if err := mine.Produce(t.Context(), nil, kafka.Raw{Topic: topic, Value: []byte("mine")}); err != nil {
			t.Fatal(err)
		}
		if err := mine.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		heir := openTransactor(t, b, id)
		short, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		read := func(ctx context.Context) (got []string, err error) {
			err = heir.ReadPartition(ctx, topic, 0, 0, func(w leat.Wire) error { got = append(got, string(w.Value())); return nil })
			return got, err
		}
		if got, err := read(short); err == nil {
			t.Fatalf("read to the end with %q although a transaction is open below it", got)
		}
		if err := other.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		got, err := read(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"mine"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReadPartitionOfAnEmptyOneAndOfNone(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		topic := b.CreateTopic(t, b.Name("positions"), 1, nil)
		tx := openTransactor(t, b, b.Name("tx"))
		none := func(w leat.Wire) error { return fmt.Errorf("a record at %v", w.Position()) }
		if err := tx.ReadPartition(within(t, time.Minute), topic, 0, 0, none); err != nil {
			t.Error(err)
		}
		if err := tx.ReadPartition(within(t, time.Minute), b.Name("none"), 0, 0, none); !errors.Is(err, kafka.ErrNoTopic) {
			t.Errorf("%v, want ErrNoTopic", err)
		}
	})
}
