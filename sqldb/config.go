package sqldb

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
)

// Config says which database and how to use it. Only URL is needed.
type Config struct {
	// URL is postgres://user:password@host:port/name?sslmode=verify-full or sqlite:PATH. Needed.
	// PostgreSQL's settings statement_timeout, lock_timeout and idle_in_transaction_session_timeout
	// may stand in its query (milliseconds or with a unit); without them 30 s, 10 s and 60 s hold.
	URL string
	// Schema is the PostgreSQL schema that holds the tables. Empty: the server's search_path
	// (public). SQLite has one schema per file and ignores it.
	Schema string
	// MaxConns bounds the connections: on PostgreSQL all of them, on SQLite the readers beside the
	// one writer. 0: 10 on PostgreSQL, 4 on SQLite.
	MaxConns int
	// Synchronous is what a commit on SQLite waits for. The zero value is Full.
	Synchronous Synchronous
	// Wait is how long Tx waits for a connection of a full pool or for another process's lock on
	// the SQLite file before it answers leat.Unavailable. 0: 10 s.
	Wait time.Duration
	// Logger gets what heals by itself. Nil: slog.Default().
	Logger *slog.Logger
}

// Synchronous is what a commit on SQLite waits for.
type Synchronous int

const (
	// Full waits until the commit is on the disk: it survives a loss of power. Needed where the
	// other side of the work, a Kafka cluster, would remember what this file forgot.
	Full Synchronous = iota
	// Normal survives the death of the process, not that of the machine: the last commits may be
	// gone after a loss of power, the file stays sound. For tests and demos.
	Normal
)

// Dialect is the kind of database behind a DB.
type Dialect int

const (
	// Postgres is PostgreSQL 14 or later.
	Postgres Dialect = iota + 1
	// SQLite is a SQLite file in WAL mode.
	SQLite
)

// String is "postgres" or "sqlite", as in the name of a migration's variant.
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "postgres"
	case SQLite:
		return "sqlite"
	}
	return fmt.Sprintf("dialect %d", int(d))
}

const (
	defaultPostgresConns = 10
	defaultSQLiteConns   = 4
	defaultWait          = 10 * time.Second
)

// Validate names everything that is wrong with the config.
func (c Config) Validate() error {
	var faults []error
	if _, err := c.dialect(); err != nil {
		faults = append(faults, err)
	}
	if strings.ContainsRune(c.Schema, 0) || len(c.Schema) > 63 {
		faults = append(faults, fmt.Errorf("schema %q: PostgreSQL takes at most 63 bytes", c.Schema))
	}
	if c.MaxConns < 0 {
		faults = append(faults, errors.New("field MaxConns can't be negative"))
	}
	if c.Wait < 0 {
		faults = append(faults, errors.New("field Wait can't be negative"))
	}
	if c.Synchronous != Full && c.Synchronous != Normal {
		faults = append(faults, fmt.Errorf("synchronous %d is neither Full nor Normal", c.Synchronous))
	}
	return errors.Join(faults...)
}

// dialect reads the URL's scheme.
func (c Config) dialect() (Dialect, error) {
	scheme, rest, _ := strings.Cut(c.URL, ":")
	switch {
	case c.URL == "":
		return 0, errors.New("database URL is missing: give postgres://user@host/name or sqlite:PATH")
	case scheme == "postgres" || scheme == "postgresql":
		return Postgres, nil
	case scheme == "sqlite" && strings.TrimLeft(rest, "/") != "":
		return SQLite, nil
	}
	return 0, fmt.Errorf("database URL with scheme %q: give postgres://user@host/name or sqlite:PATH", scheme)
}

// path is the SQLite file, absolute.
func (c Config) path() (string, error) {
	path := strings.TrimPrefix(c.URL, "sqlite:")
	if strings.HasPrefix(path, "///") { // sqlite:///absolute as other tools write it
		path = path[2:]
	}
	return filepath.Abs(path)
}

// withDefaults fills what is zero.
func (c Config) withDefaults(d Dialect) Config {
	if c.MaxConns == 0 {
		c.MaxConns = defaultPostgresConns
		if d == SQLite {
			c.MaxConns = defaultSQLiteConns
		}
	}
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}
