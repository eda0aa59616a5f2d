package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

// row is what a row of leat_outbox has beside its event.
type row struct {
	id   int64 // of what was said to the log and is no row: its place there, negative
	skip bool
	kept bool  // it is in leat_outbox_kept
	at   place // of what was said to the log
}

// said says that the event was said to the log and lies in no table.
func (r *row) said() bool { return r.id < 0 }

// place is where an event was said to the log: those of transactions that commit later come later, of
// one transaction those with higher numbers.
type place struct {
	Commit wal.LSN `json:"commit"` // of its transaction
	Number int32   `json:"number"` // within that, from 1
}

func (p place) after(o place) bool {
	return p.Commit > o.Commit || p.Commit == o.Commit && p.Number > o.Number
}

// batch is what one read found.
type batch struct {
	rows     []row
	events   []leat.Message // of rows, at the same places
	bytes    int
	full     bool    // the read stopped at its bounds: there may be more
	ids      ids     // of rows
	kept     ids     // those of leat_outbox_kept
	floor    int64   // of that table, nothing at or below waits any more when the batch has left, or may still come; 0: not known
	sum      string  // digest of rows
	behind   int     // rows that a sweep found below the mark
	said     place   // the last one that was said to the log; Number 0: none was
	upTo     wal.LSN // in mode wal: everything committed before is in this batch or an earlier one
	streamed bool    // it came out of the stream
	room     *room   // the memory of events; nil: each has its own
	log      string  // up to where the write-ahead log must be on the disk before they are sent; "": it is
}

// last is the highest id that was read, 0 of an empty batch.
func (b *batch) last() int64 {
	if len(b.rows) == 0 {
		return 0
	}
	return b.rows[len(b.rows)-1].id
}

// look is where and how far a read goes.
type look struct {
	above int64    // ids above this
	taken []ids    // and none of these, which are on their way out
	held  []string // topics that are passed over
	shard int      // of the shards; of 0 or 1: all rows
	of    int
	rows  int
	bytes int
	log   bool // find out what must be on the disk before the rows are sent

	kept  *cursor // read leat_outbox_kept too, what it says waits there; nil: not
	most  int64   // of that table nothing above; 0: all
	alone bool    // do not read it, and fail with errBoth if something waits there
}

// errBoth says that both tables must be read.
var errBoth = errors.New("events wait in leat_outbox_kept too")

const rowColumns = `id, skip, topic, key, event_id, event_type, attributes, data`

// slot is the one of 256 that a row belongs to, by its key; a row without a key has no order to keep.
// One server computes it for all shards, so they agree, whatever its release makes of hashtext.
const slot = `(hashtext(encode(coalesce(key, convert_to(event_id, 'UTF8')), 'hex')) & 255)`

func (l look) passes(id int64) bool {
	for _, t := range l.taken {
		if t.has(id) {
			return true
		}
	}
	return false
}

// query reads both tables in one statement, and so in one snapshot: in two, the later version of a key
// could be seen without the one before it. Each table is read in the order of its index.
func (l look) query() (string, []any) {
	limit := int64(l.rows)
	for _, t := range l.taken {
		limit += t.above(l.above)
	}
	args := []any{limit, l.above}
	filter := ""
	for i, topic := range l.held {
		args = append(args, topic)
		filter += []string{` and topic not in (`, `, `}[min(i, 1)] + `$` + strconv.Itoa(len(args))
	}
	if len(l.held) > 0 {
		filter += `)`
	}
	if l.of > 1 {
		args = append(args, l.of, l.shard)
		filter += ` and ` + slot + ` % $` + strconv.Itoa(len(args)-1) + `::int = $` + strconv.Itoa(len(args)) + `::int`
	}
	log := ""
	if l.log {
		log = `, ` + unflushed
	}
	const inOrder = ` order by id limit $1`
	if l.kept == nil {
		return `select ` + rowColumns + `, false` + log + ` from leat_outbox where id > $2` + filter + inOrder, args
	}
	from := *l.kept
	from.upto = max(from.upto, l.above)
	from.above = from.above.beyond(from.upto)
	waits, args := from.waits(args)
	if l.alone { // rows of one table, half the work for the server, and what is asked of the other is of the same snapshot
		return `select ` + rowColumns + `, (select exists (select 1 from leat_outbox_kept where ` + waits + `))` + log + ` from leat_outbox where id > $2` + filter + inOrder, args
	}
	if l.most > 0 {
		args = append(args, l.most)
		waits += ` and id <= $` + strconv.Itoa(len(args))
	}
	return `select ` + rowColumns + `, kept` + log + ` from (
		(select ` + rowColumns + `, false as kept from leat_outbox where id > $2` + filter + inOrder + `)
		union all
		(select ` + rowColumns + `, true from leat_outbox_kept where ` + waits + filter + inOrder + `)) both_tables` + inOrder, args
}

// readRows reads the visible rows in the order of their ids, into the room of found.
func readRows(ctx context.Context, tx *sqldb.Tx, l look, found *batch) error {
	query, args := l.query()
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read outbox rows: %w", err)
	}
	defer rows.Close()
	return l.take(rows, found)
}

// take takes in the rows of the look's query.
func (l look) take(rows *sqldb.Rows, found *batch) (err error) {
	clear(found.events) // lets go of what they point to
	*found = batch{rows: found.rows[:0], events: found.events[:0], room: found.room}
	if found.room == nil {
		found.room = new(room)
	}
	found.room.empty()
	sum := newDigest()
	for rows.Next() {
		found.rows, found.events = append(found.rows, row{}), append(found.events, leat.Message{})
		r, m := &found.rows[len(found.rows)-1], &found.events[len(found.events)-1]
		if raw := rows.Raw(); raw != nil {
			err = found.room.take(raw, r, m, &found.log)
		} else {
			err = scanRow(rows, r, m, l.log, &found.log)
		}
		if err != nil {
			return fmt.Errorf("read outbox row %d: %w", r.id, err)
		}
		if l.alone && r.kept {
			return errBoth
		}
		if l.passes(r.id) {
			found.rows, found.events = found.rows[:len(found.rows)-1], found.events[:len(found.events)-1]
			continue
		}
		found.ids = found.ids.add(r.id)
		if r.kept {
			found.kept = found.kept.add(r.id)
		}
		sum.add(r.id, m.ID)
		if found.bytes += m.Size(); found.bytes >= l.bytes || len(found.rows) == l.rows {
			found.full = true
			break
		}
	}
	if err := rows.Close(); err != nil {
		return fmt.Errorf("read outbox rows: %w", err)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read outbox rows: %w", err)
	}
	found.sum = sum.String()
	return nil
}

func scanRow(rows *sqldb.Rows, r *row, m *leat.Message, logged bool, log *string) error {
	var attributes []byte
	var target *string
	columns := []any{&r.id, &r.skip, &m.Topic, &m.Key, &m.ID, &m.Type, &attributes, &m.Data, &r.kept, &target}
	if !logged {
		columns = columns[:9]
	}
	if err := rows.Scan(columns...); err != nil {
		return err
	}
	if target != nil {
		*log = *target
	}
	return readAttributes(string(attributes), m)
}

// fate is what became of the rows of a departure.
type fate int

const (
	settled fate = iota // they were there and are gone now
	gone                // they were gone already
	foreign             // other rows have their ids: nothing was changed
)

// settle ends rows in the database: those that did not leave go to the parked table, and all are
// deleted, exactly them, or the cursor says that they have left, c in place of the one before; nil:
// none is of leat_outbox_kept.
func settle(ctx context.Context, db *sqldb.DB, d departure, c *cursor) error {
	if len(d.Rows) == 0 {
		return nil
	}
	return db.Tx(ctx, func(_ context.Context, tx *sqldb.Tx) error {
		tx.BeforeCommit(func(ctx context.Context) error { return settleIn(ctx, tx, d, c) }) // what needs no answer travels with the commit
		return nil
	})
}

// durable has the transaction's commit wait for the disk where the server's setting does not: the next
// position in Kafka names other rows, and these would come back with a crash and be sent again.
const durable = `select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'`

func settleIn(ctx context.Context, tx *sqldb.Tx, d departure, c *cursor) error {
	if tx.Dialect() == sqldb.Postgres {
		if err := tx.ExecLast(ctx, durable); err != nil {
			return fmt.Errorf("ask for a commit that a crash does not take back: %w", err)
		}
	}
	for _, q := range d.Parked {
		if q.ID < 0 {
			continue // it was parked before
		}
		for _, from := range tables(tx) {
			if _, err := tx.Exec(ctx, fmt.Sprintf(parkRow, from), q.ID, time.Now().UnixMicro(), q.Reason); err != nil {
				return fmt.Errorf("park outbox row %d: %w", q.ID, err)
			}
		}
	}
	if c != nil {
		if err := c.move(ctx, tx); err != nil || c.moved == d.Rows.count() {
			return err
		}
	}
	return deleteRows(ctx, tx, d.Rows)
}

// tables are those that events lie in until they leave.
func tables(tx *sqldb.Tx) []string {
	if tx.Dialect() == sqldb.Postgres {
		return []string{outboxTable.name, keptTable.name}
	}
	return []string{outboxTable.name}
}

// resettle is settle for a departure that comes from Kafka and not from the read at hand. It is checked
// first: a database that lost rows gives their ids to others.
func resettle(ctx context.Context, db *sqldb.DB, d departure) (f fate, err error) {
	f = gone
	if len(d.Rows) == 0 {
		return f, nil
	}
	err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		waiting, err := waitingAt(ctx, tx, d.Rows)
		switch {
		case err != nil:
			return err
		case len(waiting.rows) == 0:
			f = gone
			return nil
		case waiting.sum != d.Digest:
			f = foreign
			return nil
		}
		f = settled
		var c *cursor
		if len(waiting.kept) > 0 {
			now, err := cursorOf(ctx, tx)
			if err != nil {
				return err
			}
			now = now.with(waiting.kept, 0)
			c = &now
		}
		return settleIn(ctx, tx, d, c)
	})
	return f, err
}

// fewRuns is up to how many runs are deleted one by one, each by the cheapest plan there is.
const fewRuns = 3

func deleteRows(ctx context.Context, tx *sqldb.Tx, rows ids) error {
	if tx.Dialect() == sqldb.Postgres && len(rows) > fewRuns {
		from, to := make([]int64, len(rows)), make([]int64, len(rows))
		for i, run := range rows {
			from[i], to[i] = run.from, run.to
		}
		err := tx.ExecLast(ctx, `delete from leat_outbox o using unnest($1::bigint[], $2::bigint[]) as run(lo, hi) where o.id between run.lo and run.hi`, from, to)
		if err != nil {
			return fmt.Errorf("delete outbox rows %v: %w", rows, err)
		}
		return nil
	}
	for _, run := range rows {
		if err := tx.ExecLast(ctx, `delete from leat_outbox where id between $1 and $2`, run.from, run.to); err != nil {
			return fmt.Errorf("delete outbox rows %d-%d: %w", run.from, run.to, err)
		}
	}
	return nil
}

const parkRow = `insert into leat_outbox_parked (id, at, parked_at, reason, topic, key, event_id, event_type, attributes, data)
	select id, at, $2, $3, topic, key, event_id, event_type, attributes, data from %s where id = $1`

// waitingAt are the rows that wait at the given ids, by id and digest.
func waitingAt(ctx context.Context, tx *sqldb.Tx, at ids) (*batch, error) {
	found, sum := new(batch), newDigest()
	query := `select id, event_id, false from leat_outbox where id between $1 and $2 order by id`
	args := make([]any, 2, 4)
	if tx.Dialect() == sqldb.Postgres {
		c, err := cursorOf(ctx, tx)
		if err != nil {
			return nil, err
		}
		var waits string
		waits, args = c.waits(args)
		query = `select id, event_id, false from leat_outbox where id between $1 and $2 union all
			select id, event_id, true from leat_outbox_kept where id between $1 and $2 and ` + waits + ` order by 1`
	}
	for _, run := range at {
		args[0], args[1] = run.from, run.to
		rows, err := tx.Query(ctx, query, args...)
		if err != nil {
			return nil, fmt.Errorf("look at outbox rows %d-%d: %w", run.from, run.to, err)
		}
		for rows.Next() {
			var r row
			var eventID string
			if err := rows.Scan(&r.id, &eventID, &r.kept); err != nil {
				_ = rows.Close()
				return nil, fmt.Errorf("look at outbox row: %w", err)
			}
			sum.add(r.id, eventID)
			found.rows = append(found.rows, r)
			if r.kept {
				found.kept = found.kept.add(r.id)
			}
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("look at outbox rows %d-%d: %w", run.from, run.to, err)
		}
	}
	found.sum = sum.String()
	return found, nil
}
