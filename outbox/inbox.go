package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/sqldb"
)

// once runs fn and writes the event's inbox row in one transaction, unless the row is there. The
// row goes in first: a second delivery that runs at the same time waits for the first one's end. An
// event that fails leaves no row, so that its redrive is not taken for a repeat.
func (b *Box) once(ctx context.Context, e *leat.Envelope, fn func(ctx context.Context, tx *Tx) error) error {
	source, id := e.Identity()
	duplicate := false
	err := b.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		if err := fenced(ctx, tx.Tx); err != nil {
			return err
		}
		n, err := b.note(ctx, tx.Tx, source, id)
		if err != nil {
			return fmt.Errorf("write inbox: %w", err)
		}
		if duplicate = n == 0; duplicate {
			return nil
		}
		if err := fn(ctx, tx); err != nil {
			return err
		}
		b.cfg.Hook("once.committing")
		return nil
	})
	if err != nil {
		return err
	}
	if duplicate {
		b.counts.repeats.Inc()
		b.cfg.Logger.DebugContext(ctx, "event is handled already", "event_id", id)
		return nil
	}
	b.cfg.Hook("once.committed")
	return nil
}

// note writes the inbox row of one event; 0: it is there.
func (b *Box) note(ctx context.Context, tx *sqldb.Tx, source, id string) (int64, error) {
	now := time.Now().UnixMicro()
	if tx.Dialect() == sqldb.Postgres {
		return tx.Exec(ctx, noteKey, newKeyer(b.cfg.Group).of(source, id), now)
	}
	return tx.Exec(ctx, noteEvent, b.cfg.Group, source, id, now)
}

const (
	noteKey   = `insert into leat_inbox_key (key, at) values ($1, $2) on conflict do nothing`
	noteEvent = `insert into leat_inbox (consumer_group, source, id, at) values ($1, $2, $3, $4) on conflict do nothing`
)

// InboxSince is the time of the oldest event that the inbox remembers, zero where it remembers none:
// what was handled before it and comes again runs again. Of an inbox on PostgreSQL that is larger than
// 16 MiB it is the oldest that one look at as much of it finds: a later time than the true one, if
// another, and never an earlier.
func (b *Box) InboxSince(ctx context.Context) (since time.Time, err error) {
	err = b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		var at *int64
		if err := tx.QueryRow(ctx, oldestInbox[tx.Dialect()]).Scan(&at); err != nil {
			return err
		}
		if at != nil {
			since = time.UnixMicro(*at).UTC()
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("look for the oldest inbox row: %w", err)
	}
	return since, nil
}

// oldestInbox draws 2048 blocks by lot on PostgreSQL, where each holds rows of all ages once space was
// used again; the last line is for a table so empty that they hold none.
var oldestInbox = map[sqldb.Dialect]string{
	sqldb.Postgres: `select coalesce(
		(select min(at) from leat_inbox_key tablesample system (
			least(100, 100.0 * 2048 / greatest(1, pg_relation_size('leat_inbox_key') / current_setting('block_size')::bigint)))),
		(select at from leat_inbox_key limit 1))`,
	sqldb.SQLite: `select min(at) from leat_inbox`,
}

// InboxReach is how far back the inbox knows what was handled: InboxSince, and how long it keeps rows
// (negative: for ever).
func (b *Box) InboxReach(ctx context.Context) (since time.Time, keep time.Duration, err error) {
	since, err = b.InboxSince(ctx)
	return since, b.cfg.InboxKeep, err
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
