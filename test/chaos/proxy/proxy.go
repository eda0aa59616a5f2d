package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Route is one address and the server behind it.
type Route struct {
	Listen string // host:port
	Target string // host:port
	Broker int32  // what rules and cuts call it; not 0
	Kafka  bool   // it speaks Kafka's protocol; otherwise bytes pass as they are
	Client string // of a route that speaks another protocol: who it is for
}

// Config says what stands behind a Proxy.
type Config struct {
	Routes []Route
}

// Proxy hands connections on. Make one with New.
type Proxy struct {
	listeners []net.Listener
	routes    []Route

	mu    sync.Mutex
	rules []*applied
	cuts  []*cut
	talks map[*conn]bool
}

// New takes the addresses; connections wait there until Run.
func New(cfg Config) (*Proxy, error) {
	p := &Proxy{routes: cfg.Routes, talks: map[*conn]bool{}}
	for _, r := range cfg.Routes {
		if r.Broker == 0 || r.Target == "" {
			return nil, errors.Join(fmt.Errorf("configure the proxy: route %+v needs Broker and Target", r), p.close())
		}
		l, err := net.Listen("tcp", r.Listen)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen for broker %d: %w", r.Broker, err), p.close())
		}
		p.listeners = append(p.listeners, l)
	}
	return p, nil
}

// Addrs are the addresses of the routes, in their order.
func (p *Proxy) Addrs() []string {
	var addrs []string
	for _, l := range p.listeners {
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func (p *Proxy) close() error {
	var errs []error
	for _, l := range p.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Run hands connections on until ctx ends, then breaks those that are left and returns nil.
func (p *Proxy) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for i, l := range p.listeners {
		all.Go(func() { // ends with its listener
			for {
				client, err := l.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err == nil {
					all.Go(func() { p.talk(ctx, p.routes[i], client) }) // ends with its connection
				}
			}
		})
	}
	<-ctx.Done()
	err := p.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for talk := range p.talks {
		talk.close()
	}
	return err
}

// conn is one connection of a client through the proxy.
type conn struct {
	route          Route
	ctx            context.Context // ends with the proxy or when the connection is closed
	end            context.CancelFunc
	client         string // client id, known from the first request on
	toClient, toUs net.Conn

	mu      sync.Mutex
	pending map[int32]API // requests under way, by correlation id
}

func (c *conn) close() {
	c.end()
	_ = c.toClient.Close()
	if c.toUs != nil {
		_ = c.toUs.Close()
	}
}

// talk carries one connection from its first byte to its end.
func (p *Proxy) talk(ctx context.Context, route Route, client net.Conn) {
	c := &conn{route: route, toClient: client, client: route.Client, pending: map[int32]API{}}
	c.ctx, c.end = context.WithCancel(ctx)
	defer c.close()
	requests := bufio.NewReaderSize(client, 64<<10)
	if route.Kafka { // who it is, its first request says
		h, err := requestHead(requests)
		if err != nil {
			return
		}
		c.client = h.client
	}
	if !p.admit(c) {
		return
	}
	server, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(c.ctx, "tcp", route.Target)
	if err != nil {
		return
	}
	p.mu.Lock()
	c.toUs = server
	p.talks[c] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.talks, c)
		p.mu.Unlock()
	}()
	if c.ctx.Err() != nil || p.off(c) != nil && !p.admit(c) { // cut since
		return
	}
	var both sync.WaitGroup
	carry := func(f func() error) {
		both.Go(func() {
			_ = f() // either side ends the other
			c.close()
		})
	}
	replies := bufio.NewReaderSize(server, 64<<10)
	if route.Kafka {
		carry(func() error { return p.carryRequests(c, requests) })
		carry(func() error { return p.carryReplies(c, replies) })
	} else {
		carry(func() error { return p.carryBytes(c, server, requests) })
		carry(func() error { return p.carryBytes(c, client, replies) })
	}
	both.Wait()
}

var errCut = errors.New("cut off")

// admit says whether a connection may carry anything now. Where it is cut off in silence it waits until
// that is over; then the connection is too old to be worth anything, as after a real partition.
func (p *Proxy) admit(c *conn) bool {
	off := p.off(c)
	if off == nil {
		return true
	}
	if off.way == Silent {
		p.wait(c, off.healed)
	}
	return false
}

// wait returns when the channel is closed or the connection has ended.
func (p *Proxy) wait(c *conn, over <-chan struct{}) {
	select {
	case <-over:
	case <-c.ctx.Done():
	}
}

func (p *Proxy) carryRequests(c *conn, from *bufio.Reader) error {
	for {
		h, err := requestHead(from)
		if err != nil {
			return err
		}
		if !p.admit(c) {
			return errCut
		}
		if err := p.suffer(c, h.api, Request); err != nil {
			return err
		}
		c.mu.Lock()
		c.pending[h.correlation] = h.api
		c.mu.Unlock()
		if err := pass(c.toUs, from, h.size); err != nil {
			return err
		}
	}
}

func (p *Proxy) carryReplies(c *conn, from *bufio.Reader) error {
	for {
		size, correlation, err := replyHead(from)
		if err != nil {
			return err
		}
		c.mu.Lock()
		api, asked := c.pending[correlation]
		delete(c.pending, correlation)
		c.mu.Unlock()
		if !asked {
			return fmt.Errorf("%w: a reply to nothing", errNotKafka)
		}
		if !p.admit(c) {
			return errCut
		}
		if err := p.suffer(c, api, Reply); err != nil {
			return err
		}
		if err := pass(c.toClient, from, size); err != nil {
			return err
		}
	}
}

// suffer does to a frame what a rule wants. An error ends the connection.
func (p *Proxy) suffer(c *conn, api API, side Side) error {
	a := p.pick(c, api, side)
	if a == nil {
		return nil
	}
	switch a.Act {
	case Delay:
		t := time.NewTimer(a.For)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
		return nil
	case Hang:
		p.wait(c, a.lifted)
	}
	return errCut
}

// carryBytes hands bytes on, as they are, while the connection is not cut off.
func (p *Proxy) carryBytes(c *conn, to io.Writer, from *bufio.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.admit(c) {
				return errCut
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}
