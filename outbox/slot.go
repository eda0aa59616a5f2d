package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

// SlotStatus is the replication slot of an outbox in mode wal.
type SlotStatus struct {
	Name   string `json:"name"`
	Active bool   `json:"active"` // a relay reads it
	// State is the server's wal_status: reserved, extended, unreserved, or lost, when it has thrown
	// away what the slot had yet to deliver.
	State string `json:"state"`
	// Retained is how much of its log the server keeps for the slot, in bytes: it grows while no
	// relay is at work, up to max_slot_wal_keep_size or the disk's end.
	Retained int64 `json:"retained_bytes"`
	// Safe is how many bytes of log may be written until the slot can be lost; -1: until the disk is
	// full, since max_slot_wal_keep_size is not set.
	Safe int64 `json:"safe_bytes"`
}

// trouble says what is wrong with the slot, "" where nothing is or there is none.
func (s *SlotStatus) trouble() string {
	switch {
	case s == nil:
		return ""
	case s.State == "lost":
		return "replication slot " + s.Name + " is lost: the next relay makes a new one, and what waits leaves in the order of ids"
	case !s.Active:
		return fmt.Sprintf("no relay reads replication slot %s, and the server keeps %d MiB of its log for it", s.Name, s.Retained>>20)
	}
	return ""
}

// slotPrefix begins the names of the outbox's slots and is that of its publication. Slots of all
// databases of a server share one room, so the outbox's id is in it.
func slotPrefix(outbox string) string {
	return "leat_" + strings.ReplaceAll(strings.ToLower(outbox), "-", "")
}

// slotOf looks at the outbox's slot, where it has one.
func slotOf(ctx context.Context, tx *sqldb.Tx, outbox string) (*SlotStatus, error) {
	if tx.Dialect() != sqldb.Postgres {
		return nil, nil
	}
	all, err := wal.Slots(ctx, tx, slotPrefix(outbox))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	s := all[len(all)-1]
	return &SlotStatus{Name: s.Name, Active: s.Active, State: s.State, Retained: s.Retained, Safe: s.Safe}, nil
}

// enslot settles at a takeover which slot the relay reads, if any, and drops all others: one that
// nobody reads fills the disk. heard is what leat_outbox_meta says of the slot that hears what is said
// to the log; sure, that last is of this very database.
func (g *reign) enslot(ctx context.Context, last *position, heard string, sure bool) error {
	switch {
	case g.db.Dialect() != sqldb.Postgres || g.number > 0, g.reader == nil: // nil: it takes over and does no work
		return nil
	case g.cfg.Mode.streams() && g.of > 1:
		return &SetupError{
			What: fmt.Sprintf("mode %s has one shard, and another process asks for %d", g.cfg.Mode, g.of),
			Hint: "run all relays of the outbox in the same mode and with one shard",
		}
	}
	ear := strings.TrimPrefix(heard, silent)
	if ear != "" && ear == heard && g.cfg.Mode != ModeMessage {
		if err := hush(ctx, g.db, ear); err != nil {
			return err
		}
	}
	var all []wal.Slot
	err := g.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) (err error) {
		all, err = wal.Slots(ctx, tx, slotPrefix(g.setup.database.Outbox))
		return err
	})
	if err != nil {
		return err
	}
	if !g.cfg.Mode.streams() && ear == "" {
		return g.dropSlots(ctx, all, "")
	}
	named := ear
	if named == "" && last != nil {
		named = last.Slot
	}
	whole, err := g.publication(ctx)
	if err != nil {
		return err
	}
	what := "; what waits leaves in the order of ids, and a new slot is made"
	if ear != "" {
		what = "; WHAT WAS SAID TO THE LOG AND HAD NOT LEFT IS LOST, and a new slot is made"
	}
	switch i := slices.IndexFunc(all, func(s wal.Slot) bool { return s.Name == named }); {
	case named == "":
	case i < 0:
		g.warn(ctx, "replication slot "+named+" of the outbox is gone: it was dropped, or a standby was promoted that does not have it"+what)
	case all[i].Lost():
		g.warn(ctx, "replication slot "+named+" of the outbox is lost: more than max_slot_wal_keep_size of log was written while no relay read it"+what)
	case !whole:
		g.warn(ctx, "the publication of the outbox was gone"+what)
	default:
		g.pos.Slot = named
	}
	if err := g.dropSlots(ctx, all, g.pos.Slot); err != nil {
		return err
	}
	if ear != "" && g.pos.Slot == "" && g.cfg.Mode != ModeMessage {
		if err := setSlot(ctx, g.db, ""); err != nil || !g.cfg.Mode.streams() {
			return err
		}
	}
	return g.openStream(ctx, last, heard, sure)
}

// publication makes the outbox's publication where it is missing, and says whether it was there.
func (g *reign) publication(ctx context.Context) (there bool, err error) {
	name := slotPrefix(g.setup.database.Outbox)
	err = g.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		var version int
		var level, keep string
		if err := tx.QueryRow(ctx, `select current_setting('server_version_num')::int, current_setting('wal_level'), exists (select from pg_publication_tables
			where pubname = $1 and tablename = 'leat_outbox')`, name).Scan(&version, &level, &there); err != nil {
			return err
		}
		if fault := logFault(version, level); fault != nil {
			return fault
		}
		if err := tx.QueryRow(ctx, `show max_slot_wal_keep_size`).Scan(&keep); err != nil {
			return err
		}
		if keep == "-1" {
			end := "no event with it"
			if g.cfg.Mode == ModeMessage {
				end = "with it the events that it has not delivered"
			}
			g.log.InfoContext(ctx, "while no relay is at work the outbox's slot keeps the server's log until the disk is full; with max_slot_wal_keep_size set on the server it is given up instead, and "+end)
		}
		if there {
			return nil
		}
		if _, err := tx.Exec(ctx, `drop publication if exists `+name); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `create publication `+name+` for table leat_outbox with (publish = 'insert')`)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("make the outbox's publication %s (create publication needs the owner of leat_outbox and create on the database): %w", name, err)
	}
	return there, nil
}

// logFault says why the server's log can't be read.
func logFault(version int, level string) error {
	switch {
	case version < 140000:
		return &SetupError{What: fmt.Sprintf("modes wal and message need PostgreSQL 14, this is %d", version/10000), Hint: "use mode exact, or a newer server"}
	case level != "logical":
		return &SetupError{What: "modes wal and message read the server's log, and wal_level is " + level, Hint: "set wal_level to logical and restart the server, or use mode exact"}
	}
	return nil
}

// setupOf makes what a person must change a *SetupError.
func setupOf(err error) error {
	if known, ok := errors.AsType[*wal.Error](err); ok && known.Setup {
		return &SetupError{What: "the relay can't read the database's log: " + known.Err.Error(), Hint: known.Hint + ", or use mode exact"}
	}
	return err
}

// dropSlots drops the slots but one.
func (g *reign) dropSlots(ctx context.Context, all []wal.Slot, but string) error {
	for _, s := range all {
		if s.Name == but {
			continue
		}
		for began := time.Now(); ; {
			err := g.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return wal.Free(ctx, tx, s.Name) })
			if err == nil {
				err = g.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return wal.Drop(ctx, tx, s.Name) })
			}
			if err == nil {
				break
			}
			if !errors.Is(err, wal.ErrBusy) || time.Since(began) > 10*time.Second {
				return fmt.Errorf("drop the outbox's old slot, which would fill the server's disk: %w", err)
			}
			if err := sleep(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// openStream begins to read the slot that was settled on, or a new one. Until the position names it the
// table is read first: what was there before the slot does not come out of it.
func (g *reign) openStream(ctx context.Context, last *position, heard string, sure bool) (err error) {
	prefix := slotPrefix(g.setup.database.Outbox)
	s := &stream{db: g.db, url: g.cfg.ReplicationURL, slot: g.pos.Slot, publication: prefix, made: func(context.Context) error { return nil }}
	if s.url == "" {
		s.url = g.db.URL()
	}
	known := last != nil && last.Slot == s.slot
	if s.create = s.slot == ""; s.create {
		id := strings.ReplaceAll(leat.NewID(), "-", "")
		s.slot = prefix + "_" + id[len(id)-8:]
	}
	if g.cfg.Mode == ModeMessage {
		s.made = func(ctx context.Context) error { return setSlot(ctx, g.db, s.slot) }
		if !s.create && heard != s.slot {
			err = s.made(ctx)
		}
	}
	if err == nil && !s.create && sure {
		if known && last.Said != nil {
			s.left, g.pos.Said = *last.Said, last.Said
		}
		err = g.forget(ctx, s.slot, s.left)
	}
	if err != nil {
		return err
	}
	if s.doubt, err = logEnd(ctx, g.db); err != nil {
		return err
	}
	if !g.cfg.Mode.streams() {
		g.drain = s.doubt
	}
	s.begin(ctx)
	g.reader.stream, g.reader.byTable = s, s.create || !known
	return nil
}

func logEnd(ctx context.Context, db *sqldb.DB) (end wal.LSN, err error) {
	err = db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		end, err = wal.End(ctx, tx)
		return err
	})
	return end, err
}

// streams says whether the next batch comes out of the stream: not while a new slot is not open, nor
// while a topic is passed over, whose events only the table can bring again.
func (r *reader) streams() bool { return r.stream != nil && !r.byTable && len(r.held) == 0 }

// table reads from the table where the relay has a stream, and finds out whether the stream can go on
// from here: everything is taken that was committed before the read, and the stream was open before
// it, so that it brings the rest. What it brings beside the rest is in doubt.
func (r *reader) table(ctx context.Context, l look, now time.Time, b *batch) error {
	r.byTable = true // until its end is reached with nothing held
	open, err := r.stream.isOpen()
	if err != nil {
		return err
	}
	if err := r.postgres(ctx, l, now, b); err != nil || !open || b.full || len(r.held) > 0 {
		return err
	}
	end, err := logEnd(ctx, r.db)
	if err != nil {
		return err
	}
	r.stream.doubt, r.byTable = end, false
	return nil
}

// sent takes in that a batch is in Kafka for good.
func (r *reader) sent(b *batch) {
	if b.streamed {
		r.stream.acked.Store(uint64(b.upTo))
	}
}

// suspects are rows that were in the table when the log had an end.
type suspects struct {
	rows []int64
	end  wal.LSN
}

// inspected bounds the rows that are compared at once.
const inspected = 1000

// watch compares the table with what the stream has passed: a row that should have come and did not
// (the slot was moved by hand, the publication changed) leaves by the table.
func (g *reign) watch(ctx context.Context) error {
	r := g.reader
	if r.stream == nil || g.ahead != nil || !r.streams() {
		r.suspects = nil
		return nil
	}
	if s := r.suspects; s != nil {
		if r.stream.upTo < s.end {
			return nil
		}
		r.suspects = nil
		there, err := present(ctx, g.db, s.rows)
		if err != nil {
			return err
		}
		for _, id := range s.rows {
			if _, waits := there[id]; waits && !(look{taken: g.taken}).passes(id) {
				g.counts.stragglers.Inc()
				r.byTable = true
			}
		}
		if r.byTable {
			r.rewind()
			g.warn(ctx, "rows of the outbox did not come out of replication slot "+r.stream.slot+": it was moved, or its publication changed; they leave in the order of ids, and maybe after later ones of their keys")
		}
		return nil
	}
	var s suspects
	err := g.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		s.rows = s.rows[:0]
		rows, err := tx.Query(ctx, `select id from leat_outbox order by id limit $1`, inspected)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			s.rows = append(s.rows, id)
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("compare the outbox with its replication slot: %w", err)
	}
	if len(s.rows) == 0 {
		return nil
	}
	if s.end, err = logEnd(ctx, g.db); err != nil {
		return err
	}
	r.suspects = &s
	return nil
}
