package outbox

import (
	"context"
	"fmt"
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

	stream   *stream   // in mode wal: the inserts in the order of their commits
	byTable  bool      // the table is read all the same
	suspects *suspects // rows that the stream should have brought
}

// pollEvery is how often the mark is asked for at most: with hundreds of connections one question
// costs the server a millisecond.
const pollEvery = 10 * time.Millisecond

// next reads the next batch of rows that are not taken. It stays whole until the read after the next.
func (r *reader) next(ctx context.Context, taken []ids) (*batch, error) {
	now := time.Now()
	r.sweeping = !now.Before(r.sweepAt)
	l := r.look
	l.above, l.taken = r.floor, taken
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
	if b.full {
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
}

// rewind makes the next read start at the head: what was passed over comes first.
func (r *reader) rewind() { r.floor, r.reach = 0, 0 }

// postgres asks for the mark and then reads, in two statements with a snapshot each: in one
// snapshot the locks would be those of now and the rows those of before.
func (r *reader) postgres(ctx context.Context, l look, now time.Time, b *batch) error {
	return r.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) (err error) {
		if now.Sub(r.polled) >= pollEvery {
			if err := r.poll(ctx, tx); err != nil {
				return err
			}
			r.polled = now
		}
		if err := readRows(ctx, tx, l, b); err != nil || len(b.rows) == 0 {
			return err
		}
		b.log, err = flushTarget(ctx, tx)
		return err
	})
}

// poll asks for the sequence first and for the holders of the table's lock after it.
func (r *reader) poll(ctx context.Context, tx *sqldb.Tx) error {
	var last int64
	if err := tx.QueryRow(ctx, lastID).Scan(&last); err != nil {
		return fmt.Errorf("read the outbox's sequence: %w", err)
	}
	rows, err := tx.Query(ctx, openWriters)
	if err != nil {
		return fmt.Errorf("look for open writers: %w", err)
	}
	defer rows.Close()
	var holders []string
	for rows.Next() {
		var h string
		if err := rows.Scan(&h); err != nil {
			return fmt.Errorf("look for open writers: %w", err)
		}
		holders = append(holders, h)
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

const lastID = `select coalesce(pg_sequence_last_value(pg_get_serial_sequence('leat_outbox', 'id')::regclass), 0)`

// openWriters names transactions and not processes: one process may end a transaction and begin the
// next between two polls.
const openWriters = `select virtualtransaction from pg_locks
	where locktype = 'relation' and mode = 'RowExclusiveLock' and granted and relation = 'leat_outbox'::regclass
	and database = (select oid from pg_database where datname = current_database())`

// flushTarget is the end of the write-ahead log after a read, "" where all of it is on the disk:
// commits that the read saw are before it. With synchronous_commit off a commit is seen before it
// is on the disk, and a crash takes it back.
func flushTarget(ctx context.Context, tx *sqldb.Tx) (string, error) {
	var target string
	var done bool
	err := tx.QueryRow(ctx, `select pg_current_wal_insert_lsn()::text, pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()`).Scan(&target, &done)
	if err != nil {
		return "", fmt.Errorf("read the end of the write-ahead log: %w", err)
	}
	if done {
		return "", nil
	}
	return target, nil
}

// flushed waits until the log is on the disk up to target: other commits may bring it there, else
// it is brought there by a commit that waits for the disk.
func flushed(ctx context.Context, db *sqldb.DB, target string) error {
	return db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		var done bool
		if err := tx.QueryRow(ctx, `select pg_current_wal_flush_lsn() >= $1::text::pg_lsn`, target).Scan(&done); err != nil || done {
			return err
		}
		if _, err := tx.Exec(ctx, `set local synchronous_commit = on`); err != nil {
			return fmt.Errorf("flush the write-ahead log: %w", err)
		}
		if _, err := tx.Exec(ctx, `select pg_logical_emit_message(true, 'leat', '')`); err != nil {
			return fmt.Errorf("flush the write-ahead log: %w", err)
		}
		return nil
	})
}
