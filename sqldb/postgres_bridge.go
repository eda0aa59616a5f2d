package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

var errNotYours = errors.New("DB.Tx ends this transaction: return nil to commit, an error to roll back")

// pgView is a transaction in pgx's shape that can't be ended by it.
type pgView struct{ pgx.Tx }

func (pgView) Commit(context.Context) error   { return errNotYours }
func (pgView) Rollback(context.Context) error { return errNotYours }

// bridge is a transaction in the shape of database/sql: a pool of this one connection.
type bridge struct {
	*stdlib.Conn
	session *pgSession
	db      *sql.DB
	tx      *sql.Tx
	ending  bool
}

func newBridge(s *pgSession) *bridge {
	b := &bridge{Conn: s.shared, session: s}
	b.db = sql.OpenDB(b)
	b.db.SetMaxOpenConns(1)
	var err error
	if b.tx, err = b.db.BeginTx(context.Background(), nil); err != nil {
		panic(fmt.Sprintf("a begin without I/O went wrong: %v", err))
	}
	return b
}

// end ends the view, its statements and its rows.
func (b *bridge) end() {
	b.ending = true
	_ = b.tx.Rollback()
	_ = b.db.Close()
}

// Connect, Driver, Close, ResetSession and BeginTx do nothing: connection and transaction are there.
func (b *bridge) Connect(context.Context) (driver.Conn, error) { return b, nil }
func (b *bridge) Driver() driver.Driver                        { return stdlib.GetDefaultDriver() }
func (b *bridge) Close() error                                 { return nil }
func (b *bridge) ResetSession(context.Context) error           { return nil }
func (b *bridge) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return bridgeTx{b}, nil
}

func (b *bridge) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := b.session.begin(ctx); err != nil {
		return nil, err
	}
	return b.Conn.PrepareContext(ctx, query)
}

func (b *bridge) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := b.session.begin(ctx); err != nil {
		return nil, err
	}
	return b.Conn.ExecContext(ctx, query, args)
}

func (b *bridge) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := b.session.begin(ctx); err != nil {
		return nil, err
	}
	return b.Conn.QueryContext(ctx, query, args)
}

type bridgeTx struct{ b *bridge }

func (t bridgeTx) Commit() error   { return t.refuse() }
func (t bridgeTx) Rollback() error { return t.refuse() }

func (t bridgeTx) refuse() error {
	if t.b.ending {
		return nil
	}
	return errNotYours
}
