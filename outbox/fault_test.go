package outbox_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/outbox"
)

const (
	produceRequest = 0  // Kafka's number of Produce
	endTxnRequest  = 26 // Kafka's number of EndTxn
)

// line is a network that loses one request of a kind, or its reply, and may then be down for a while.
type line struct {
	api   int16
	reply bool          // lose the reply, not the request
	down  time.Duration // after the loss

	mu    sync.Mutex
	skip  int // requests of the kind to let pass
	lost  bool
	until time.Time
}

var errLine = errors.New("the line is down")

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.isDown() {
		return nil, errLine
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: conn, line: l}, nil
}

func (l *line) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until)
}

// hit says whether this request is the one that gets lost.
func (l *line) hit(frame []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost || len(frame) < 6 || int16(binary.BigEndian.Uint16(frame[4:])) != l.api {
		return false
	}
	if l.skip--; l.skip >= 0 {
		return false
	}
	l.lost, l.until = true, time.Now().Add(l.down)
	return true
}

type lineConn struct {
	net.Conn
	line *line

	mu      sync.Mutex
	swallow bool
}

func (c *lineConn) Write(b []byte) (int, error) {
	if !c.line.hit(b) {
		return c.Conn.Write(b)
	}
	if !c.line.reply {
		_ = c.Close()
		return 0, errLine
	}
	c.mu.Lock()
	c.swallow = true
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *lineConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.swallow { // the broker has done it, and nobody hears of it
		_ = c.Close()
		return 0, errLine
	}
	return n, err
}

// Whatever of a transaction gets lost on the way, the position tells what became of it.
func TestALostRequestOrReplyLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]func() *line{
		"commit is lost":                      func() *line { return &line{api: endTxnRequest} },
		"reply to commit is lost":             func() *line { return &line{api: endTxnRequest, reply: true} },
		"reply to commit is lost, then down":  func() *line { return &line{api: endTxnRequest, reply: true, down: 5 * time.Second} },
		"commit is lost, then down":           func() *line { return &line{api: endTxnRequest, down: 5 * time.Second} },
		"reply to produce is lost":            func() *line { return &line{api: produceRequest, reply: true} },
		"reply to produce is lost, then down": func() *line { return &line{api: produceRequest, reply: true, down: 5 * time.Second} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := func(t *testing.T, b *broker.Broker) {
				w := newWorld(t, sql.SQLite(t), b)
				n := 0
				for range 20 {
					n++
					w.publish(moved{Key: "k", N: n})
				}
				between := l()
				between.skip = 2 // not the takeover's own transaction
				w.relay(func(c *outbox.RelayConfig) {
					c.BatchRows, c.TransactionTimeout = 5, 2*time.Second
					c.Kafka.Dial = between.dial
				})
				w.empty()
				for range 5 {
					n++
					w.publish(moved{Key: "k", N: n})
				}
				w.empty()
				inOrder(t, w.read(w.topic.Name), n)
				if between.mu.Lock(); !between.lost {
					t.Error("nothing was lost: nothing is tested")
				}
				between.mu.Unlock()
			}
			t.Run("kfake", func(t *testing.T) { body(t, broker.Fake(t, broker.FakeConfig{})) })
			t.Run("kafka", func(t *testing.T) { body(t, broker.Real(t)) })
		})
	}
}
