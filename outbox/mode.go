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
	// ModeMessage is ModeWAL without the table: Publish says events to the log with the commit
	// (pg_logical_emit_message) and writes no row, so that none has to be read and deleted. A slot that
	// is lost loses what it had not delivered; Publish refuses while there is none.
	ModeMessage Mode = "message"
	// ModeRetain is ModeExact whose rows stay: Publish writes them to leat_outbox_kept, for audit and
	// replay, in partitions by time that the relay makes and takes away (RelayConfig.Keep). It needs
	// PostgreSQL 14 or later.
	ModeRetain Mode = "retain"
)

// streams says whether the relay reads a replication slot.
func (m Mode) streams() bool { return m == ModeWAL || m == ModeMessage }

// fault says why the mode does not fit the rest of the config.
func (m Mode) fault(c RelayConfig) error {
	switch {
	case m != "" && m != ModeExact && m != ModeRetain && !m.streams():
		return fmt.Errorf("Mode %q is none of %s, %s, %s and %s", m, ModeExact, ModeRetain, ModeWAL, ModeMessage)
	case m != "" && m != ModeMessage && c.Box != nil && c.Box.cfg.Mode == ModeMessage:
		return fmt.Errorf("the box has mode %s, and the relay %s: let the relay's Mode be empty", ModeMessage, m)
	case m != "" && c.Box != nil && (m == ModeRetain) != (c.Box.cfg.Mode == ModeRetain):
		return fmt.Errorf("the box has mode %q, and the relay %s: mode %s is one of the box, let the relay's Mode be empty", c.Box.cfg.Mode, m, ModeRetain)
	case m.streams() && c.Box != nil && c.Box.db.Dialect() != sqldb.Postgres:
		return errors.New("modes wal and message need PostgreSQL: SQLite has no replication slots")
	case m.streams() && c.Shards > 1:
		return errors.New("modes wal and message have one shard: the order of all commits has one reader")
	case m == ModeRetain && c.Box != nil && c.Box.db.Dialect() != sqldb.Postgres:
		return errors.New("mode retain needs PostgreSQL, whose partitions let old events go: on SQLite use mode exact")
	case m == ModeRetain && c.Shards > 1:
		return errors.New("mode retain has one shard, whose cursor says what has left: let Shards be 1, or use mode exact")
	}
	return nil
}
