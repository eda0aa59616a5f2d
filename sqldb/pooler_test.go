package sqldb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest/sql"
	"github.com/leatdev/leat/sqldb"
)

// pooler stands between a client and PostgreSQL as PgBouncer does in transaction mode: each
// transaction runs on another server connection than the last one, it refuses settings in the
// greeting that it does not know, and nothing of a session is carried along.
type pooler struct {
	t       *testing.T
	servers chan *pgconn.HijackedConn
	refused atomic.Int32
}

func startPooler(t *testing.T, d *sql.Database) (_ *pooler, front string) {
	t.Helper()
	p := &pooler{t: t, servers: make(chan *pgconn.HijackedConn, 4)}
	for range cap(p.servers) {
		conn, err := pgx.Connect(t.Context(), d.URL)
		if err != nil {
			t.Fatal(err)
		}
		server, err := conn.PgConn().Hijack()
		if err != nil {
			t.Fatal(err)
		}
		p.servers <- server
		t.Cleanup(func() { _ = server.Conn.Close() })
	}
	return p, listen(t, d, p.serve)
}

// listen has serve handle each connection to an address that takes the server's place in the URL.
func listen(t *testing.T, d *sql.Database, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = l.Close() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer client.Close()
				serve(client)
			})
		}
	})
	at, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.Host = l.Addr().String()
	return at.String()
}

func (p *pooler) serve(client net.Conn) {
	c := pgproto3.NewBackend(client, client)
	if !p.greet(c) {
		return
	}
	for p.transaction(c) {
	}
}

func (p *pooler) greet(c *pgproto3.Backend) bool {
	first, err := c.ReceiveStartupMessage()
	start, ok := first.(*pgproto3.StartupMessage)
	if err != nil || !ok {
		return false
	}
	for name := range start.Parameters {
		switch name {
		case "user", "database", "application_name", "client_encoding":
		default:
			p.refused.Add(1)
			c.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter: " + name})
			_ = c.Flush()
			return false
		}
	}
	c.Send(&pgproto3.AuthenticationOk{})
	c.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	c.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	c.Send(&pgproto3.BackendKeyData{ProcessID: 4711, SecretKey: []byte{1, 2, 3, 4}})
	c.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return c.Flush() == nil
}

// transaction passes messages on until the server is idle again.
func (p *pooler) transaction(c *pgproto3.Backend) bool {
	message, err := c.Receive()
	if err != nil {
		return false
	}
	server := <-p.servers
	defer func() { p.servers <- server }() // to the end of the queue: the next one gets another
	for {
		if _, bye := message.(*pgproto3.Terminate); bye {
			return false
		}
		server.Frontend.Send(message)
		switch message.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
			idle, err := p.answer(server, c)
			if err != nil || idle {
				return err == nil
			}
		}
		if message, err = c.Receive(); err != nil {
			server.Frontend.SendQuery(&pgproto3.Query{String: "rollback"}) // the client went inside a transaction
			_, _ = p.answer(server, pgproto3.NewBackend(nil, discard{}))
			return false
		}
	}
}

// answer passes on what the server says until it is ready.
func (p *pooler) answer(server *pgconn.HijackedConn, c *pgproto3.Backend) (idle bool, err error) {
	if err := server.Frontend.Flush(); err != nil {
		return false, err
	}
	for {
		m, err := server.Frontend.Receive()
		if err != nil {
			return false, err
		}
		c.Send(m)
		if ready, ok := m.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus == 'I', c.Flush()
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestWorksBehindATransactionPooler(t *testing.T) {
	t.Parallel()
	p, front := startPooler(t, sql.Postgres(t))
	db := open(t, front)
	migrate(t, db, oneTable)
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for i := range 20 {
				must(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
					n := worker*20 + i
					var sum, one int
					if err := tx.QueryRow(ctx, `select count(*), $1::bigint from n where n = $1`, n).Scan(&sum, &one); err != nil {
						return err
					}
					if err := insert(ctx, tx, n); err != nil {
						return err
					}
					if _, err := tx.SQL().ExecContext(ctx, `update n set n = n where n = $1`, n); err != nil {
						return err
					}
					var path, timeout string
					err := tx.QueryRow(ctx, `select current_setting('search_path'), current_setting('lock_timeout')`).Scan(&path, &timeout)
					if path != `"shop"` && path != "shop" || timeout != "10s" {
						return fmt.Errorf("search_path %s, lock_timeout %s", path, timeout)
					}
					return err
				})
			}
		})
	}
	wg.Wait()
	if n := number(t, db, `select count(*) from n`); n != 60 {
		t.Errorf("%d rows, want 60", n)
	}
	if n := p.refused.Load(); n != 0 {
		t.Errorf("the pooler refused %d greetings", n)
	}
	if token, err := db.Lease(sqldb.LeaseConfig{Name: "x", TTL: time.Minute}).Acquire(t.Context()); err != nil || token != 1 {
		t.Errorf("lease: %d, %v", token, err)
	}
}

// Each time the direction turns is a wait of the network's length.
func TestTransactionOfOneStatementIsTwoRoundTrips(t *testing.T) {
	t.Parallel()
	d := sql.Postgres(t)
	var trips atomic.Int64
	front := listen(t, d, func(client net.Conn) {
		server := dial(t, d)
		defer server.Close()
		var toServer atomic.Bool
		go pass(client, server, func([]byte) bool {
			if !toServer.Swap(true) {
				trips.Add(1)
			}
			return true
		})
		pass(server, client, func([]byte) bool { toServer.Store(false); return true })
	})
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: front, Schema: "shop", MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	migrate(t, db, oneTable)
	tests := map[string]struct {
		want int64
		act  func(n int) error
	}{
		"one statement": {2, func(n int) error {
			return db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, n) })
		}},
		"two statements": {3, func(n int) error {
			return db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				if err := insert(ctx, tx, n+10); err != nil {
					return err
				}
				return insert(ctx, tx, n+20)
			})
		}},
		"nothing": {0, func(int) error {
			return db.Tx(t.Context(), func(context.Context, *sqldb.Tx) error { return nil })
		}},
	}
	for name, test := range tests {
		least := int64(1000) // the first one prepares, and a connection that was idle for a second is asked first
		for n := range 5 {
			before := trips.Load()
			if err := test.act(n); err != nil {
				t.Fatal(err)
			}
			least = min(least, trips.Load()-before)
		}
		if least != test.want {
			t.Errorf("%s: %d round trips, want %d", name, least, test.want)
		}
	}
}

// A commit whose answer gets lost may have happened or not, and the caller is told just that.
func TestLostAnswerToTheCommitIsUnknown(t *testing.T) {
	t.Parallel()
	d := sql.Postgres(t)
	for _, happens := range []bool{true, false} {
		var armed atomic.Bool
		front := listen(t, d, func(client net.Conn) {
			server := dial(t, d)
			defer server.Close()
			var deaf atomic.Bool
			go pass(client, server, func(chunk []byte) bool {
				if bytes.Contains(chunk, []byte("commit\x00")) && armed.CompareAndSwap(true, false) {
					deaf.Store(true)
					return happens
				}
				return true
			})
			pass(server, client, func([]byte) bool { return !deaf.Load() })
		})
		db := open(t, front)
		migrate(t, db, oneTable)
		exec(t, db, `delete from n`)
		armed.Store(true)
		err := db.Tx(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error { return insert(ctx, tx, 1) })
		if !leat.IsUnavailable(err) || !errors.Is(err, sqldb.ErrCommitUnknown) {
			t.Errorf("happens %t: got %v, want unavailable and unknown", happens, err)
		}
		if n := number(t, db, `select count(*) from n`); (n == 1) != happens {
			t.Errorf("happens %t: %d rows", happens, n)
		}
	}
}

// dial connects to the server of a database.
func dial(t *testing.T, d *sql.Database) net.Conn {
	t.Helper()
	at, err := pgx.ParseConfig(d.URL)
	if err != nil {
		t.Error(err)
		return nil
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(at.Host, fmt.Sprint(at.Port)))
	if err != nil {
		t.Error(err)
	}
	return conn
}

// pass copies chunk by chunk as long as go on says so, and ends both ways when it does not.
func pass(from, to net.Conn, goOn func(chunk []byte) bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !goOn(buf[:n]) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
