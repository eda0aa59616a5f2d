package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
)

// network is the way to a broker; it can break at the request that ends a transaction.
type network struct {
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	armed   atomic.Bool // break at the next EndTxn
	deliver bool        // the request itself still arrives, its reply does not
	down    atomic.Bool
}

var errDown = errors.New("the network is down")

func (n *network) Dial(ctx context.Context, netw, addr string) (net.Conn, error) {
	if n.down.Load() {
		return nil, errDown
	}
	c, err := n.dial(ctx, netw, addr)
	if err != nil {
		return nil, err
	}
	return &cable{Conn: c, net: n}, nil
}

type cable struct {
	net.Conn
	net *network

	mu     sync.Mutex // held while the request that ends a transaction is written
	losing bool       // its reply gets lost
}

// Write sees whole requests: size, then the API key.
func (c *cable) Write(p []byte) (int, error) {
	if c.net.down.Load() {
		return 0, errDown
	}
	if len(p) >= 6 && kmsg.Key(binary.BigEndian.Uint16(p[4:])) == kmsg.EndTxn && c.net.armed.CompareAndSwap(true, false) {
		if !c.net.deliver {
			c.net.down.Store(true)
			return 0, errDown
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.losing = true
	}
	return c.Conn.Write(p)
}

func (c *cable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	if c.losing { // the broker has the request, and does its work
		c.net.down.Store(true)
	}
	c.mu.Unlock()
	if c.net.down.Load() {
		return 0, errDown
	}
	return n, err
}

// The reply to the commit is lost, or the commit itself, and the broker stays away: nobody here can
// know. The heir can: the position is there exactly if the events are.
func TestHeirLearnsWhatBecameOfACommitInDoubt(t *testing.T) {
	t.Parallel()
	for name, deliver := range map[string]bool{"reply lost": true, "request lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := broker.Fake(t, broker.FakeConfig{Virtual: true})
				events, positions := b.CreateTopic(t, "events", 3, nil), b.CreateTopic(t, "positions", 1, nil)
				way := &network{dial: b.Dial, deliver: deliver}
				cfg := config(b)
				cfg.Dial = way.Dial
				tx, err := kafka.OpenTransactor(t.Context(), cfg, kafka.TransactorConfig{ID: "relay"})
				if err != nil {
					t.Fatal(err)
				}
				defer tx.Close()
				if err := tx.Begin(); err != nil {
					t.Fatal(err)
				}
				if err := tx.Produce(t.Context(), []leat.Message{message(events, "a", "1"), message(events, "b", "2")}, kafka.Raw{Topic: positions, Value: []byte("2")}); err != nil {
					t.Fatal(err)
				}
				way.armed.Store(true)
				if err := tx.Commit(t.Context()); err == nil || tx.Err() == nil {
					t.Fatalf("the commit says %v, the transactor %v", err, tx.Err())
				}
				if err := tx.Begin(); !errors.Is(err, kafka.ErrUnusable) {
					t.Errorf("begin after the doubt: %v", err)
				}
				way.down.Store(false)
				heir := openTransactor(t, b, "relay")
				found := 0
				if err := heir.ReadPartition(t.Context(), positions, 0, 0, func(leat.Wire) error { found++; return nil }); err != nil {
					t.Fatal(err)
				}
				visible := len(values(t, b, events))
				if want := map[bool]int{true: 1, false: 0}[deliver]; found != want || visible != 2*want {
					t.Errorf("position found %d times and %d events visible, want %d and %d", found, visible, want, 2*want)
				}
			})
		})
	}
}

// A broker that is away does not hold Commit for longer than the transaction's timeout.
func TestCommitGivesUpWaitingForAcknowledgements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.Fake(t, broker.FakeConfig{Virtual: true})
		events := b.CreateTopic(t, "events", 1, nil)
		way := &network{dial: b.Dial}
		cfg := config(b)
		cfg.Dial = way.Dial
		tx, err := kafka.OpenTransactor(t.Context(), cfg, kafka.TransactorConfig{ID: "relay", Timeout: 4 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Begin(); err != nil {
			t.Fatal(err)
		}
		way.down.Store(true)
		if err := tx.Produce(t.Context(), []leat.Message{message(events, "a", "1")}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := tx.Commit(t.Context()); err == nil {
			t.Fatal("committed without a broker")
		}
		if d := time.Since(began); d > 6*time.Second {
			t.Errorf("gave up after %v, want about 4 s", d)
		}
		began = time.Now()
		tx.Close()
		if d := time.Since(began); d > time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

// Between the end of one transaction and the first record of the next the broker needs a moment.
func TestTransactorPausesBetweenTransactions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.Fake(t, broker.FakeConfig{Virtual: true})
		events := b.CreateTopic(t, "events", 1, nil)
		tx := openTransactor(t, b, "relay")
		var ended time.Time
		for range 3 {
			if err := tx.Begin(); err != nil {
				t.Fatal(err)
			}
			if err := tx.Produce(t.Context(), []leat.Message{message(events, "a", "1")}); err != nil {
				t.Fatal(err)
			}
			if pause := time.Since(ended); !ended.IsZero() && pause < 5*time.Millisecond {
				t.Errorf("produced %v after the end", pause)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			ended = time.Now()
		}
	})
}
