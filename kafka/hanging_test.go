package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/server"
)

// lax is a broker on which a transaction can be left hanging: see broker.Lax.
type lax struct {
	*broker.Broker
	kafka *server.Kafka
	admin *kadm.Client
}

func startLax(t *testing.T) *lax {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real server: layer 2, not under -short")
	}
	leattest.Need(t, "kafka")
	k, err := server.StartKafka(t.Context(), server.KafkaConfig{
		Properties: broker.Lax,
		Security:   &server.Security{Users: map[string]string{"ann": "secret"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	k.CloseAfter(t)
	b := broker.At(k.Brokers()...)
	return &lax{b, k, kadm.NewClient(b.Client(t))}
}

// hang leaves a transaction of the id, with a record in each of two partitions, open in the second.
// end ends it.
func (l *lax) hang(t *testing.T, tx *kafka.Transactor, topic string, end func() error) {
	t.Helper()
	if err := tx.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Produce(t.Context(), nil, kafka.Raw{Topic: topic, Key: []byte("k"), Value: []byte("known")}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Sneak(t, tx.ID(), topic, 1, "k", "unknown")
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

// shows waits until a read_committed reader sees these values up to the last stable offset.
func (l *lax) shows(t *testing.T, topic string, want ...string) {
	t.Helper()
	leattest.Eventually(t, fmt.Sprintf("%q are visible", want), func() error {
		got := values(t, l.Broker, topic)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("visible are %q", got)
		}
		return nil
	})
}

// stands fails unless the partition's last stable offset is behind.
func (l *lax) stands(t *testing.T, topic string, want bool) {
	t.Helper()
	stable, err := l.admin.ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	high, err := l.admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := stable.Lookup(topic, 1)
	h, _ := high.Lookup(topic, 1)
	if got := s.Offset < h.Offset; got != want {
		t.Errorf("the last stable offset is %d, the high watermark %d", s.Offset, h.Offset)
	}
}

func TestMissingMarkersAreWrittenAsTheCoordinatorDecided(t *testing.T) {
	t.Parallel()
	l := startLax(t)
	open := func(t *testing.T, id string) *kafka.Transactor { return openTransactor(t, l.Broker, id) }
	for _, c := range []struct {
		name string
		end  func(t *testing.T, tx *kafka.Transactor) error
		want []string
	}{
		{"committed", func(t *testing.T, tx *kafka.Transactor) error { return tx.Commit(t.Context()) }, []string{"known", "unknown"}},
		{"aborted", func(t *testing.T, tx *kafka.Transactor) error { return tx.Abort(t.Context()) }, nil},
		{"aborted for an heir", func(*testing.T, *kafka.Transactor) error { return nil }, nil},
		{"committed, and forgotten by the coordinator", func(t *testing.T, tx *kafka.Transactor) error {
			if err := tx.Commit(t.Context()); err != nil {
				return err
			}
			other := l.Client(t, kgo.TransactionalID(tx.ID())) // takes over, and knows nothing of markers
			_, _, err := other.ProducerID(t.Context())
			return err
		}, []string{"known", "unknown"}},
		{"aborted at the timeout", func(t *testing.T, tx *kafka.Transactor) error {
			leattest.Within(t, 2*time.Minute, "the coordinator aborts it", func() error {
				d, err := l.admin.DescribeTransactions(t.Context(), tx.ID())
				if err == nil && d[tx.ID()].State != "CompleteAbort" {
					err = errors.New(d[tx.ID()].State)
				}
				return err
			})
			return nil
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			topic, id := l.CreateTopic(t, l.Name("things"), 2, nil), l.Name("relay")
			timeout := time.Minute
			if c.name == "aborted at the timeout" {
				timeout /= 2
			}
			first := opened(t, config(l.Broker), kafka.TransactorConfig{ID: id, Timeout: timeout})
			l.hang(t, first, topic, func() error { return c.end(t, first) })
			l.stands(t, topic, true)
			heir := open(t, id)
			none := func(leat.Wire) error { return nil }
			if err := heir.ReadPartition(within(t, time.Minute), topic, 1, 0, none); err != nil {
				t.Errorf("a reader does not get through: %v", err)
			}
			l.stands(t, topic, false)
			l.shows(t, topic, c.want...)
			open(t, id) // again, with nothing to do
		})
	}
	t.Run("not somebody else's", func(t *testing.T) { t.Parallel(); leavesOthersAlone(t, l) })
	t.Run("while the transactor lives", func(t *testing.T) { t.Parallel(); mendsAfterACut(t, l) })
	t.Run("the offsets of a group", func(t *testing.T) { t.Parallel(); endsPendingOffsets(t, l) })
	t.Run("by somebody else", func(t *testing.T) { t.Parallel(); mendsFromOutside(t, l) })
	t.Run("without the right", func(t *testing.T) { t.Parallel(); saysWhatHangs(t, l) })
}

func leavesOthersAlone(t *testing.T, l *lax) {
	topic, id := l.CreateTopic(t, l.Name("things"), 2, nil), l.Name("relay")
	tx := openTransactor(t, l.Broker, id)
	l.hang(t, tx, topic, func() error { return tx.Commit(t.Context()) })
	other := l.Client(t, kgo.TransactionalID(l.Name("other")), kgo.TransactionTimeout(5*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := other.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: []byte("other")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	heir := openTransactor(t, l.Broker, id)
	l.stands(t, topic, true)
	leattest.Eventually(t, "it is said where the reader stands", func() error {
		short, cancel := context.WithTimeout(t.Context(), time.Second) // maybe too short to come there
		defer cancel()
		err := heir.ReadPartition(short, topic, 1, 0, func(leat.Wire) error { return nil })
		if err == nil {
			t.Fatal("read past the other's open transaction")
		}
		for _, part := range []string{"the last stable offset stands at 1, the high watermark was 3", topic + "/1 from offset 1"} {
			if !strings.Contains(err.Error(), part) {
				return fmt.Errorf("%q is missing in: %w", part, err)
			}
		}
		return nil
	})
	l.shows(t, topic, "known", "unknown")
	if err := other.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatalf("the other's transaction was touched: %v", err)
	}
	l.shows(t, topic, "known", "other", "unknown")
}

// wires are connections that can be cut.
type wires struct {
	mu  sync.Mutex
	all []net.Conn
}

func (w *wires) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(w.all, c)
	}
	return c, err
}

func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.all {
		_ = c.Close()
	}
}

// The next transaction writes to the partition in which the one before hangs, and is aborted: both
// would be one for the partition.
func mendsAfterACut(t *testing.T, l *lax) {
	topic, w := l.CreateTopic(t, l.Name("things"), 2, nil), &wires{}
	cfg := config(l.Broker)
	cfg.Dial = w.dial
	tx := opened(t, cfg, kafka.TransactorConfig{ID: l.Name("relay"), Timeout: time.Minute})
	l.hang(t, tx, topic, func() error { return tx.Commit(t.Context()) })
	if err := tx.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.stands(t, topic, true) // nothing broke, nothing is asked
	w.cut()
	if err := tx.ReadPartition(within(t, time.Minute), topic, 0, 0, func(leat.Wire) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := tx.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Produce(t.Context(), nil, kafka.Raw{Topic: topic, Partition: 1, Value: []byte("dropped")}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tx.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.shows(t, topic, "known", "unknown")
}

// A transaction's offsets that got no marker stay pending, and whoever asks for stable ones waits.
func endsPendingOffsets(t *testing.T, l *lax) {
	topic, group, id := l.CreateTopic(t, l.Name("things"), 2, nil), l.Name("group"), l.Name("transform")
	l.Produce(t, &kgo.Record{Topic: topic, Value: []byte("1")})
	tx := openTransactor(t, l.Broker, id)
	// The group's coordinator, to which it was said: the one of transactions knows nothing.
	l.hang(t, tx, topic, func() error {
		l.sneakOffset(t, id, group, topic)
		return tx.Commit(t.Context())
	})
	pending := func() error {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.RequireStable = true
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.Partitions = topic, []int32{0}
		g.Topics = append(g.Topics, gt)
		req.Groups = append(req.Groups, g)
		versions := kversion.Stable()
		versions.SetMaxKeyVersion(9, 9) // by name
		resp, err := req.RequestWith(within(t, time.Minute), l.Client(t, kgo.MaxVersions(versions), kgo.RequestRetries(0)))
		if err != nil {
			return err
		}
		p := resp.Groups[0].Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return err
		}
		if p.Offset != 1 {
			t.Errorf("the offset is %d", p.Offset)
		}
		return nil
	}
	leattest.Eventually(t, "it is said that the offset hangs", func() error {
		err := pending()
		if err == nil {
			t.Fatal("the offset hangs not")
		}
		if !errors.Is(err, kerr.UnstableOffsetCommit) {
			return err
		}
		return nil
	})
	openTransactor(t, l.Broker, id)
	leattest.Eventually(t, "the offset hangs no more", pending)
}

func (l *lax) sneakOffset(t *testing.T, id, group, topic string) {
	t.Helper()
	described, err := l.admin.DescribeTransactions(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(28, 4) // from 5 on the broker tells the coordinator itself
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.Generation = id, group, -1
	req.ProducerID, req.ProducerEpoch = described[id].ProducerID, described[id].ProducerEpoch
	rt, rp := kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rt.Topic, rp.Offset = topic, 1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(within(t, time.Minute), l.Client(t, kgo.MaxVersions(versions)))
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("send the offset behind the coordinator's back: %v", err)
	}
}

// Nobody opens the id again: a person ends what hangs.
func mendsFromOutside(t *testing.T, l *lax) {
	topic, id := l.CreateTopic(t, l.Name("things"), 2, nil), l.Name("gone")
	tx := openTransactor(t, l.Broker, id)
	l.hang(t, tx, topic, func() error { return tx.Commit(t.Context()) })
	c := broker.Open(t, config(l.Broker))
	hangs, err := c.Hangs(within(t, time.Minute), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(hangs) != 1 || hangs[0].Topic != topic || hangs[0].Partition != 1 || hangs[0].Offset != 0 || hangs[0].End != "commit" || hangs[0].Last.IsZero() {
		t.Fatalf("found %+v", hangs)
	}
	l.stands(t, topic, true)
	if err := c.Mend(within(t, time.Minute), hangs); err != nil {
		t.Fatal(err)
	}
	l.stands(t, topic, false)
	l.shows(t, topic, "known", "unknown")
	if hangs, err = c.Hangs(within(t, time.Minute), id); err != nil || len(hangs) > 0 {
		t.Errorf("found %+v, %v after it", hangs, err)
	}
	if err := tx.Begin(); err != nil {
		t.Errorf("its owner is disturbed: %v", err)
	}
}

func saysWhatHangs(t *testing.T, l *lax) {
	topic, id := l.CreateTopic(t, l.Name("things"), 2, nil), l.Name("relay")
	allow := func(b *kadm.ACLBuilder) {
		t.Helper()
		l.Allow(t, b.ResourcePatternType(kadm.ACLPatternLiteral).Allow("User:ann").AllowHosts())
	}
	allow(kadm.NewACLs().Topics(topic).Operations(kadm.OpRead, kadm.OpWrite, kadm.OpDescribe))
	allow(kadm.NewACLs().TransactionalIDs(id).Operations(kadm.OpWrite, kadm.OpDescribe))
	cfg := kafka.Config{Brokers: l.kafka.SecureBrokers(server.SASL), SASL: kafka.SASLConfig{User: "ann", Password: "secret"}}
	tx := opened(t, cfg, kafka.TransactorConfig{ID: id, Timeout: time.Minute})
	l.hang(t, tx, topic, func() error { return tx.Commit(t.Context()) })
	var err error
	leattest.Eventually(t, "it is said that something hangs", func() error {
		var over *kafka.Transactor
		if over, err = kafka.OpenTransactor(within(t, time.Minute), cfg, kafka.TransactorConfig{ID: id}); err == nil {
			over.Close()
			t.Fatal("opened over what hangs")
		}
		if !errors.Is(err, kafka.ErrHanging) {
			return err
		}
		return nil
	})
	wants(t, err.Error(), topic+"/1 from offset 0", "ended with commit", "Alter")
	l.stands(t, topic, true)
	allow(kadm.NewACLs().Clusters().Operations(kadm.OpAlter))
	opened(t, cfg, kafka.TransactorConfig{ID: id}).Close()
	l.shows(t, topic, "known", "unknown")
}
