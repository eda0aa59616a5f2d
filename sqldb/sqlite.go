package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leatdev/leat"
)

// sqliteEngine is one file: a writer behind the file's gate and some readers.
type sqliteEngine struct {
	path   string
	gate   *gate
	wait   time.Duration
	writer *sql.DB
	reader *sql.DB
}

// knock is how often a lock is tried that another process holds. SQLite's own busy timeout would
// sleep in the operating system, which stops the clock of a bubble and can't be cancelled.
var knock = leat.Retry{Attempts: -1, Base: 2 * time.Millisecond, Max: 50 * time.Millisecond}

func openSQLite(ctx context.Context, cfg Config) (engine, error) {
	path, err := cfg.path()
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", cfg.URL, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, explain(fmt.Errorf("make the directory of the database: %w", err))
	}
	writer := sql.OpenDB(&sqliteConnector{dsn: sqliteDSN(path, cfg.Synchronous, readWrite), mode: readWrite})
	writer.SetMaxOpenConns(1)
	e := &sqliteEngine{wait: cfg.Wait, writer: writer}
	// The first connection makes the file and its WAL, both under the file's lock.
	if err := e.untilFree(ctx, func() error { return writer.PingContext(ctx) }); err != nil {
		_ = writer.Close()
		return nil, fmt.Errorf("open %s: %w", path, explain(err))
	}
	if e.path, err = filepath.EvalSymlinks(path); err != nil {
		_ = writer.Close()
		return nil, fmt.Errorf("resolve %s: %w", path, err)
	}
	e.gate = openGate(e.path)
	e.reader = sql.OpenDB(&sqliteConnector{dsn: sqliteDSN(path, cfg.Synchronous, readOnly), mode: readOnly})
	e.reader.SetMaxOpenConns(cfg.MaxConns)
	e.reader.SetMaxIdleConns(cfg.MaxConns)
	return e, nil
}

func (e *sqliteEngine) close() {
	_ = e.reader.Close()
	// A writer that is closed while a transaction is open would end it half way.
	_ = e.gate.enter(context.Background())
	_ = e.writer.Close()
	e.gate.leave()
	e.gate.close(e.path)
}

// begin waits for the gate and then for the file's lock, which another process may hold.
func (e *sqliteEngine) begin(ctx context.Context, mode mode) (session, error) {
	if mode == readOnly {
		return e.beginReader(ctx)
	}
	if err := e.gate.enter(ctx); err != nil {
		return nil, err
	}
	s := &sqliteSession{leave: sync.OnceFunc(e.gate.leave)}
	err := e.untilFree(ctx, func() (err error) {
		s.tx, err = e.writer.BeginTx(context.WithValue(ctx, ended{}, s.leave), nil)
		return err
	})
	if err != nil {
		s.leave()
		return nil, explain(err)
	}
	return s, nil
}

func (e *sqliteEngine) beginReader(ctx context.Context) (session, error) {
	s := &sqliteSession{leave: func() {}}
	err := e.untilFree(ctx, func() (err error) {
		s.tx, err = e.reader.BeginTx(ctx, nil)
		return err
	})
	if err != nil {
		return nil, explain(err)
	}
	return s, nil
}

// untilFree repeats act while another process holds the file's lock, up to the configured wait.
func (e *sqliteEngine) untilFree(ctx context.Context, act func() error) error {
	deadline := time.Now().Add(e.wait)
	for attempt := 1; ; attempt++ {
		err := act()
		if err == nil || !isBusy(err) {
			return err
		}
		if !time.Now().Before(deadline) {
			return &Error{Err: err, Hint: hintFor(err), fault: faultAway}
		}
		if err := pause(ctx, knock.Delay(attempt, rand.Float64())); err != nil {
			return err
		}
	}
}

// sqliteSession is a transaction on the one writer or on a reader.
type sqliteSession struct {
	tx    *sql.Tx
	leave func() // opens the gate for the next writer, once
}

func (s *sqliteSession) exec(ctx context.Context, query string, args []any) (int64, error) {
	r, err := s.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s *sqliteSession) query(ctx context.Context, query string, args []any) (cursor, error) {
	rows, err := s.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return sqlCursor{rows}, nil
}

func (s *sqliteSession) last(string, []any) bool { return false }

func (s *sqliteSession) sql() *sql.Tx { return s.tx }

func (s *sqliteSession) pgx(context.Context) (pgx.Tx, error) {
	return nil, errors.New("pgx transaction: the database is SQLite: use tx.SQL")
}

// commit is refused by database/sql once ctx has ended: the watcher that BeginTx started has then
// rolled back, or is about to.
func (s *sqliteSession) commit(ctx context.Context) error {
	defer s.leave()
	err := s.tx.Commit()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return explain(err)
}

func (s *sqliteSession) rollback() {
	_ = s.tx.Rollback() // an error means that it is over already
	s.leave()
}

func (s *sqliteSession) lost() bool { return false }

// sqlCursor reads database/sql's rows.
type sqlCursor struct{ rows *sql.Rows }

func (c sqlCursor) next() bool   { return c.rows.Next() }
func (c sqlCursor) err() error   { return c.rows.Err() }
func (c sqlCursor) close() error { return c.rows.Close() }

// scan also reads a time out of an expression, whose text SQLite gives no type. dest is the caller's:
// it is copied before it is changed.
func (c sqlCursor) raw() [][]byte { return nil }

func (c sqlCursor) scan(dest []any) error {
	copied := false
	for i, d := range dest {
		var into timeScanner
		switch d := d.(type) {
		case *time.Time:
			into = timeScanner{set: func(t time.Time) { *d = t }}
		case **time.Time:
			into = timeScanner{set: func(t time.Time) { *d = &t }, null: func() { *d = nil }}
		case *sql.NullTime:
			into = timeScanner{set: func(t time.Time) { *d = sql.NullTime{Time: t, Valid: true} }, null: func() { *d = sql.NullTime{} }}
		default:
			continue
		}
		if !copied {
			dest, copied = append([]any(nil), dest...), true
		}
		dest[i] = into
	}
	return c.rows.Scan(dest...)
}
