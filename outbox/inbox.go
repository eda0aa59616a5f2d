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
		n, err := tx.Exec(ctx, insertInbox, b.cfg.Group, source, id, time.Now().UnixMicro())
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

const insertInbox = `insert into leat_inbox (consumer_group, source, id, at) values ($1, $2, $3, $4) on conflict do nothing`

// sweepRows bounds one statement of a sweep: its locks and, on SQLite, its hold on the writer.
const sweepRows = 1000

// sweepPause lets others write between two statements of a sweep.
const sweepPause = 10 * time.Millisecond

// Sweep forgets inbox rows older than InboxKeep and returns how many. It works in small steps, on
// SQLite from the oldest on, and ends when nothing old is left or ctx ends. The relay calls it every
// minute; a service without a relay runs KeepInbox.
func (b *Box) Sweep(ctx context.Context) (swept int64, err error) {
	if b.cfg.InboxKeep < 0 {
		return 0, nil
	}
	for {
		var n int64
		err := b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) (err error) {
			n, err = tx.Exec(ctx, sweepInbox[tx.Dialect()], time.Now().Add(-b.cfg.InboxKeep).UnixMicro(), sweepRows)
			return err
		})
		swept += n
		if err != nil {
			return swept, fmt.Errorf("sweep inbox: %w", err)
		}
		if n < sweepRows {
			return swept, nil
		}
		if err := sleep(ctx, sweepPause); err != nil {
			return swept, nil
		}
	}
}

var sweepInbox = map[sqldb.Dialect]string{
	sqldb.Postgres: `delete from leat_inbox where ctid = any(array(select ctid from leat_inbox where at < $1 limit $2))`,
	// By rowid, the order of their coming, and no index on at: it would cost every event.
	sqldb.SQLite: `delete from leat_inbox where rowid in (select rowid from (select rowid, at from leat_inbox order by rowid limit $2) where at < $1)`,
}

// sweepEvery is how often KeepInbox sweeps.
const sweepEvery = time.Minute

// KeepInbox sweeps once a minute until ctx ends, and the payloads once an hour.
func (b *Box) KeepInbox(ctx context.Context) error {
	var swept time.Time // payloads
	for sleep(ctx, sweepEvery) == nil {
		if _, err := b.Sweep(ctx); err != nil && ctx.Err() == nil {
			b.cfg.Logger.WarnContext(ctx, "inbox was not swept, next try in a minute", "service", b.cfg.Source, "error", err)
		}
		if time.Since(swept) < sweepPayloadsEvery {
			continue
		}
		if err := b.SweepPayloads(ctx); err == nil {
			swept = time.Now()
		} else if ctx.Err() == nil {
			b.cfg.Logger.WarnContext(ctx, "payloads were not swept, next try in a minute", "service", b.cfg.Source, "error", err)
		}
	}
	return nil
}

// InboxSince is the time of the oldest event that the inbox remembers, zero where it remembers none:
// what was handled before it and comes again runs again.
func (b *Box) InboxSince(ctx context.Context) (since time.Time, err error) {
	err = b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		var at *int64
		if err := tx.QueryRow(ctx, `select min(at) from leat_inbox`).Scan(&at); err != nil {
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
