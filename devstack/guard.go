package devstack

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
)

// guard is the broker's listener: it advertises the address that clients are to use, and its
// connections show the broker only frames that it survives.
type guard struct {
	net.Listener
	advertise address
	log       *slog.Logger
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func listen(ctx context.Context, cfg Config) (*guard, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: the address is in use: stop what holds it, or listen elsewhere: %w", cfg.Listen, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	at := ln.Addr().(*net.TCPAddr)
	if !at.IP.IsLoopback() {
		cfg.Logger.Warn("the embedded broker has no authentication and listens beyond this machine", slog.String("address", at.String()))
	}
	g := &guard{Listener: ln, advertise: address(cfg.Advertise), log: cfg.Logger}
	if cfg.Advertise == "" {
		if at.IP.IsUnspecified() {
			at.IP = net.IPv4(127, 0, 0, 1)
		}
		g.advertise = address(at.String())
	}
	return g, nil
}

// handOver gives the listener to the broker, which asks for an address of its own.
func (g *guard) handOver(string, string) (net.Listener, error) { return g, nil }

// Addr is what the broker tells its clients.
func (g *guard) Addr() net.Addr { return g.advertise }

func (g *guard) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guarded{Conn: conn, log: g.log}, nil
}

// guarded is one client's connection. Only the broker's reading goroutine calls Read.
type guarded struct {
	net.Conn
	log   *slog.Logger
	ready []byte // checked, to be read first
	left  int    // bytes of the frame still on the wire
	head  [headSize]byte
	warn  sync.Once
}

func (c *guarded) Read(p []byte) (int, error) {
	if len(c.ready) == 0 && c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.ready) > 0 {
		n := copy(p, c.ready)
		c.ready = c.ready[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// next reads and checks the beginning of a frame.
func (c *guarded) next() error {
	if _, err := io.ReadFull(c.Conn, c.head[:]); err != nil {
		return err
	}
	h := parseHead(c.head)
	if err := h.check(); err != nil {
		c.warn.Do(func() {
			c.log.Warn("closed a connection that does not speak Kafka", slog.String("client", c.RemoteAddr().String()), slog.Any("reason", err))
		})
		return fmt.Errorf("refuse a frame: %w", err)
	}
	rest := h.size - (headSize - 4)
	if h.size < wholeFrom {
		c.ready, c.left = c.head[:], int(rest)
		return nil
	}
	var whole bytes.Buffer
	whole.Write(c.head[:])
	if _, err := io.CopyN(&whole, c.Conn, rest); err != nil {
		return fmt.Errorf("read a frame of %d bytes: %w", binary.BigEndian.Uint32(c.head[:]), err)
	}
	c.ready = whole.Bytes()
	return nil
}
