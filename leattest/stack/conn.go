package stack

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// losses are the replies to be lost.
type losses struct {
	mu   sync.Mutex
	left map[kmsg.Key]int
	lost map[kmsg.Key]int
}

// LoseReplies loses the replies to the next n requests of a kind, of whichever processes: the cluster
// carries them out, and where its answer is to arrive the connection breaks.
func (s *Stack) LoseReplies(of kmsg.Key, n int) {
	l := &s.losses
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == nil {
		l.left, l.lost = map[kmsg.Key]int{}, map[kmsg.Key]int{}
	}
	l.left[of] = n
}

// LostReplies is how many were lost so far.
func (s *Stack) LostReplies(of kmsg.Key) int {
	l := &s.losses
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost[of]
}

// loses says whether the reply to a request is to be lost: its kind follows its size.
func (l *losses) loses(request []byte) bool {
	if len(request) < 6 {
		return false
	}
	of := kmsg.Key(binary.BigEndian.Uint16(request[4:]))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left[of] == 0 {
		return false
	}
	l.left[of]--
	l.lost[of]++
	return true
}

// Stall keeps what the process sends to the cluster from leaving until Resume. The process itself runs
// on: it finds its sessions, leases and transactions lost only when its requests arrive.
func (p *Process) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == nil {
		p.stalled = make(chan struct{})
	}
}

// Resume lets go what Stall has kept.
func (p *Process) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

// open is closed while the process is not stalled.
func (p *Process) open() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == nil {
		return passable
	}
	return p.stalled
}

// passable is closed.
var passable = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// dial connects as long as the process lives, and remembers what to cut.
func (p *Process) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p.isDead() {
		time.Sleep(time.Second) // a client that tries again without a pause would keep the bubble's time from passing
		return nil, errCrashed
	}
	inner, err := p.stack.broker.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		_ = inner.Close()
		return nil, errCrashed
	}
	c := &conn{Conn: inner, p: p, closed: make(chan struct{})}
	p.conns[c] = struct{}{}
	return c, nil
}

// conn is a connection of a process.
type conn struct {
	net.Conn
	p      *Process
	once   sync.Once
	closed chan struct{}
	deaf   atomic.Bool // the next reply is lost
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.deaf.Load() {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// Write implements net.Conn. It waits while the process is stalled. Clients write a request at a time.
func (c *conn) Write(b []byte) (int, error) {
	select {
	case <-c.p.open():
		if c.p.stack.losses.loses(b) {
			c.deaf.Store(true)
		}
		return c.Conn.Write(b)
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.p.mu.Lock()
	delete(c.p.conns, c)
	c.p.mu.Unlock()
	return c.Conn.Close()
}
