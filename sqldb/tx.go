package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Tx is a transaction. It lives as long as the function that got it and is for one goroutine at a
// time. The SQL is the database's own; placeholders are $1, $2 on both.
type Tx struct {
	session session
	dialect Dialect
	before  []func(context.Context) error
	after   []func()
	ran     int   // how many of before have run
	ending  bool  // fn is through: what comes now is the transaction's end
	depth   int   // open savepoints
	trouble error // the last error of the infrastructure's making that a statement met
}

// session is the open transaction of one engine.
type session interface {
	exec(ctx context.Context, query string, args []any) (int64, error)
	query(ctx context.Context, query string, args []any) (cursor, error)
	sql() *sql.Tx
	pgx(ctx context.Context) (pgx.Tx, error)
	commit(ctx context.Context) error
	rollback()
	lost() bool // the connection is gone
	// last keeps a statement for the commit; false: it must run at once.
	last(query string, args []any) bool
}

// Dialect is the kind of database.
func (tx *Tx) Dialect() Dialect { return tx.dialect }

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	n, err := tx.session.exec(ctx, query, args)
	return n, tx.note(err)
}

// ExecLast is Exec for a statement of a BeforeCommit function whose answer nobody needs. On PostgreSQL
// it travels with the commit, which saves a round trip, and its error is the commit's: then nothing is
// committed. Statements of later BeforeCommit functions run before it.
func (tx *Tx) ExecLast(ctx context.Context, query string, args ...any) error {
	if tx.ending && tx.session.last(query, args) {
		return nil
	}
	_, err := tx.Exec(ctx, query, args...)
	return err
}

// Query runs a query. The rows must be closed before the next statement; reading them to the end
// closes them.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	c, err := tx.session.query(ctx, query, args)
	if err != nil {
		return nil, tx.note(err)
	}
	return &Rows{cursor: c, tx: tx}, nil
}

// QueryRow runs a query for its first row. Errors come out of Scan.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := tx.Query(ctx, query, args...)
	return Row{rows: rows, err: err}
}

// SQL is the same transaction for what speaks database/sql: sqlc, gorm, ent. Leave Commit and Rollback
// to DB.Tx. It is nil for a transaction that JoinPgx joined.
func (tx *Tx) SQL() *sql.Tx { return tx.session.sql() }

// Pgx is the same transaction for what speaks pgx. Its Commit and Rollback are refused. On SQLite it
// answers with an error.
func (tx *Tx) Pgx(ctx context.Context) (pgx.Tx, error) {
	t, err := tx.session.pgx(ctx)
	return t, tx.note(err)
}

// BeforeCommit has f run right before the commit, after fn, in the order of registration. An error
// of f rolls the transaction back. f may register more.
func (tx *Tx) BeforeCommit(f func(ctx context.Context) error) { tx.before = append(tx.before, f) }

// AfterCommit has f run after a commit that is known to have succeeded, never otherwise: a signal,
// not a promise.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// Savepoint runs fn so that its error, or its panic, undoes what fn did and nothing else, and returns
// that error. What fn registered with BeforeCommit and AfterCommit goes with it.
func (tx *Tx) Savepoint(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	name := "leat_" + strconv.Itoa(tx.depth+1)
	if _, err := tx.Exec(ctx, "savepoint "+name); err != nil {
		return fmt.Errorf("set savepoint: %w", err)
	}
	tx.depth++
	before, after, trouble, kept := len(tx.before), len(tx.after), tx.trouble, false
	defer func() {
		tx.depth--
		if kept {
			return
		}
		tx.before, tx.after = tx.before[:before], tx.after[:after]
		if _, undo := tx.Exec(ctx, "rollback to savepoint "+name); undo != nil {
			err = errors.Join(err, fmt.Errorf("roll back to savepoint: %w", undo))
			return
		}
		tx.trouble = trouble // what it met is undone with it
		if _, undo := tx.Exec(ctx, "release savepoint "+name); undo != nil {
			err = errors.Join(err, fmt.Errorf("release savepoint: %w", undo))
		}
	}()
	if err := fn(ctx); err != nil {
		return err
	}
	// This fails if fn swallowed an error that aborted the transaction.
	if _, err := tx.Exec(ctx, "release savepoint "+name); err != nil {
		return fmt.Errorf("release savepoint: %w", err)
	}
	kept = true
	return nil
}

// Flush runs the BeforeCommit functions of a transaction that was joined. Whoever began it calls
// Flush right before the commit.
func (tx *Tx) Flush(ctx context.Context) error { return tx.runBefore(ctx) }

// Committed runs the AfterCommit functions of a transaction that was joined. Whoever began it calls
// Committed after the commit.
func (tx *Tx) Committed() { tx.runAfter() }

func (tx *Tx) runBefore(ctx context.Context) error {
	for ; tx.ran < len(tx.before); tx.ran++ {
		if err := tx.before[tx.ran](ctx); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) runAfter() {
	for i := 0; i < len(tx.after); i++ {
		tx.after[i]()
	}
	tx.after = nil
}

// note adds what to try to an error of the driver and remembers trouble that fn may hide.
func (tx *Tx) note(err error) error {
	if err == nil {
		return nil
	}
	err = explain(err)
	if faultOf(err) != faultNone {
		tx.trouble = err
	}
	return err
}

// blame finds whose fault an error of fn is: fn may return the driver's error, a wrap of it, or an
// error of its own that hides it.
func (tx *Tx) blame(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil || faultOf(err) != faultNone:
		return err
	case tx.trouble != nil:
		return &Error{Err: err, fault: faultOf(tx.trouble)}
	case tx.session.lost():
		return &Error{Err: err, fault: faultAway}
	}
	return err
}
