package outbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/sqldb"
)

const (
	// sweepEvery is how often KeepInbox sweeps.
	sweepEvery = time.Minute
	// sweepPause lets others write between two statements of a sweep.
	sweepPause = 10 * time.Millisecond
	// sweepRows bounds one statement of a sweep by age: its locks and, on SQLite, its hold on the writer.
	sweepRows = 1000
	// sweepBlocks bounds one statement of a sweep by place; a block holds up to 150 rows.
	sweepBlocks = 64
	// sweepWhole is the table, in blocks, that one call goes through whole.
	sweepWhole = 2048
	// sweepLate is how late rows may go, as a part of InboxKeep.
	sweepLate = 10
)

// Sweep forgets inbox rows older than InboxKeep and returns how many, in small steps, until it is through
// or ctx ends. On SQLite it goes from the oldest on. On PostgreSQL it goes through the table by place: a
// small one (16 MiB) whole, of a larger one a share with each call, from where the call before ended, so
// that calls once a minute forget a row before it is older than InboxKeep by a tenth. The relay makes
// them; a service without a relay runs KeepInbox.
func (b *Box) Sweep(ctx context.Context) (swept int64, err error) {
	if b.cfg.InboxKeep < 0 {
		return 0, nil
	}
	if b.db.Dialect() == sqldb.Postgres {
		swept, err = b.sweepByPlace(ctx)
	}
	if err == nil && ctx.Err() == nil {
		var n int64
		n, err = b.sweepByAge(ctx)
		swept += n
	}
	if err != nil {
		return swept, fmt.Errorf("sweep inbox: %w", err)
	}
	return swept, nil
}

// sweepByPlace goes through a share of leat_inbox_key. There is nothing to find old rows by: an index on
// at costs each event, and a summary of what blocks hold (BRIN) says of each that it holds the oldest,
// once space was used again.
func (b *Box) sweepByPlace(ctx context.Context) (swept int64, err error) {
	var blocks int64
	err = b.db.View(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QueryRow(ctx, inboxBlocks).Scan(&blocks)
	})
	if err != nil {
		return 0, err
	}
	for left := shareOf(blocks, b.cfg.InboxKeep); left > 0; {
		from, to := b.round.next(blocks, min(left, sweepBlocks))
		n, err := b.forget(ctx, sweepPlaces, fmt.Sprintf("(%d,0)", from), fmt.Sprintf("(%d,0)", to))
		swept += n
		if left -= to - from; err != nil || left == 0 {
			return swept, err
		}
		if sleep(ctx, sweepPause) != nil {
			break
		}
	}
	return swept, nil
}

const (
	inboxBlocks = `select pg_relation_size('leat_inbox_key') / current_setting('block_size')::bigint`
	sweepPlaces = `delete from leat_inbox_key where ctid >= $2::tid and ctid < $3::tid and at < $1`
)

// shareOf is how many blocks of a table one call of Sweep goes through.
func shareOf(blocks int64, keep time.Duration) int64 {
	calls := max(1, int64(keep/sweepLate/sweepEvery)) // for the whole table
	return min(blocks, max(sweepWhole, (blocks+calls-1)/calls))
}

// round is a walk through the blocks of a table, from one drawn by lot on: a process that lives shorter
// than a round does not begin where the one before it did.
type round struct{ at atomic.Int64 } // the next block; negative: the lot

// newRound takes a lot that is not negative.
func newRound(lot int64) *round {
	r := &round{}
	r.at.Store(-1 - lot)
	return r
}

// next is up to most blocks of a table that has some: those from from on, to is left out.
func (r *round) next(blocks, most int64) (from, to int64) {
	for {
		at := r.at.Load()
		if from = at; at < 0 {
			from = (-1 - at) % blocks
		} else if at >= blocks {
			from = 0
		}
		to = min(from+most, blocks)
		if r.at.CompareAndSwap(at, to) {
			return from, to
		}
	}
}

// sweepByAge sweeps leat_inbox: the inbox on SQLite, what older versions wrote on PostgreSQL.
func (b *Box) sweepByAge(ctx context.Context) (swept int64, err error) {
	for {
		n, err := b.forget(ctx, sweepAges[b.db.Dialect()], sweepRows)
		if swept += n; err != nil || n < sweepRows {
			return swept, err
		}
		if sleep(ctx, sweepPause) != nil {
			return swept, nil
		}
	}
}

var sweepAges = map[sqldb.Dialect]string{
	sqldb.Postgres: `delete from leat_inbox where ctid = any(array(select ctid from leat_inbox where at < $1 limit $2))`,
	// By rowid, the order of their coming, and no index on at: it would cost every event.
	sqldb.SQLite: `delete from leat_inbox where rowid in (select rowid from (select rowid, at from leat_inbox order by rowid limit $2) where at < $1)`,
}

// forget runs one statement of a sweep; $1 is the time before which rows are old.
func (b *Box) forget(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = b.db.Tx(ctx, func(ctx context.Context, tx *sqldb.Tx) (err error) {
		n, err = tx.Exec(ctx, query, append([]any{time.Now().Add(-b.cfg.InboxKeep).UnixMicro()}, args...)...)
		return err
	})
	return n, err
}

// KeepInbox sweeps once a minute until ctx ends, and the payloads once an hour.
func (b *Box) KeepInbox(ctx context.Context) error {
	var swept time.Time // payloads
	for sleep(ctx, sweepEvery) == nil {
		if _, err := b.Sweep(ctx); err != nil && ctx.Err() == nil {
			b.cfg.Logger.WarnContext(ctx, "inbox was not swept, next try in a minute", "error", err)
		}
		if time.Since(swept) < sweepPayloadsEvery {
			continue
		}
		if err := b.SweepPayloads(ctx); err == nil {
			swept = time.Now()
		} else if ctx.Err() == nil {
			b.cfg.Logger.WarnContext(ctx, "payloads were not swept, next try in a minute", "error", err)
		}
	}
	return nil
}
