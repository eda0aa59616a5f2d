package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"

	"modernc.org/sqlite"
)

// readerCache bounds the pages that a reader keeps, in KiB: there are several per file and several files
// in a process, SQLite's own 2 MiB for each adds up, and what a reader misses the system's cache has.
const readerCache = "cache_size(-512)"

// sqliteDSN is the driver's name of a connection. The busy timeout stays 0: see knock.
func sqliteDSN(path string, sync Synchronous, mode mode) string {
	q := url.Values{
		"_busy_timeout": {"0"},
		"_journal_mode": {"WAL"},
		"_foreign_keys": {"1"},
		"_synchronous":  {"FULL"},
		"_timezone":     {"UTC"},
	}
	if sync == Normal {
		q.Set("_synchronous", "NORMAL")
	}
	if mode == readOnly {
		q.Set("_query_only", "1")
		q.Set("_pragma", readerCache)
		q.Del("_journal_mode") // the writer has set it, it lives in the file
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// sqliteConnector opens connections that keep their prepared statements.
type sqliteConnector struct {
	dsn  string
	mode mode
}

func (c *sqliteConnector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c *sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := sqlite.NewConnector(c.dsn)
	if err != nil {
		return nil, err
	}
	conn, err := inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(liteConn)
	if !ok {
		_ = conn.Close()
		return nil, errors.New("the SQLite driver lacks prepared statements with contexts")
	}
	return &sqliteConn{liteConn: full, mode: c.mode, stmts: map[string]*sqliteStmt{}}, nil
}

// liteConn is what we need of the driver's connection.
type liteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.SessionResetter
	driver.Validator
}

// maxStatements bounds the prepared statements of a connection. A service has some dozens.
const maxStatements = 256

// sqliteConn is a connection that prepares each statement once, begins as a writer must, and
// refuses to go on in a transaction that SQLite has ended on its own.
type sqliteConn struct {
	liteConn
	mode  mode
	stmts map[string]*sqliteStmt
	ended error // why the open transaction is over although nobody ended it
}

// sqliteStmt is a prepared statement; open while a caller still reads its rows.
type sqliteStmt struct {
	driver.Stmt
	query string
	open  bool
}

// statement takes the prepared statement, or prepares one of its own where that is in use.
func (c *sqliteConn) statement(ctx context.Context, query string) (*sqliteStmt, error) {
	if c.ended != nil {
		return nil, fmt.Errorf("the transaction is over since a statement ended with: %w", c.ended)
	}
	if s := c.stmts[query]; s != nil && !s.open {
		return s, nil
	}
	inner, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &sqliteStmt{Stmt: inner, query: query}
	if c.stmts[query] == nil {
		c.keep(s)
	}
	return s, nil
}

// keep remembers a statement and lets go of any other one if there are too many.
func (c *sqliteConn) keep(s *sqliteStmt) {
	if len(c.stmts) >= maxStatements {
		for query, old := range c.stmts {
			if !old.open {
				delete(c.stmts, query)
				_ = old.Close()
				break
			}
		}
	}
	c.stmts[s.query] = s
}

// done closes a statement that is not kept.
func (c *sqliteConn) done(s *sqliteStmt) {
	s.open = false
	if c.stmts[s.query] != s {
		_ = s.Close()
	}
}

// ExecContext runs a statement, or several without arguments.
func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	defer c.done(s)
	r, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return r, c.check(err)
}

// QueryContext runs a query.
func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		c.done(s)
		return nil, c.check(err)
	}
	s.open = true
	return newSQLiteRows(rows, c, s), nil
}

// check keeps in mind an error that may have ended the transaction.
func (c *sqliteConn) check(err error) error {
	if err != nil && endsTransaction(err) {
		c.ended = err
	}
	return err
}

// ended is the context key of the function to call when the transaction is over, whoever ends it.
type ended struct{}

// BeginTx takes the write lock at once on the writer: a transaction that asks for it later can fail
// at that point, and nothing but starting anew helps.
func (c *sqliteConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	begin := "begin immediate"
	if c.mode == readOnly {
		begin = "begin"
	}
	c.ended = nil
	if _, err := c.ExecContext(context.Background(), begin, nil); err != nil {
		c.ended = nil
		return nil, err
	}
	over, _ := ctx.Value(ended{}).(func())
	return &sqliteTx{conn: c, over: over}, nil
}

// sqliteTx ends a transaction.
type sqliteTx struct {
	conn *sqliteConn
	over func()
}

// Commit leaves no transaction open, also where it fails.
func (t *sqliteTx) Commit() error {
	if err := t.conn.ended; err != nil {
		_ = t.Rollback()
		return fmt.Errorf("the transaction was over since a statement ended with: %w", err)
	}
	if _, err := t.conn.ExecContext(context.Background(), "commit", nil); err != nil {
		_ = t.Rollback()
		return err
	}
	t.end()
	return nil
}

// Rollback undoes what is left to undo.
func (t *sqliteTx) Rollback() error {
	wasOver := t.conn.ended != nil
	t.conn.ended = nil
	_, err := t.conn.ExecContext(context.Background(), "rollback", nil)
	t.end()
	if wasOver {
		return nil // SQLite may have rolled back before us
	}
	return err
}

func (t *sqliteTx) end() {
	if t.over != nil {
		t.over()
	}
}

// Close lets go of the statements first.
func (c *sqliteConn) Close() error {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	return c.liteConn.Close()
}
