package sqldb

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// primary strips the extension of a result code.
const primary = 0xff

// sqliteFault sorts SQLite's result codes.
func sqliteFault(code int) fault {
	switch code & primary {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return faultAgain
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
		return faultAway
	}
	return faultNone
}

// sqliteHint says what to try.
func sqliteHint(code int) string {
	switch code & primary {
	case sqlite3.SQLITE_BUSY:
		return "another process holds the file's write lock: is a second instance or a database browser open on it?"
	case sqlite3.SQLITE_CANTOPEN:
		return "the file and its directory must be there and writable for this user"
	case sqlite3.SQLITE_READONLY:
		return "the file, its directory and its -wal file must be writable, and View can't write"
	case sqlite3.SQLITE_NOTADB:
		return "this file is not a SQLite database: check the path"
	case sqlite3.SQLITE_CORRUPT:
		return "the file is damaged: stop, keep a copy and restore from a backup"
	case sqlite3.SQLITE_FULL:
		return "the disk is full"
	case sqlite3.SQLITE_IOERR:
		return "the disk or file system refused: WAL needs a local file system, not a network share"
	}
	return ""
}

// isBusy says that somebody else holds the lock.
func isBusy(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && sqliteFault(lite.Code()) == faultAgain
}

// endsTransaction says that SQLite may have rolled the whole transaction back on its own: an
// interrupted write does, and so does a full disk. What followed would be committed by itself,
// statement by statement.
func endsTransaction(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	lite, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch lite.Code() & primary {
	case sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY:
		return true
	}
	return false
}
