package outbox

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
	"github.com/leatdev/leat/sqldb/wal"
)

// row is what a row of leat_outbox has beside its event.
type row struct {
	id   int64
	skip bool
}

// batch is what one read found.
type batch struct {
	rows     []row
	events   []leat.Message // of rows, at the same places
	bytes    int
	full     bool    // the read stopped at its bounds: there may be more
	ids      ids     // of rows
	sum      string  // digest of rows
	behind   int     // rows that a sweep found below the mark
	upTo     wal.LSN // in mode wal: everything committed before is in this batch or an earlier one
	streamed bool    // it came out of the stream
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
}

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

func (l look) query() (string, []any) {
	var b strings.Builder
	b.WriteString(`select ` + rowColumns + ` from leat_outbox where id > $1`)
	args := []any{l.above}
	for i, topic := range l.held {
		args = append(args, topic)
		b.WriteString([]string{` and topic not in (`, `, `}[min(i, 1)] + `$` + strconv.Itoa(len(args)))
	}
	if len(l.held) > 0 {
		b.WriteByte(')')
	}
	if l.of > 1 {
		args = append(args, l.of, l.shard)
		b.WriteString(` and ` + slot + ` % $` + strconv.Itoa(len(args)-1) + `::int = $` + strconv.Itoa(len(args)) + `::int`)
	}
	limit := int64(l.rows)
	for _, t := range l.taken {
		limit += t.above(l.above)
	}
	args = append(args, limit)
	b.WriteString(` order by id limit $` + strconv.Itoa(len(args)))
	return b.String(), args
}

// readRows reads the visible rows in the order of their ids, into the room of found.
func readRows(ctx context.Context, tx *sqldb.Tx, l look, found *batch) error {
	query, args := l.query()
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read outbox rows: %w", err)
	}
	defer rows.Close()
	clear(found.events) // lets go of what they point to
	*found = batch{rows: found.rows[:0], events: found.events[:0]}
	sum := newDigest()
	for rows.Next() {
		found.rows, found.events = append(found.rows, row{}), append(found.events, leat.Message{})
		r, m := &found.rows[len(found.rows)-1], &found.events[len(found.events)-1]
		if err := scanRow(rows, r, m); err != nil {
			return fmt.Errorf("read outbox row %d: %w", r.id, err)
		}
		if l.passes(r.id) {
			found.rows, found.events = found.rows[:len(found.rows)-1], found.events[:len(found.events)-1]
			continue
		}
		found.ids = found.ids.add(r.id)
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

func scanRow(rows *sqldb.Rows, r *row, m *leat.Message) error {
	var attributes []byte
	if err := rows.Scan(&r.id, &r.skip, &m.Topic, &m.Key, &m.ID, &m.Type, &attributes, &m.Data); err != nil {
		return err
	}
	return readAttributes(attributes, m)
}

// fate is what became of the rows of a position.
type fate int

const (
	settled fate = iota // they were there and are gone now
	gone                // they were gone already
	foreign             // other rows have their ids: nothing was changed
)

// settle ends the rows of a position in the database: those that did not leave go to the parked
// table, and all are deleted, exactly them. A position that comes from Kafka and not from the read
// at hand is checked first: a database that lost rows gives their ids to others.
func settle(ctx context.Context, db *sqldb.DB, p *position, check bool) (f fate, err error) {
	err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		f = settled
		if check {
			sum, n, err := digestOf(ctx, tx, p.Rows)
			switch {
			case err != nil:
				return err
			case n == 0:
				f = gone
				return nil
			case sum != p.Digest:
				f = foreign
				return nil
			}
		}
		for _, q := range p.Parked {
			if _, err := tx.Exec(ctx, parkRow, q.ID, time.Now().UnixMicro(), q.Reason); err != nil {
				return fmt.Errorf("park outbox row %d: %w", q.ID, err)
			}
		}
		return deleteRows(ctx, tx, p.Rows)
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
		_, err := tx.Exec(ctx, `delete from leat_outbox o using unnest($1::bigint[], $2::bigint[]) as run(lo, hi) where o.id between run.lo and run.hi`, from, to)
		if err != nil {
			return fmt.Errorf("delete outbox rows %v: %w", rows, err)
		}
		return nil
	}
	for _, run := range rows {
		if _, err := tx.Exec(ctx, `delete from leat_outbox where id between $1 and $2`, run.from, run.to); err != nil {
			return fmt.Errorf("delete outbox rows %d-%d: %w", run.from, run.to, err)
		}
	}
	return nil
}

const parkRow = `insert into leat_outbox_parked (id, at, parked_at, reason, topic, key, event_id, event_type, attributes, data)
	select id, at, $2, $3, topic, key, event_id, event_type, attributes, data from leat_outbox where id = $1`

// digestOf is the digest and the number of the rows that lie at the given ids now.
func digestOf(ctx context.Context, tx *sqldb.Tx, at ids) (_ string, n int, _ error) {
	sum := newDigest()
	for _, run := range at {
		rows, err := tx.Query(ctx, `select id, event_id from leat_outbox where id between $1 and $2 order by id`, run.from, run.to)
		if err != nil {
			return "", 0, fmt.Errorf("look at outbox rows %d-%d: %w", run.from, run.to, err)
		}
		for rows.Next() {
			var id int64
			var eventID string
			if err := rows.Scan(&id, &eventID); err != nil {
				_ = rows.Close()
				return "", 0, fmt.Errorf("look at outbox row: %w", err)
			}
			sum.add(id, eventID)
			n++
		}
		if err := rows.Err(); err != nil {
			return "", 0, fmt.Errorf("look at outbox rows %d-%d: %w", run.from, run.to, err)
		}
	}
	return sum.String(), n, nil
}
