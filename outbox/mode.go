package outbox

import (
	"errors"
	"fmt"

	"github.com/leatdev/leat/sqldb"
)

// Mode is how the relay finds the events that are to leave. All relays of an outbox should have the
// same; the one that leads decides, and a change of mode loses and doubles nothing.
type Mode string

const (
	// ModeExact reads the table by polling, in the order of ids: commit order for events of one key.
	ModeExact Mode = "exact"
	// ModeWAL reads the inserts into the table from a replication slot of PostgreSQL 14 or later: the
	// order of the commits for all events. It needs wal_level logical and a user who may replicate.
	ModeWAL Mode = "wal"
)

// fault says why the mode does not fit the rest of the config.
func (m Mode) fault(c RelayConfig) error {
	switch {
	case m != "" && m != ModeExact && m != ModeWAL:
		return fmt.Errorf("Mode %q is neither %s nor %s", m, ModeExact, ModeWAL)
	case m == ModeWAL && c.Box != nil && c.Box.db.Dialect() != sqldb.Postgres:
		return errors.New("mode wal needs PostgreSQL: SQLite has no replication slots")
	case m == ModeWAL && c.Shards > 1:
		return errors.New("mode wal has one shard: the order of all commits has one reader")
	}
	return nil
}
