package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

// pgSession is a transaction on a connection of the pool.
type pgSession struct {
	engine  *pgEngine
	shared  *stdlib.Conn
	conn    *pgx.Conn
	mode    mode
	stop    func() bool // keeps the end of the context from cutting the connection
	begun   bool
	over    bool
	aborted error // why the first statement, and with it the transaction, did not begin
	open    *pgCursor
	bridge  *bridge
	kept    []parting // for the commit
}

var (
	errAborted = errors.New("transaction is aborted by an earlier error of a statement")
	errOver    = errors.New("transaction is over: it lives as long as the function that got it")
)

// cut makes a commit impossible whatever fn does: without its connection the server rolls back.
func (s *pgSession) cut() { _ = s.conn.PgConn().Conn().Close() }

// begin begins the transaction where no statement is at hand to travel with.
func (s *pgSession) begin(ctx context.Context) error {
	if s.over {
		return errOver
	}
	if s.begun || s.aborted != nil {
		return s.aborted
	}
	_, err := s.simple(ctx, "")
	return err
}

// simple begins and runs one statement, or several, without arguments, in one round trip.
func (s *pgSession) simple(ctx context.Context, query string) (pgconn.CommandTag, error) {
	begin := strings.Join(s.engine.begins[s.mode], "; ") + "; "
	results, err := s.conn.PgConn().Exec(ctx, begin+query).ReadAll()
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Position > 0 {
		pg.Position -= int32(utf8.RuneCountInString(begin))
	}
	if err = s.started(err); err != nil || len(results) == 0 {
		return pgconn.CommandTag{}, err
	}
	return results[len(results)-1].CommandTag, nil
}

// started notes whether the server is in a transaction now.
func (s *pgSession) started(err error) error {
	s.begun = s.conn.PgConn().TxStatus() != 'I'
	if err != nil && !s.begun {
		s.aborted = fmt.Errorf("%w: %w", errAborted, err)
	}
	return err
}

// batch is the begin and one statement as one packet.
func (s *pgSession) batch(ctx context.Context, query string, args []any) (pgx.BatchResults, error) {
	begin := s.engine.begins[s.mode]
	b := &pgx.Batch{}
	for _, statement := range begin {
		b.Queue(statement)
	}
	b.Queue(query, args...)
	results := s.conn.SendBatch(ctx, b)
	for range begin {
		if _, err := results.Exec(); err != nil {
			_ = results.Close()
			return nil, s.started(err)
		}
	}
	return results, nil
}

// ready is called before every statement. It reports whether the statement has to bring the begin.
func (s *pgSession) ready(ctx context.Context) (first bool, err error) {
	switch {
	case s.over: // the connection is somebody else's by now
		return false, errOver
	case s.aborted != nil:
		return false, s.aborted
	}
	if !s.begun && s.engine.pooled { // a pooler might prepare in one session and run in another
		return false, s.begin(ctx)
	}
	return !s.begun, nil
}

func (s *pgSession) exec(ctx context.Context, query string, args []any) (int64, error) {
	first, err := s.ready(ctx)
	if err != nil {
		return 0, err
	}
	var tag pgconn.CommandTag
	switch {
	case !first:
		tag, err = s.conn.Exec(ctx, query, values(args)...)
	case len(args) == 0:
		tag, err = s.simple(ctx, query)
	default:
		var results pgx.BatchResults
		if results, err = s.batch(ctx, query, values(args)); err != nil {
			return 0, err
		}
		tag, err = results.Exec()
		if closed := results.Close(); err == nil {
			err = closed
		}
		err = s.started(err)
	}
	return tag.RowsAffected(), err
}

func (s *pgSession) query(ctx context.Context, query string, args []any) (cursor, error) {
	first, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	c := &pgCursor{session: s}
	if !first {
		c.rows, err = s.conn.Query(ctx, query, values(args)...)
	} else {
		if c.results, err = s.batch(ctx, query, values(args)); err != nil {
			return nil, err
		}
		c.rows, err = c.results.Query()
	}
	if err != nil {
		_ = c.close()
		return nil, err
	}
	s.open = c
	return c, nil
}

func (s *pgSession) commit(ctx context.Context) error {
	s.closeViews()
	if s.aborted != nil {
		return s.aborted
	}
	if !s.stop() {
		return context.Cause(ctx)
	}
	if !s.begun && len(s.kept) == 0 {
		s.release()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	tag, open, err := s.end(ctx)
	if open {
		return explain(err)
	}
	defer s.release()
	switch {
	case err == nil && tag.String() == "ROLLBACK":
		return errAborted
	case err == nil:
		return nil
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && !strings.HasPrefix(pg.Code, "57P") {
		return explain(err)
	}
	return &Error{Err: fmt.Errorf("%w: %w", ErrCommitUnknown, err), fault: faultAway}
}

func (s *pgSession) rollback() {
	if s.over {
		return
	}
	s.closeViews()
	s.stop()
	if s.conn.PgConn().TxStatus() != 'I' && !s.conn.IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), rollbackWithin)
		defer cancel()
		_, _ = s.conn.Exec(ctx, "rollback") // the pool throws a connection away that is still in a transaction
	}
	s.release()
}

// release gives the connection back.
func (s *pgSession) release() {
	s.over = true
	_ = s.shared.Close()
}

// closeViews ends what fn left open.
func (s *pgSession) closeViews() {
	if s.open != nil {
		_ = s.open.close()
	}
	if s.bridge != nil {
		s.bridge.end()
		s.bridge = nil
	}
}

func (s *pgSession) lost() bool { return !s.over && s.conn.IsClosed() }

func (s *pgSession) sql() *sql.Tx {
	if s.bridge == nil {
		s.bridge = newBridge(s)
	}
	return s.bridge.tx
}

func (s *pgSession) pgx(ctx context.Context) (pgx.Tx, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: ";"}) // begun already: only its Go half
	if err != nil {
		return nil, err
	}
	return pgView{tx}, nil
}

// pgCursor reads pgx's rows; results is the batch that they came in, if any.
type pgCursor struct {
	session *pgSession
	rows    pgx.Rows
	results pgx.BatchResults
	failed  error
	closed  bool
	binary  bool // Raw is possible; set with asked
	asked   bool
}

func (c *pgCursor) next() bool {
	if c.rows.Next() {
		return true
	}
	_ = c.close()
	return false
}

func (c *pgCursor) scan(dest []any) error { return c.rows.Scan(dest...) }

func (c *pgCursor) raw() [][]byte {
	if !c.asked {
		c.asked, c.binary = true, hasRaw(c.rows)
	}
	if !c.binary {
		return nil
	}
	return c.rows.RawValues()
}

// hasRaw says whether each column comes in binary, or as text that is the same in both forms.
func hasRaw(rows pgx.Rows) bool {
	for _, f := range rows.FieldDescriptions() {
		if f.Format != pgtype.BinaryFormatCode && f.DataTypeOID != pgtype.TextOID && f.DataTypeOID != pgtype.VarcharOID {
			return false
		}
	}
	return true
}

func (c *pgCursor) err() error { return c.failed }

func (c *pgCursor) close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.session.open = nil
	if c.rows != nil {
		c.rows.Close()
		c.failed = c.rows.Err()
	}
	if c.results != nil {
		if err := c.results.Close(); c.failed == nil {
			c.failed = err
		}
		c.failed = c.session.started(c.failed)
	}
	return c.failed
}
