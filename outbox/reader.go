package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/leatdev/leat/sqldb"
)

// reader reads the outbox for one reign: in the order of ids, from as high as is safe. Of one key
// the next version can't get an id before the last one's transaction has ended, so a read that
// starts at or below the lowest id that may still come sees no later version without the earlier.
type reader struct {
	db     *sqldb.DB
	fenced bool // there is a mark: PostgreSQL
	look   look
	rooms  [2]batch        // of the last two batches: one is on its way out while the next is read
	room   int             // of the last one
	held   map[string]bool // topics that are passed over
	took   time.Duration   // by the last read

	marker   marker
	mark     int64     // no row can come at or below it
	polled   time.Time // when mark was asked for
	floor    int64     // where the next read starts
	reach    int64     // highest id that was read
	sweepAt  time.Time // when to look at the whole table
	every    time.Duration
	sweeping bool // the read in hand starts at the head though the floor is above it
	backlog  bool // the last read was full: a sweep would step over all that has just been deleted
	single   bool // the last read found rows, all of them in leat_outbox
	both     bool // events waited in both tables: a read looks at both from then on

	stream   *stream   // in mode wal: the inserts in the order of their commits
	byTable  bool      // the table is read all the same
	suspects *suspects // rows that the stream should have brought
}

// pollEvery is how often the mark is asked for at most: with hundreds of connections one question
// costs the server a millisecond.
const pollEvery = 10 * time.Millisecond

// next reads the next batch of rows that are not taken, and have not left, which of leat_outbox_kept c
// says; nil: that table is not read. It stays whole until the read after the next.
func (r *reader) next(ctx context.Context, taken []ids, c *cursor) (*batch, error) {
	now := time.Now()
	r.sweeping = !now.Before(r.sweepAt) && (!r.backlog || !now.Before(r.sweepAt.Add(5*r.every)))
	l := r.look
	l.above, l.taken, l.kept = r.floor, taken, c
	if r.sweeping {
		l.above = 0
	}
	for topic := range r.held {
		l.held = append(l.held, topic)
	}
	r.room = 1 - r.room
	b := &r.rooms[r.room]
	var err error
	if r.streams() {
		err = r.stream.next(ctx, l, b)
		r.took = time.Since(now)
		return b, err
	}
	if r.stream != nil {
		err = r.table(ctx, l, now, b)
	} else if r.fenced {
		err = r.postgres(ctx, l, now, b)
	} else {
		err = r.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error { return readRows(ctx, tx, l, b) })
	}
	if err != nil {
		return nil, err
	}
	r.advance(b, now)
	r.took = time.Since(now)
	return b, nil
}

// advance sets where the next read starts: at the mark that was known before this read, and never
// above the last id read. Starting at the last id itself would pass over a lower one that was
// committed in between, and its key's next version would leave first.
func (r *reader) advance(b *batch, now time.Time) {
	if r.sweeping {
		for i := range b.rows {
			if b.rows[i].id <= r.floor {
				b.behind++
			}
		}
		r.sweepAt = now.Add(r.every)
	}
	r.single = len(b.rows) > 0 && len(b.kept) == 0
	if r.backlog = b.full; b.full {
		r.reach = b.last()
	} else {
		r.reach = max(r.reach, b.last())
		if r.look.of > 1 { // what lies between belongs to others
			r.reach = max(r.reach, r.mark)
		}
	}
	if r.fenced {
		r.floor = min(r.mark, r.reach)
	}
	if len(r.held) == 0 { // else what was passed over waits below the floor
		b.floor = r.floor
	}
}

// rewind makes the next read start at the head: what was passed over comes first.
func (r *reader) rewind() { r.floor, r.reach = 0, 0 }

// postgres asks for the mark and then reads, in one packet, with a snapshot each: in one snapshot the
// locks would be those of now and the rows those of before.
func (r *reader) postgres(ctx context.Context, l look, now time.Time, b *batch) error {
	l.log = true
	if l.kept != nil && l.kept.crowded() {
		// First the mark, then the question: were it asked up to an older mark than the one that the floor
		// goes by, the floor would pass what was not asked for.
		if err := r.ask(ctx, now); err != nil {
			return err
		}
		l.most = r.mark
		if len(l.held) > 0 {
			l.most = l.kept.upto
		}
		l.most = max(l.most, 1)
	}
	l.alone = l.kept != nil && r.single && !r.both && r.stream == nil
	err := r.put(ctx, l, now, b)
	if errors.Is(err, errBoth) {
		l.alone, r.both = false, true
		err = r.put(ctx, l, now, b)
	}
	return err
}

// ask asks for the mark, where it is due.
func (r *reader) ask(ctx context.Context, now time.Time) error {
	if now.Sub(r.polled) < pollEvery {
		return nil
	}
	r.polled = now
	return r.db.Ask(ctx, func(_ int, rows *sqldb.Rows) error { return r.poll(rows) }, sqldb.Question{Query: openWriters})
}

// put puts the look's question, and that for the mark where it is due.
func (r *reader) put(ctx context.Context, l look, now time.Time, b *batch) error {
	query, args := l.query()
	questions := []sqldb.Question{{Query: query, Args: args}}
	if now.Sub(r.polled) >= pollEvery {
		r.polled = now
		questions = []sqldb.Question{{Query: openWriters}, questions[0]}
	}
	return r.db.Ask(ctx, func(n int, rows *sqldb.Rows) error {
		if n < len(questions)-1 {
			return r.poll(rows)
		}
		return l.take(rows, b)
	}, questions...)
}

// poll takes in the sequence and the holders of the table's lock.
func (r *reader) poll(rows *sqldb.Rows) error {
	var last int64
	var holders []string
	for rows.Next() {
		var h *string
		if err := rows.Scan(&last, &h); err != nil {
			return fmt.Errorf("look for open writers: %w", err)
		}
		if h != nil {
			holders = append(holders, *h)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look for open writers: %w", err)
	}
	if last < r.marker.last {
		r.rewind()
	}
	r.mark = r.marker.poll(last, holders)
	return nil
}

// openWriters reads the sequence first and the locks after it: they are looked for row by row of the
// first table, which "offset 0" keeps from being merged with the second. It names transactions and not
// processes: one process may end a transaction and begin the next between two polls.
const openWriters = `select seq.last, writer.virtualtransaction
	from (select coalesce(pg_sequence_last_value(pg_get_serial_sequence('leat_outbox', 'id')::regclass), 0) as last offset 0) seq
	left join lateral (select virtualtransaction from pg_locks
		where seq.last >= 0 and locktype = 'relation' and mode = 'RowExclusiveLock' and granted and relation in ` + written + `
		and database = (select oid from pg_database where datname = current_database())) writer on true`

// written are the tables that draw ids: what is written to a partition by hand counts too.
const written = `(select 'leat_outbox'::regclass::oid union all select relid::oid from pg_partition_tree('leat_outbox_kept'))`

// unflushed is the end of the write-ahead log, null where all of it is on the disk. As a column of a
// read it is asked once, after the read's snapshot was taken: commits that the read sees are before it.
// With synchronous_commit off a commit is seen before it is on the disk, and a crash takes it back: then
// others come to the same places of the log, so when the server was started belongs to the end.
const unflushed = `(select case when pg_current_wal_flush_lsn() < log.upto then log.upto || ' ' || ` + serverStart + ` end from (select pg_current_wal_insert_lsn() as upto offset 0) log)`

const serverStart = `extract(epoch from pg_postmaster_start_time())`

// errRestarted says that rows were read of a server that may have lost them.
var errRestarted = errors.New("the server was started anew after the rows were read")

// flushed waits until the log is on the disk up to target, an end that unflushed gave: other commits may
// bring it there, else it is brought there by a commit that waits for the disk.
func flushed(ctx context.Context, db *sqldb.DB, target string) error {
	end, start, _ := strings.Cut(target, " ")
	done, same := false, false
	const sameStart = serverStart + `::text = `
	err := db.Ask(ctx, func(_ int, rows *sqldb.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&done, &same); err != nil {
				return err
			}
		}
		return rows.Err()
	}, sqldb.Question{Query: `select pg_current_wal_flush_lsn() >= $1::text::pg_lsn, ` + sameStart + `$2`, Args: []any{end, start}})
	if err == nil && !done {
		err = db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			if _, err := tx.Exec(ctx, `set local synchronous_commit = on`); err != nil {
				return err
			}
			return tx.QueryRow(ctx, `select `+sameStart+`$1 from pg_logical_emit_message(true, 'leat', '')`, start).Scan(&same)
		})
	}
	if err == nil && !same {
		err = errRestarted
	}
	if err != nil {
		return fmt.Errorf("flush the write-ahead log: %w", err)
	}
	return nil
}
