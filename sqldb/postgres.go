package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// pgEngine is a pool of connections to one PostgreSQL database.
type pgEngine struct {
	pool      *pgxpool.Pool
	connector driver.Connector // the same pool in the shape that database/sql can share
	wait      time.Duration
	pooled    bool              // a transaction pooler stands between: nothing may live in the session
	begins    map[mode][]string // the statements that begin a transaction, its own settings included
}

const (
	openWithin     = 10 * time.Second
	connectWithin  = 5 * time.Second
	rollbackWithin = 5 * time.Second
	commitWithin   = 30 * time.Second
)

// timeouts are the server's settings that a URL may override, and their defaults.
var timeouts = []struct{ name, value string }{
	{"statement_timeout", "30s"},
	{"lock_timeout", "10s"},
	{"idle_in_transaction_session_timeout", "60s"},
}

func openPostgres(ctx context.Context, cfg Config) (engine, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openWithin, fmt.Errorf("no answer within %v", openWithin))
	defer cancel()
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, &Error{Err: err, Hint: "give postgres://user:password@host:5432/name?sslmode=verify-full"}
	}
	e := &pgEngine{wait: cfg.Wait}
	settings := takeSettings(pc.ConnConfig, cfg.Schema)
	if e.pooled, err = behindPooler(ctx, pc.ConnConfig); err != nil {
		return nil, explain(err)
	}
	var local []string
	if e.pooled {
		local = settings.statements()
	} else {
		for _, s := range settings {
			pc.ConnConfig.RuntimeParams[s.name] = s.value
		}
		// Statements are prepared before the transaction begins, under the session's search_path;
		// the transaction sets its own again, so that no session's remains matter to it.
		if cfg.Schema != "" {
			local = settings[:1].statements()
		}
	}
	e.begins = map[mode][]string{
		readWrite: append([]string{"begin"}, local...),
		readOnly:  append([]string{"begin isolation level repeatable read read only"}, local...),
	}
	if e.pooled && pc.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pc.MaxConns = int32(cfg.MaxConns)
	pc.AfterConnect = timesInUTC
	if e.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return nil, explain(err)
	}
	e.connector = stdlib.GetPoolConnector(e.pool)
	return e, nil
}

func (e *pgEngine) close() { e.pool.Close() }

// begin takes a connection. The transaction begins with its first statement, in one packet with it.
func (e *pgEngine) begin(ctx context.Context, mode mode) (session, error) {
	limited, cancel := context.WithTimeout(ctx, e.wait)
	defer cancel()
	c, err := e.connector.Connect(limited)
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return nil, &Error{
				Err: fmt.Errorf("no connection was free within %v: %w", e.wait, err), fault: faultAway,
				Hint: fmt.Sprintf("all %d connections are in use: raise MaxConns or shorten the transactions", e.pool.Config().MaxConns),
			}
		}
		if err = explain(err); faultOf(err) == faultNone { // without a connection no statement is at fault
			err = &Error{Err: err, fault: faultAway}
		}
		return nil, err
	}
	shared := c.(*stdlib.Conn)
	s := &pgSession{engine: e, shared: shared, conn: shared.Conn(), mode: mode}
	s.stop = context.AfterFunc(ctx, s.cut)
	return s, nil
}
