package wal

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrBusy says that somebody else reads the slot.
var ErrBusy = errors.New("the replication slot is being read by somebody else")

// Error is an error of the server that leat knows something about.
type Error struct {
	Err  error
	Hint string // what to try
	// Setup says that it stays until a person has changed something.
	Setup bool
}

// Error is the server's own words and the hint.
func (e *Error) Error() string { return e.Err.Error() + " (" + e.Hint + ")" }

// Unwrap is the error of the driver.
func (e *Error) Unwrap() error { return e.Err }

// explain adds to the server's words what to do.
func explain(err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch {
	case pg.Code == "55006":
		return errors.Join(ErrBusy, err)
	case pg.Code == "42501":
		return &Error{Err: err, Hint: "replication needs a right of its own: alter role NAME replication (managed servers: grant rds_replication or the like)", Setup: true}
	case pg.Code == "28000" || pg.Code == "28P01":
		return &Error{Err: err, Hint: "let the user connect for replication: the attribute replication, and its database in pg_hba.conf"}
	case pg.Code == "53400":
		return &Error{Err: err, Hint: "drop replication slots that nobody reads, or raise max_replication_slots"}
	case pg.Code == "53300":
		return &Error{Err: err, Hint: "no walsender is left: raise max_wal_senders"}
	case pg.Code == "55000" && strings.Contains(pg.Message, "wal_level"):
		return &Error{Err: err, Hint: "set wal_level to logical and restart the server", Setup: true}
	case pg.Code == "08P01" || strings.Contains(pg.Message, "startup parameter"):
		return &Error{Err: err, Hint: "a pooler stands between: give a URL that leads to the server itself", Setup: true}
	}
	return err
}
