package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// dialer opens connections: the network, socket settings, then TLS.
type dialer struct {
	timeout     time.Duration
	network     string // "": as asked
	dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	tls         func() (*tls.Config, error) // nil: without; files are read anew for each connection
	noKeepAlive bool
	nagle       bool
	sendBuffer  int // bytes; 0: the system's
	readBuffer  int // bytes; 0: the system's

	watch watch
}

// watch holds the connections that are being tried, so that giving up ends them: the client would
// wait out its own time limits on each.
type watch struct {
	mu     sync.Mutex
	on     bool
	given  bool // up
	opened []net.Conn
}

var errGivenUp = errors.New("given up")

func (w *watch) add(c net.Conn) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.given {
		return errGivenUp
	}
	if w.on {
		w.opened = append(w.opened, c)
	}
	return nil
}

func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = true
}

func (w *watch) giveUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = true
	for _, c := range w.opened {
		_ = c.Close()
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on, w.opened = false, nil
}

// DialContext is what franz-go calls; the timeout holds for connection and TLS handshake together.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if d.network != "" {
		network = d.network
	}
	dial := d.dial
	if dial == nil {
		nd := &net.Dialer{}
		if d.noKeepAlive {
			nd.KeepAlive = -1
		}
		dial = nd.DialContext
	}
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := d.watch.add(conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if err := d.tune(conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set the socket of %s: %w", addr, err)
	}
	if d.tls == nil {
		return conn, nil
	}
	conf, err := d.tls()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("find the server's name in %s: %w", addr, err)
		}
		conf.ServerName = host
	}
	secure := tls.Client(conn, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, &handshakeError{addr, err}
	}
	return secure, nil
}

func (d *dialer) tune(conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	if d.nagle {
		if err := tcp.SetNoDelay(false); err != nil {
			return err
		}
	}
	if d.sendBuffer > 0 {
		if err := tcp.SetWriteBuffer(d.sendBuffer); err != nil {
			return err
		}
	}
	if d.readBuffer > 0 {
		return tcp.SetReadBuffer(d.readBuffer)
	}
	return nil
}

// handshakeError says that the connection stood and TLS did not.
type handshakeError struct {
	addr string
	err  error
}

func (e *handshakeError) Error() string {
	return fmt.Sprintf("TLS handshake with %s: %v", e.addr, e.err)
}
func (e *handshakeError) Unwrap() error { return e.err }

// logger hands franz-go's messages to slog. Its informational ones are ours at debug level: they
// tell the client's inner life, not the service's.
type logger struct{ to *slog.Logger }

func (l logger) level() slog.Level {
	switch ctx := context.Background(); {
	case l.to.Enabled(ctx, slog.LevelDebug):
		return slog.LevelDebug
	case l.to.Enabled(ctx, slog.LevelWarn):
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// Level is how much franz-go should say.
func (l logger) Level() kgo.LogLevel {
	switch l.level() {
	case slog.LevelDebug:
		return kgo.LogLevelInfo
	case slog.LevelWarn:
		return kgo.LogLevelWarn
	default:
		return kgo.LogLevelError
	}
}

// Log is franz-go's message as one record.
func (l logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError, kgo.LogLevelWarn:
		to = slog.LevelWarn // the client goes on trying: what ends, comes as an error from its call
	}
	l.to.Log(context.Background(), to, "kafka client: "+strings.TrimSuffix(msg, "."), keyvals...)
}
