package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/leatdev/leat"
)

var (
	// ErrNoRows says that a query for one row found none. It is sql.ErrNoRows.
	ErrNoRows = sql.ErrNoRows
	// ErrCommitUnknown says that the connection went while the commit was under way: it may have
	// happened or not. It comes within leat.Unavailable; repeat only what bears repetition.
	ErrCommitUnknown = errors.New("the answer to the commit got lost: it may have happened or not")
	// ErrLeaseHeld says that somebody else holds the lease.
	ErrLeaseHeld = errors.New("lease is held by another")
	// ErrLeaseLost says that the lease is not, or no longer, this holder's.
	ErrLeaseLost = errors.New("lease is lost")
)

// Error is an error of the database that leat knows something about.
type Error struct {
	Err   error
	Hint  string // what to try; may be empty
	fault fault
}

// Error is the database's own words and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + " (" + e.Hint + ")"
}

// Unwrap is the error of the driver.
func (e *Error) Unwrap() error { return e.Err }

// fault says what an error means for the transaction that met it.
type fault int

const (
	faultNone  fault = iota // the statement's or the caller's own
	faultAgain              // lost against another transaction: repeat
	faultAway               // the database is not there for us: leat.Unavailable
)

// IsUnique reports whether err says that a row with this key is already there.
func IsUnique(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "23505"
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY ||
			lite.Code() == sqlite3.SQLITE_CONSTRAINT_ROWID
	}
	return false
}

// Unavailable marks err as leat.Unavailable where the database and not the statement is at fault,
// and returns any other error as it is. DB.Tx and DB.View have done so already; it is for errors of
// a transaction that was joined.
func Unavailable(err error) error {
	if faultOf(err) == faultNone || leat.IsUnavailable(err) {
		return err
	}
	return leat.Unavailable(err)
}

// faultOf judges by the innermost knowledge there is: what a session noted, else the driver's code.
func faultOf(err error) fault {
	if e, ok := errors.AsType[*Error](err); ok && e.fault != faultNone {
		return e.fault
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresFault(pg)
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteFault(lite.Code())
	}
	return faultNone
}

// explain turns an error of a driver into one that says whose fault it is and what to try. It is
// for errors of the database alone, so that a broken connection there is one to the database.
func explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	f, hint := faultOf(err), hintFor(err)
	if f == faultNone && brokenConnection(err) {
		f = faultAway
	}
	if f == faultNone && hint == "" {
		return err
	}
	return &Error{Err: err, Hint: hint, fault: f}
}

// hintFor says what to try, or "".
func hintFor(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresHint(pg)
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteHint(lite.Code())
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return "the directory of the database file must be there and writable for this user"
	}
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return connectHint(connect)
	}
	return ""
}

// brokenConnection tells a connection that can't be used any more from a server that said no.
func brokenConnection(err error) bool {
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if n, ok := errors.AsType[net.Error](err); ok {
		return !errors.Is(n, context.DeadlineExceeded)
	}
	return isEOF(err) || strings.Contains(err.Error(), "conn closed") || strings.HasSuffix(err.Error(), "database is closed")
}
