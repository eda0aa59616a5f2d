package wal

import (
	"context"
	"fmt"

	"github.com/leatdev/leat/sqldb"
)

// Slot is a logical replication slot as the server tells of it.
type Slot struct {
	Name      string
	Active    bool // somebody reads it now
	Confirmed LSN  // all before was acknowledged
	// State is the server's wal_status: reserved, extended and unreserved are good, lost is not.
	State string
	// Retained is how much of its log the server keeps for the slot, in bytes.
	Retained int64
	// Safe is how many bytes of log may still be written before the slot can be lost
	// (max_slot_wal_keep_size); negative: without bound, the disk is the bound.
	Safe int64
}

// Lost says whether the server has thrown away what the slot had yet to deliver.
func (s Slot) Lost() bool { return s.State == "lost" }

const slots = `select slot_name::text, active, coalesce(confirmed_flush_lsn, '0/0')::text, coalesce(wal_status, 'lost'),
		coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint,
		case when safe_wal_size is null then -1 else greatest(safe_wal_size, 0) end
	from pg_replication_slots
	where database = current_database() and slot_type = 'logical' and starts_with(slot_name::text, $1) order by slot_name`

// Slots are the database's logical slots whose names begin so; of PostgreSQL before 13, which can't
// tell of their health, none.
func Slots(ctx context.Context, tx *sqldb.Tx, prefix string) (all []Slot, err error) {
	var version int
	if err := tx.QueryRow(ctx, `select current_setting('server_version_num')::int`).Scan(&version); err != nil || version < 130000 {
		return nil, err
	}
	rows, err := tx.Query(ctx, slots, prefix)
	if err != nil {
		return nil, fmt.Errorf("look at the replication slots: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s Slot
		var confirmed string
		if err := rows.Scan(&s.Name, &s.Active, &confirmed, &s.State, &s.Retained, &s.Safe); err != nil {
			return nil, fmt.Errorf("look at the replication slots: %w", err)
		}
		if s.Confirmed, err = ParseLSN(confirmed); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look at the replication slots: %w", err)
	}
	return all, nil
}

// Free ends whoever reads the slot: a reader that hangs would keep it until wal_sender_timeout.
func Free(ctx context.Context, tx *sqldb.Tx, slot string) error {
	if _, err := tx.Exec(ctx, `select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active`, slot); err != nil {
		return fmt.Errorf("free replication slot %s: %w", slot, err)
	}
	return nil
}

// Drop removes the slot if it is there; nobody may read it.
func Drop(ctx context.Context, tx *sqldb.Tx, slot string) error {
	if _, err := tx.Exec(ctx, `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1`, slot); err != nil {
		return fmt.Errorf("drop replication slot %s: %w", slot, explain(err))
	}
	return nil
}

// End is the end of the server's log: what was seen to be committed lies before it.
func End(ctx context.Context, tx *sqldb.Tx) (LSN, error) {
	var text string
	if err := tx.QueryRow(ctx, `select pg_current_wal_insert_lsn()::text`).Scan(&text); err != nil {
		return 0, fmt.Errorf("read the end of the write-ahead log: %w", err)
	}
	return ParseLSN(text)
}
